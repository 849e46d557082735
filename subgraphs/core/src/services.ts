/**
 * The services of all domains, as resolvers find them in their context. `app.ts` makes them, each from its collaborators; a domain adds its
 * own line here. Types only: nothing is imported at run time.
 */
import type { EventsService } from './events/events.service.js';
import type { ExperimentsService } from './experiments/experiments.service.js';
import type { QueuesService } from './queues/queues.service.js';
import type { SharesService, ShareUsage } from './shares/shares.service.js';

/** See the head of this file. */
export interface CoreServices {
  readonly experiments: ExperimentsService;
  readonly shares: SharesService;
  readonly queues: QueuesService;
  readonly events: EventsService;
  /** What is granted to shares now, from the broker's ledger; one answer a path. */
  readonly shareUsage: (paths: readonly string[]) => Promise<readonly (ShareUsage | null)[]>;
}
