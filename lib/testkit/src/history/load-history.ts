/** Reads the history of a database: documents at one time of the store, and the writes up to that time. */
import type { TestDatabase } from '../test-database.types.js';
import type {
  History,
  JobWrite,
  RecordedAnswer,
  StoredCounts,
  StoredJob,
  StoredOperation,
  StoredSubmission,
  StoredTask,
  StoredWorker,
} from './history.types.js';
import { readWrites, type StoreTimestamp } from './read-writes.js';

/** Most jobs, jobs with devices, and writes that are read. */
const most = { jobs: 20_000, booked: 200_000, writes: 100_000 };
const withDevices = { 'attempts.deviceIds.0': { $exists: true } };
const batchSize = 2000;
/** MongoDB's code for a collection that changed at the time of the snapshot. */
const snapshotUnavailable = 246;
const maxTries = 10;

/** Time at which the store is, for reads of all that happens later. */
export async function storeTimeOf(db: TestDatabase): Promise<StoreTimestamp | undefined> {
  const { operationTime } = await db.command({ ping: 1 });
  return operationTime as StoreTimestamp | undefined;
}

/**
 * Reads a history.
 * @param since time from which all writes of the database are read; otherwise all that the store still has
 * @param answers answers that callers received
 * @returns undefined if the database never had jobs
 */
export async function loadHistory(
  db: TestDatabase,
  since?: StoreTimestamp,
  answers: readonly RecordedAnswer[] = [],
): Promise<History | undefined> {
  const names = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name));
  if (!names.has('jobs') && !names.has('jobsArchive')) return undefined;
  for (let tries = 1; ; tries += 1) {
    const until = await storeTimeOf(db);
    if (!until) throw new Error(`the store of ${db.databaseName} keeps no oplog`);
    try {
      const documents = await readDocuments(new Snapshot(db, until, names));
      const writes = await readWrites(db, { since, until, limit: most.writes });
      return { ...documents, ...writes, logs: logsOf(writes.writes), answers };
    } catch (error) {
      if ((error as { code?: unknown } | null)?.code !== snapshotUnavailable || tries === maxTries)
        throw error;
    }
  }
}

type Fields = Readonly<Record<string, 0 | 1 | string>>;

/** Reads of one time of the store. */
class Snapshot {
  readonly #db: TestDatabase;
  readonly #at: StoreTimestamp;
  readonly #names: ReadonlySet<string>;

  constructor(db: TestDatabase, at: StoreTimestamp, names: ReadonlySet<string>) {
    this.#db = db;
    this.#at = at;
    this.#names = names;
  }

  /** Documents of a collection, at most as many as given; none if it does not exist. */
  async find<T>(name: string, projection: Fields, limit: number, filter: object = {}): Promise<T[]> {
    if (!this.#names.has(name)) return [];
    const readConcern = { level: 'snapshot', atClusterTime: this.#at };
    const cursor = this.#db.runCursorCommand({
      ...{ find: name, filter, projection, sort: { _id: 1 }, limit },
      ...{ batchSize, readConcern },
    });
    cursor.setBatchSize(batchSize);
    const found: T[] = [];
    for await (const document of cursor) found.push(document as T);
    return found;
  }
}

async function readDocuments(
  from: Snapshot,
): Promise<Omit<History, 'writes' | 'logs' | 'hasAllWrites' | 'leaseWrites' | 'taskWrites' | 'answers'>> {
  const stored = (limit: number, filter?: object): Promise<StoredJob[][]> =>
    Promise.all(['jobs', 'jobsArchive'].map((name) => from.find<StoredJob>(name, jobFields, limit, filter)));
  const some = (await stored(most.jobs + 1)).flat();
  const hasAllJobs = some.length <= most.jobs;
  const jobs = hasAllJobs ? some : [...some, ...(await stored(most.booked, withDevices)).flat()];
  const many = <T>(name: string, projection: Fields, filter?: object): Promise<T[]> =>
    from.find<T>(name, projection, most.jobs, filter);
  const [workers, leases, queues, classes, [broker], counts, tasks, submissions, operations] =
    await Promise.all([
      many<StoredWorker>('workers', workerFields),
      many<{ readonly _id: string }>('leases', { _id: 1 }),
      many<{ readonly _id: string; readonly site?: string }>('queues', { site: 1 }),
      many<{ readonly _id: string }>('requirementClasses', { _id: 1 }),
      many<{ readonly nextFence: number }>('brokerLease', { nextFence: 1 }),
      countsOf(from),
      many<StoredTask>('tasks', { state: 1, totalJobs: 1, createdJobs: 1, endStates: 1, control: 1 }),
      many<StoredSubmission>('submissions', submissionFields),
      many<StoredOperation>('bulkOperations', { kind: 1, state: 1, changedIds: 1 }),
    ]);
  return {
    jobs: new Map(jobs.map((job) => [job._id, job])),
    hasAllJobs,
    workers: new Map(workers.map((worker) => [worker._id, worker])),
    leased: new Set(leases.map(({ _id }) => _id)),
    sites: new Map(queues.map(({ _id, site }) => [_id, site])),
    ...{ tasks, submissions, operations },
    classIds: new Set(classes.map(({ _id }) => _id)),
    ...(counts ? { counts } : {}),
    ...(broker ? { nextFence: broker.nextFence } : {}),
  };
}

async function countsOf(from: Snapshot): Promise<StoredCounts | undefined> {
  const stored = await from.find<{
    readonly _id: string;
    readonly token?: string;
    readonly chunks?: readonly string[];
    readonly jobs?: StoredCounts['jobs'];
  }>('countSnapshots', { token: 1, chunks: 1, jobs: 1 }, most.jobs);
  const head = stored.find(({ _id }) => _id === 'head');
  if (head?.token === undefined) return undefined;
  const wanted = new Set(head.chunks);
  return {
    token: head.token,
    jobs: stored.filter(({ _id }) => wanted.has(_id)).flatMap(({ jobs = [] }) => jobs),
  };
}

/** The writes by job, of those jobs whose first write was read. */
function logsOf(writes: readonly JobWrite[]): ReadonlyMap<string, readonly JobWrite[]> {
  const logs = new Map<string, JobWrite[]>();
  for (const write of writes) {
    if (write.kind === 'INSERT' && !logs.has(write.jobId)) logs.set(write.jobId, [write]);
    else logs.get(write.jobId)?.push(write);
  }
  return logs;
}

const jobFields: Fields = {
  ...{ revision: 1, state: 1, createdAt: 1, experiment: 1, taskId: 1, taskIndex: 1, classId: 1, retry: 1 },
  ...{ 'requirements.gpu': 1, dependsOn: 1, waitingFor: 1, lookup: 1, hold: 1, notBefore: 1, attempt: 1 },
  ...{
    attempts: 1,
    plannedEnds: 1,
    uncountedEnds: 1,
    fence: 1,
    workerId: 1,
    last: 1,
    transitions: 1,
    stateTimes: 1,
    retryOf: 1,
    retriedBy: 1,
  },
};
const workerFields: Fields = {
  ...{ host: 1, queueId: 1, state: 1, updatedAt: 1, 'devices.id': 1, 'devices.parentId': 1 },
};
const submissionFields: Fields = { createdAt: 1, batchId: 1, count: 1, 'refused.index': 1, doneAt: 1 };
