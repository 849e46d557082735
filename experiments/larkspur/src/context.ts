/** Context of Larkspur's resolvers. */
import type { Submissions } from '@rhizome/experiment';
import type { SubgraphContext } from '@rhizome/subgraph';
import type { ObservationContent } from './observation.js';
import type { ObservationDocument } from './observation.document.js';

/** The context of one operation, or of one event of a stream. */
export interface Context extends SubgraphContext {
  readonly observations: Submissions<ObservationDocument, ObservationContent>;
}
