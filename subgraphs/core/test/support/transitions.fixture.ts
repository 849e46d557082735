/** For tests of the transition writer: jobs in their own store, and typical requests. */
import { silentLogger } from '@rhizome/log';
import { systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { leftovers, type TestDatabase, testDatabase } from '@rhizome/testkit';
import { aJob } from './job.fixture.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import type { TransitionRequest } from '../../src/jobs/transitions/transition.types.js';
import { transitionStore, type TransitionStore } from '../../src/jobs/transitions/transitions.repository.js';

const jobsOf = (db: TestDatabase) => collection(db, jobsCollection);

/** The store and jobs of one test file. */
export interface WriterWorld {
  readonly jobs: ReturnType<typeof jobsOf>;
  /** Creates a writer, closed at the end of the file. */
  writerOn(store?: TransitionStore, maxGroup?: number): GroupingTransitionWriter;
  /** Stores new jobs. @returns their ids */
  insert(count: number, over?: Parameters<typeof aJob>[1]): Promise<string[]>;
  read(id: string): Promise<JobDocument>;
}

/** Creates a store without jobs. */
export async function writerWorld(): Promise<WriterWorld> {
  const db = await testDatabase('writer');
  await ensureCollections(db, [jobsCollection]);
  const jobs = jobsOf(db);
  let serial = 0;
  return {
    jobs,
    writerOn: (store = transitionStore(jobs), maxGroup = 500) =>
      leftovers.use(
        new GroupingTransitionWriter({ store, clock: systemClock, log: silentLogger(), maxGroup }),
        'a transition writer',
      ),
    async insert(count, over = {}) {
      const ids = Array.from({ length: count }, () => `job_${String((serial += 1)).padStart(8, '0')}`);
      await jobs.insertMany(ids.map((id) => aJob(id, over)));
      return ids;
    },
    async read(id) {
      const found = await jobs.findOne({ _id: id });
      if (!found) throw new Error(`no job ${id}`);
      return found;
    },
  };
}

/** The scheduler grants a job. */
export function grant(jobId: string, fence: number): TransitionRequest {
  return {
    jobId,
    from: 'ACTIVATED',
    to: 'SENT',
    by: 'broker',
    actor: 'system:broker',
    change: {
      grant: {
        workerId: `worker_${fence}`,
        queueId: 'queue_1',
        queue: 'main',
        fence,
        attemptId: `attempt_${fence}`,
        deviceIds: [],
      },
    },
  };
}

/** A worker reports progress of a job. */
export function step(
  jobId: string,
  from: JobDocument['state'],
  to: JobDocument['state'],
  fence: number,
  change: TransitionRequest['change'] = {},
): TransitionRequest {
  return { jobId, from, to, by: 'worker', actor: 'pilot:main', fence, change };
}

/** A principal ends a job. */
export function cancel(
  jobId: string,
  from: JobDocument['state'],
  reason = 'no longer wanted',
): TransitionRequest {
  return { jobId, from, to: 'CANCELLED', by: 'principal', actor: 'someone@example', reason };
}
