/** Stores of the event stream. */
import type { ChangeFeed } from './feed/change-feed.repository.js';
import type { CountScanRepository } from './counts/count-scan.repository.js';
import type { CountSnapshotsRepository } from './counts/count-snapshots.repository.js';

/** Result of {@link eventStores}. */
export interface EventStores {
  readonly feed: ChangeFeed;
  readonly scan: CountScanRepository;
  readonly snapshots: CountSnapshotsRepository;
}
