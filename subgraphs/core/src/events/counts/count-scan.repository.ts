/** Counts all jobs once, as of one time of the store: at the start, and after the stream was lost. */
import { readSnapshot, type StoreTime } from '@rhizome/mongo';
import type { ClientSession, Db } from 'mongodb';
import { canaryOwner } from '../../jobs/model/canary-owner.js';
import { jobStates, type JobState } from '../../jobs/model/job-state.js';
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

/** Counts jobs in a snapshot read. */
export class CountScanRepository {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  /** Counts all jobs. @throws the driver's error when the store cannot be read as of one time */
  async scan(signal: AbortSignal): Promise<CountScan> {
    const { value, at } = await readSnapshot(this.#db.client, (session) => scan(this.#db, session), signal);
    return { ...value, at };
  }
}

async function scan(db: Db, session: ClientSession): Promise<Omit<CountScan, 'at'>> {
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
    [
      { $match: { owner: { $ne: canaryOwner } } },
      { $group: { _id: key, n: { $sum: 1 }, gpus: { $sum: '$gpu.count' } } },
    ],
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
  return { jobs: [...rows.values()], tasks };
}

function add(tasks: Map<string, number[]>, task: string, state: JobState, n: number): void {
  const counts = tasks.get(task) ?? new Array<number>(jobStates.length).fill(0);
  const index = jobStates.indexOf(state);
  counts[index] = (counts[index] ?? 0) + n;
  tasks.set(task, counts);
}
