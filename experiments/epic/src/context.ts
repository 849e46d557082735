/** Context of ePIC's resolvers. */
import type { Submissions } from '@rhizome/experiment';
import type { SubgraphContext } from '@rhizome/subgraph';
import type { LiveModule } from './live/live.module.js';
import type { RunContent } from './run.js';
import type { RunDocument } from './run.document.js';

/** The context of one operation, or of one event of a stream. */
export interface Context extends SubgraphContext {
  readonly runs: Submissions<RunDocument, RunContent, 'RUN_NUMBER_TAKEN'>;
  readonly live: LiveModule;
}
