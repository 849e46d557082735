/** For tests: what every one on a real store ends with. */
import { collection } from '@rhizome/mongo';
import { assertDevicesBookedOnce, type TestDatabase, withDevices } from '@rhizome/testkit';
import { jobsCollection } from '../jobs/job.document.js';
import { workersCollection } from './worker.document.js';

/** @throws Error that names the devices of the database that were given away twice */
export async function checkDevices(db: TestDatabase): Promise<void> {
  const [jobs, workers] = await Promise.all([
    collection(db, jobsCollection).find(withDevices).toArray(),
    collection(db, workersCollection).find().toArray(),
  ]);
  assertDevicesBookedOnce(jobs, workers);
}
