/** Counts all jobs once, as of one time of the store: at the start, and after the stream was lost. */
import { sleep } from '@rhizome/retry';
import { MongoServerError, type ClientSession, type Db } from 'mongodb';
import { jobStates, type JobState } from '../../jobs/model/job-state.js';
import type { StoreTime } from '../feed/cursor.js';
import type { JobCountRow } from './job-counts.js';

/** Result of the scan. */
export interface CountScan {
  /** The counts contain everything up to this time of the store, and nothing after it. */
  readonly at: StoreTime;
  readonly jobs: readonly JobCountRow[];
  /** Counts by task. */
  readonly tasks: ReadonlyMap<string, readonly number[]>;
}

interface Group {
  readonly _id: {
    readonly experiment: string;
    readonly queue?: string;
    readonly gpuModel?: string;
    readonly share: string;
    readonly state: JobState;
    readonly task?: string;
  };
  readonly n: number;
  readonly gpus: number;
}

/**
 * Error code of the server: it cannot read at a time yet at which collections or indexes were just created.
 */
const notYet = 246;
const maxTries = 50;
const waitMs = 200;

/** Counts jobs in a snapshot read. */
export class CountScanRepository {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  /** Counts all jobs. @throws the driver's error when the store cannot be read as of one time */
  async scan(signal: AbortSignal): Promise<CountScan> {
    for (let tries = 1; ; tries++) {
      const session = this.#db.client.startSession({ snapshot: true });
      try {
        return await scan(this.#db, session);
      } catch (error) {
        const mayRetry = error instanceof MongoServerError && error.code === notYet && tries < maxTries;
        if (!mayRetry || signal.aborted) throw error;
        if (!(await sleep(waitMs, signal))) throw error;
      } finally {
        await session.endSession();
      }
    }
  }
}

async function scan(db: Db, session: ClientSession): Promise<CountScan> {
  const jobs = db.collection('jobs');
  const key = {
    experiment: '$experiment',
    queue: '$queue',
    gpuModel: '$gpu.model',
    share: '$share',
    state: '$state',
    task: '$taskId',
  };
  const groups = jobs.aggregate<Group>(
    [{ $group: { _id: key, n: { $sum: 1 }, gpus: { $sum: '$gpu.count' } } }],
    {
      session,
      allowDiskUse: true,
    },
  );
  const rows = new Map<string, { -readonly [K in keyof JobCountRow]: JobCountRow[K] }>();
  const tasks = new Map<string, number[]>();
  for await (const { _id, n, gpus } of groups) {
    const { experiment, queue = null, gpuModel = null, share, state, task } = _id;
    const countKey = JSON.stringify([experiment, queue, gpuModel, share, state]);
    const row = rows.get(countKey);
    if (row) {
      row.count += n;
      row.gpus += gpus;
    } else rows.set(countKey, { experiment, queue, gpuModel, share, state, count: n, gpus });
    if (task !== undefined) add(tasks, task, state, n);
  }
  // Set by the first read of the session; the driver does not show it in its types.
  const at = (session as { snapshotTime?: StoreTime }).snapshotTime;
  if (!at) throw new Error('the store returned no time of its snapshot');
  return { at, jobs: [...rows.values()], tasks };
}

function add(tasks: Map<string, number[]>, task: string, state: JobState, n: number): void {
  const counts = tasks.get(task) ?? new Array<number>(jobStates.length).fill(0);
  const index = jobStates.indexOf(state);
  counts[index] = (counts[index] ?? 0) + n;
  tasks.set(task, counts);
}
