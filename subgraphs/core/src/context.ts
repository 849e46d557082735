/** What core's resolvers are handed. */
import type { SubgraphContext } from '@rhizome/subgraph';
import type { CoreServices } from './services.js';

/** The context of one operation, or of one event of a stream: who asks, the loaders, and the services of all domains. */
export interface Context extends SubgraphContext {
  readonly core: CoreServices;
}
