import type { Db } from 'mongodb';
import { leasesCollection } from '../worker.document.js';

/** Index that `dueAt_idx` replaces. */
const formerIndex = 'lostAt_idx';

/**
 * Makes leases that were lost before workers could return final and due, so that the leader removes them. May
 * run again.
 */
export async function finishLostLeases(db: Db): Promise<void> {
  const leases = db.collection(leasesCollection.name);
  await leases.updateMany(
    { lostAt: { $exists: true }, dueAt: { $exists: false } },
    [{ $set: { dueAt: '$lostAt', isFinal: true } }],
    { writeConcern: { w: 'majority' } },
  );
  if (await leases.indexExists(formerIndex)) await leases.dropIndex(formerIndex);
}
