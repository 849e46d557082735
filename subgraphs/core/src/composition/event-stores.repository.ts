/** Sources of the event stream and the store of its counts, on one database. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { ChangeFeed } from '../events/feed/change-feed.repository.js';
import { CountScanRepository } from '../events/counts/count-scan.repository.js';
import { countSnapshotsCollection } from '../events/counts/count-snapshot.document.js';
import { CountSnapshotsRepository } from '../events/counts/count-snapshots.repository.js';
import {
  failureCountsCollection,
  failureHistoryCollection,
} from '../events/failures/failure-counts.document.js';
import { ErrorSummaryRepository } from '../events/failures/error-summary.repository.js';
import { FailureCountsRepository } from '../events/failures/failure-counts.repository.js';
import type { EventStores } from '../events/event-stores.types.js';

/** Collections that events write. */
export const eventCollections = [
  countSnapshotsCollection,
  failureCountsCollection,
  failureHistoryCollection,
] as const;

/** @param watched collections, in addition to `jobs`, whose writes are delivered to subscribers */
export function eventStores(db: Db, watched: readonly string[]): EventStores {
  return {
    feed: new ChangeFeed(db, watched),
    scan: new CountScanRepository(db),
    snapshots: new CountSnapshotsRepository(collection(db, countSnapshotsCollection)),
  };
}

/** Store of the counts of failures. */
export function failureStore(db: Db): FailureCountsRepository {
  return new FailureCountsRepository(db);
}

/** Summaries of the counts of failures. */
export function errorSummaryStore(db: Db): ErrorSummaryRepository {
  return new ErrorSummaryRepository(
    collection(db, failureCountsCollection),
    collection(db, failureHistoryCollection),
  );
}
