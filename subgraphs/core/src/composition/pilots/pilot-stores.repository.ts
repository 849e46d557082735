/** Stores of pilots on one database. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { PilotsRepository } from '../../pilots/store/pilots.repository.js';
import { serverTime } from '../../shared/store-time.js';
import { workersCollection } from '../../workers/worker.document.js';
import { WorkersRepository } from '../../workers/workers.repository.js';

/** Repositories of pilots and of their workers. */
export interface PilotStores {
  readonly pilots: PilotsRepository;
  readonly workers: Pick<WorkersRepository, 'ofBatchJobs'>;
}

/** Creates the repositories. */
export function pilotStores(db: Db): PilotStores {
  return {
    pilots: new PilotsRepository(db, serverTime),
    workers: new WorkersRepository(collection(db, workersCollection), serverTime),
  };
}
