/** Context of ATLAS's resolvers. */
import type { Submissions } from '@rhizome/experiment';
import type { SubgraphContext } from '@rhizome/subgraph';
import type { ProductionTaskContent } from './production-task.js';
import type { ProductionTaskDocument } from './production-task.document.js';

/** The context of one operation, or of one event of a stream. */
export interface Context extends SubgraphContext {
  readonly tasks: Submissions<ProductionTaskDocument, ProductionTaskContent>;
}
