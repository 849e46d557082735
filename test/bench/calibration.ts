/**
 * The machine itself, measured in the same run: a fixed loop of computation, and what `mongod` alone does
 * with the same grouped updates and inserts. Rows that depend on the machine are ratios to these figures.
 */
import { once } from 'node:events';
import {
  edgeOf,
  type JobDocument,
  jobsCollection,
  shapeOf,
  type TransitionRequest,
  type TransitionStore,
  transitionStore,
} from '@rhizome/core/transitions';
import { collection, ensureCollections } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { connectApi } from './api.js';
import type { Row } from './report.js';
import { benchExperiment, startStack } from './stack.js';

/** Workers for which the store alone is measured: those of the benchmark `lives`. */
export const calibratedWorkers = [1, 16, 64, 256] as const;

/** Performance of the machine without Rhizome. */
export interface Calibration {
  /** Time of the fixed loop, in milliseconds. */
  readonly loopMs: number;
  /** Job life cycles per second that `mongod` alone writes, by number of workers. */
  readonly cyclesPerSecond: ReadonlyMap<number, number>;
  /** Jobs per second that `mongod` alone inserts, in batches of 1,000 over four connections. */
  readonly insertsPerSecond: number;
}

/** Jobs in a grouped update, as pilots report them. */
const groupSize = 100;
/** Groups that a worker has in flight, as a pilot does: one acquired, one started, one finished. */
const groupsInFlight = 3;
const loopRuns = 7;

/** The loop works on hash maps, objects, strings and numbers, like a matcher and a JSON serializer. */
function loop(): number {
  let checksum = 0;
  const byKey = new Map<string, { count: number; values: number[] }>();
  for (let i = 0; i < 132_000; i += 1) {
    const key = `class-${(i * 7919) % 997}`;
    const entry = byKey.get(key) ?? { count: 0, values: [] };
    entry.count += 1;
    entry.values.push((i * 2_654_435_761) % 65_536);
    byKey.set(key, entry);
  }
  for (const [key, { count, values }] of byKey) {
    values.sort((a, b) => a - b);
    checksum += count + (values[values.length >> 1] ?? 0) + key.length;
  }
  for (let i = 0; i < 660; i += 1)
    checksum += JSON.stringify(JSON.parse(JSON.stringify([...byKey.keys()]))).length;
  let state = 1;
  for (let i = 0; i < 26_400_000; i += 1) state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
  return checksum + state;
}

