/** Adapts core's database to a restore from a backup, before core starts on it. */
import { collection, type RestoreMark, secondsOf } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { countSnapshotsCollection } from '../../events/counts/count-snapshot.document.js';
import { FailureCountsRepository } from '../../events/failures/failure-counts.repository.js';
import { failureConsumer } from '../../events/failures/failure-work.js';
import { decodeCursor } from '../../events/feed/cursor.js';
import { consumersCollection } from '../../jobs/transitions/consumer.document.js';
import { fenceStep } from '../../scheduler/leader/broker-lease.repository.js';
import { storagesCollection } from '../../storages/storage.document.js';
import { brokerLeaseCollection } from '../../workers/worker.document.js';

/**
 * Fences that core may allocate per second, on average. The first fence after a restore is the time of the
 * restore in seconds by this number, so that it is higher than all fences allocated before it: also those
 * that were allocated after the backup, or after an earlier restore of the same backup. They stay safe
 * integers until the year 2106.
 */
const fencesPerSecond = 2 ** 21;

const majority = { writeConcern: { w: 'majority' } } as const;

/**
 * Raises the fences, ends the term of the leader of the backup, and forgets positions in the event stream:
 * the events between the backup and the restore are not those of the restored jobs. In a copy, which was
 * restored under another name, all storages are removed. May be repeated.
 */
export async function afterRestore(
  db: Db,
  { isCopy }: Pick<RestoreMark, 'isCopy'>,
  now: Date,
): Promise<void> {
  if (isCopy === true) await removeStorages(db);
  const lowest = { $multiply: [{ $ceil: { $divide: [{ $toLong: '$$NOW' }, 1000] } }, fencesPerSecond] };
  const next = { $add: ['$nextFence', fenceStep] };
  await collection(db, brokerLeaseCollection).updateOne(
    { _id: 'broker' },
    [
      {
        $set: {
          nextFence: { $toDouble: { $max: [lowest, next] } },
          epoch: { $add: ['$epoch', 1] },
          holder: '',
          url: '$$REMOVE',
          expiresAt: new Date(0),
        },
      },
    ],
    majority,
  );
  await recordUncounted(db, now);
  await collection(db, consumersCollection).deleteMany({}, majority);
  await collection(db, countSnapshotsCollection).deleteMany({}, majority);
}

/** Records that failures between the backup and now are not counted. */
async function recordUncounted(db: Db, now: Date): Promise<void> {
  const position = await collection(db, consumersCollection).findOne({ _id: failureConsumer });
  if (position === null) return;
  const from = new Date(secondsOf(decodeCursor(position.cursor)) * 1000);
  await new FailureCountsRepository(db).addGap({ from, to: now });
}

/**
 * Removes all storages, so that the upkeep of a copy deletes no file: those that its documents do not know
 * may belong to jobs that production has run since. Files in the storages stay.
 */
async function removeStorages(db: Db): Promise<void> {
  await collection(db, storagesCollection).updateMany(
    { removedAt: { $exists: false } },
    [{ $set: { removedAt: '$$NOW', updatedAt: '$$NOW', revision: { $add: ['$revision', 1] } } }],
    majority,
  );
}