/** Median time of the fixed loop, in milliseconds. */
export function measureLoop(): number {
  const times: number[] = [];
  for (let run = 0; run < loopRuns; run += 1) {
    const started = performance.now();
    if (loop() === 0) throw new Error('the loop computed nothing');
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[loopRuns >> 1] ?? Number.NaN;
}

/** Measures the machine. Takes about half a minute, most of it for the store. */
export async function calibrate(options: {
  readonly seconds: number;
  progress(text: string): void;
}): Promise<Calibration> {
  const loopMs = measureLoop();
  options.progress(`fixed loop: ${loopMs.toFixed(0)} ms`);
  const stack = await startStack();
  const api = connectApi(stack.url, stack.adminToken, 1);
  try {
    const template = await storedJob(api, stack.database('core'));
    // Each measurement has a collection of its own: deleted documents would slow the next one down.
    const fresh = async (name: string) => {
      const db = stack.database(`calibration_${name}`);
      await ensureCollections(db, [jobsCollection]);
      return db;
    };
    const insertsPerSecond = await measureInserts(await fresh('inserts'), template, options.seconds);
    options.progress(`mongod alone: ${Math.round(insertsPerSecond)} inserts/s`);
    const cyclesPerSecond = new Map<number, number>();
    for (const workers of calibratedWorkers) {
      const db = await fresh(String(workers));
      const rate = await measureCycles(db, template, workers, options.seconds);
      await db.dropDatabase();
      cyclesPerSecond.set(workers, rate);
      options.progress(`mongod alone, ${workers} workers: ${Math.round(rate)} job cycles/s`);
    }
    return { loopMs, cyclesPerSecond, insertsPerSecond };
  } finally {
    await api.close();
    await stack.stop();
  }
}

/** The rows that say what the machine is. */
export function calibrationRows({ loopMs, cyclesPerSecond, insertsPerSecond }: Calibration): readonly Row[] {
  return [
    { name: 'machine: fixed loop', value: loopMs, unit: 'ms' },
    { name: 'machine: mongod alone, inserts', value: insertsPerSecond, unit: 'jobs/s' },
    ...[...cyclesPerSecond].map(([workers, value]) => ({
      name: `machine: mongod alone, grouped updates of ${workers} workers`,
      value,
      unit: 'lives/s',
    })),
  ];
}

/** A job as core stores it. */
async function storedJob(api: ReturnType<typeof connectApi>, core: Db): Promise<JobDocument> {
  const requirements = { cores: 1, memoryMiB: 100, diskMiB: 10, walltimeSeconds: 600 };
  const jobs = [{ name: 'life', requirements, payload: { command: 'true' } }];
  const input = { experiment: benchExperiment, idempotencyKey: 'calibration', jobs };
  const { submitJobs } = await api.post<{ submitJobs: { jobs: readonly { id: string }[] } }>(
    'mutation Calibrate($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } } }',
    { input },
  );
  const found = await collection(core, jobsCollection).findOne({ _id: submitJobs.jobs[0]?.id ?? '' });
  if (!found) throw new Error('the job for the calibration was not stored');
  return found;
}

let made = 0;

/** Copies of a job, ready to run. */
function copies(template: JobDocument, count: number): JobDocument[] {
  return Array.from({ length: count }, () => {
    made += 1;
    return { ...template, _id: `job_calibration${String(made).padStart(11, '0')}`, state: 'ACTIVATED' };
  });
}

async function measureInserts(db: Db, template: JobDocument, seconds: number): Promise<number> {
  const jobs = collection(db, jobsCollection);
  let inserted = 0;
  const started = performance.now();
  const connection = async () => {
    while (performance.now() - started < seconds * 1000) {
      await jobs.insertMany(copies(template, 1000), { ordered: false, writeConcern: { w: 'majority' } });
      inserted += 1000;
    }
  };
  await Promise.all(Array.from({ length: 4 }, connection));
  return inserted / ((performance.now() - started) / 1000);
}

/** The three transitions of a job's life cycle in groups, with a change stream reading them. */
async function measureCycles(
  db: Db,
  template: JobDocument,
  workers: number,
  seconds: number,
): Promise<number> {
  const jobs = collection(db, jobsCollection);
  const backlog = copies(template, 60_000);
  for (let at = 0; at < backlog.length; at += 5000)
    await jobs.insertMany(backlog.slice(at, at + 5000), { ordered: false });
  const ids = backlog.map(({ _id }) => _id);
  const store = transitionStore(jobs);
  const changes = jobs.watch([
    { $project: { 'documentKey._id': 1, 'updateDescription.updatedFields.last': 1 } },
  ]);
  let read = 0;
  // The first batch, empty or not, brings the first resume token: the stream is open.
  const opened = once(changes, 'resumeTokenChanged');
  changes.on('change', () => (read += 1));
  await opened;
  let finished = 0;
  const started = performance.now();
  const lane = async (worker: string) => {
    while (performance.now() - started < seconds * 1000 && ids.length > 0) {
      const written = await cycle(store, worker, ids.splice(-groupSize));
      finished += written;
    }
  };
  const lanes = Math.min(workers * groupsInFlight, 64);
  await Promise.all(Array.from({ length: lanes }, (_, i) => lane(`worker_${i}`)));
  const elapsed = (performance.now() - started) / 1000;
  if (read === 0) await once(changes, 'change');
  await changes.close();
  return finished / elapsed;
}

let fence = 1_000_000;

/** Writes the transitions of a group one after the other; resolves to the number of jobs that finished. */
async function cycle(store: TransitionStore, workerId: string, ids: readonly string[]): Promise<number> {
  const fences = new Map(ids.map((id) => [id, (fence += 8)]));
  const grant = (jobId: string) => ({
    workerId,
    queueId: 'queue_calibration',
    queue: 'bench',
    fence: fences.get(jobId) ?? 0,
    attemptId: `attempt_${jobId}`,
    deviceIds: [],
  });
  const step = (one: (jobId: string) => TransitionRequest) => write(store, ids.map(one));
  await step((jobId) => ({
    jobId,
    from: 'ACTIVATED',
    to: 'SENT',
    by: 'broker',
    actor: 'system:broker',
    change: { grant: grant(jobId) },
  }));
  const report = { by: 'worker', actor: 'pilot:bench' } as const;
  await step((jobId) => ({ ...report, jobId, from: 'SENT', to: 'RUNNING', fence: fences.get(jobId) ?? 0 }));
  return step((jobId) => ({
    ...report,
    jobId,
    from: 'RUNNING',
    to: 'FINISHED',
    fence: fences.get(jobId) ?? 0,
    change: { attemptEnd: { exitCode: 0 } },
  }));
}

async function write(store: TransitionStore, requests: readonly TransitionRequest[]): Promise<number> {
  const [first] = requests;
  if (!first) return 0;
  const group = { edge: edgeOf(first), shape: shapeOf(first), requests, at: new Date() };
  const written = await store.write(group);
  if (written !== requests.length)
    throw new Error(`the store took ${written} of ${requests.length} transitions to ${first.to}`);
  return written;
}
