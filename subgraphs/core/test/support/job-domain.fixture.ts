/**
 * For tests: the domain of jobs and tasks on a real store and its real event stream; the test chooses the
 * leader.
 */
import type { CurrentRights } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { leftovers, testDatabase, testPrincipal, type TestDatabase, waitFor } from '@rhizome/testkit';
import { eventCollections, eventStores } from '../../src/composition/event-stores.repository.js';
import { EventsService } from '../../src/events/events.service.js';
import type { ExperimentFacts, JobEventStream, SubmissionConsents } from '../../src/jobs/ports.js';
import { createJobDomain, type JobDomainOptions, type JobDomain } from '../../src/composition/job-domain.js';
import { datasetStores } from '../../src/composition/datasets/dataset-stores.repository.js';
import { datasetCollections } from '../../src/datasets/dataset-collections.js';
import { TaskFiles } from '../../src/tasks/files/task-files.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { jobCollections, jobStores, type JobStores } from '../../src/composition/job-stores.repository.js';
import type { JobSpec } from '../../src/jobs/submit/submit.types.js';
import { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import type {
  AttemptEndChange,
  TransitionRequest,
  TransitionWriter,
} from '../../src/jobs/transitions/transition.types.js';
import type { LeaderWork } from '../../src/shared/leader-task.js';
import { tasksCollection, type TaskDocument, type TaskFacts } from '../../src/tasks/task.document.js';
import type { TaskSpec } from '../../src/tasks/task-spec.types.js';
import { recordedDomain, recordedWriter } from './recorded.fixture.js';

/** A leader under control of the test. */
export class TestLeader implements LeaderWork {
  readonly #works = new Set<(signal: AbortSignal) => void>();
  #term: AbortController | undefined;

  onGained(work: (signal: AbortSignal) => void): () => void {
    this.#works.add(work);
    if (this.#term) work(this.#term.signal);
    return () => this.#works.delete(work);
  }

  gain(): void {
    this.#term = new AbortController();
    for (const work of this.#works) work(this.#term.signal);
  }

  lose(): void {
    this.#term?.abort();
    this.#term = undefined;
  }
}

/** One core process, reduced to jobs and tasks. */
export interface TestProcess {
  readonly domain: JobDomain;
  readonly stores: JobStores;
  readonly writer: TransitionWriter;
  readonly leader: TestLeader;
  stop(): Promise<void>;
}

/** A store and the data shared by the processes on it. */
export interface TestDomain {
  readonly db: TestDatabase;
  /** Registered experiments; a test may add more. */
  readonly experiments: Map<string, ExperimentFacts>;
  /** Starts another process. */
  process(over?: ProcessOptions): Promise<TestProcess>;
  read(id: string): Promise<JobDocument>;
  findTask(id: string): Promise<TaskDocument | null>;
  /** Resolves when a task is in a state. */
  untilTask(id: string, state: TaskDocument['state']): Promise<unknown>;
}

/** Options of a process. */
export interface ProcessOptions {
  readonly stores?: (stores: JobStores) => JobStores;
  readonly rights?: CurrentRights;
  /** Everybody consents unless given. */
  readonly consents?: SubmissionConsents;
  readonly stepSize?: number;
  readonly upkeepMs?: number;
  readonly quotas?: JobDomainOptions['quotas'];
  /** True if it leads at once, as by default. */
  readonly leads?: boolean;
  /** Event stream instead of the given one. */
  readonly stream?: (stream: JobEventStream) => JobEventStream;
}

/** The caller in tests. */
export const someone = testPrincipal({
  subject: 'someone@example',
  grants: { alpha: ['USER'], beta: ['USER'] },
});

/** Limit of waits in tests. */
export const deadline = { deadlineMs: 60_000 };

let keys = 0;

/** An idempotency key that no other call of the test file has. */
export const freshKey = (): string => `key ${(keys += 1)}`;

/** Ids of submitted jobs; empty for refused ones. */
export const idsOf = (jobs: readonly ({ readonly _id: string } | null)[]): string[] =>
  jobs.map((job) => job?._id ?? '');

/** Creates a store with the experiments "alpha" and "beta". */
export async function testDomain(name: string): Promise<TestDomain> {
  const db = await testDatabase(name);
  await ensureCollections(db, [...jobCollections, ...eventCollections, ...datasetCollections]);
  const facts = ['alpha', 'beta'].map(
    (experiment) =>
      [experiment, { name: experiment, shares: [`${experiment}/default`, `${experiment}/other`] }] as const,
  );
  const experiments = new Map<string, ExperimentFacts>(facts);
  let serial = 0;
  // What is committed, as commands read it: a process may read an earlier state than the node has.
  const readConcern = { level: 'majority' } as const;
  const findTask = (id: string) => collection(db, tasksCollection).findOne({ _id: id }, { readConcern });
  return {
    db,
    experiments,
    process: (over = {}) => startProcess(db, experiments, `process ${(serial += 1)}`, over),
    async read(id) {
      const found = await collection(db, jobsCollection).findOne({ _id: id });
      if (!found) throw new Error(`Job "${id}" not found.`);
      return found;
    },
    findTask,
    untilTask: (id, state) =>
      waitFor(`task ${id} to be ${state}`, async () => (await findTask(id))?.state === state, deadline),
  };
}

async function startProcess(
  db: TestDatabase,
  experiments: ReadonlyMap<string, ExperimentFacts>,
  processId: string,
  over: ProcessOptions,
): Promise<TestProcess> {
  const log = silentLogger();
  const ids = createIds();
  const plain = jobStores(db);
  const stores = over.stores ? over.stores(plain) : plain;
  const writer = recordedWriter(
    db,
    new GroupingTransitionWriter({ store: stores.transitions, clock: systemClock, log }),
  );
  const leader = new TestLeader();
  const events = new EventsService({
    stores: eventStores(db, ['tasks']),
    clock: systemClock,
    ids,
    log,
    config: { ringSize: 10_000, bufferSize: 1000, countsSaveMs: 60_000 },
    readJobs: (all) => stores.jobs.find(all),
  });
  await events.start();
  const domain = createJobDomain({
    files: new TaskFiles({ ...datasetStores(db), storages: async () => [], clock: systemClock }),
    stores,
    writer,
    experiments: {
      find: async (name) => experiments.get(name) ?? null,
      names: async () => [...experiments.keys()],
    },
    queues: {
      idOf: async (name) => (name === 'main' ? 'queue_1' : null),
      boundsOf: async (name) => (name === 'main' ? { maxMemoryMiB: 64_000 } : null),
      admitted: async (names) => new Set(names.filter((name) => name === 'main')),
      admitting: () => ['main'],
    },
    secrets: { usable: async (_principal, _jobs, named) => named.map(() => null) },
    consents: over.consents ?? { allows: async () => true, secretNames: async () => [] },
    access: { allows: () => false },
    checkSelector: (text) => (text.includes('bad') ? { message: 'a CEL condition' } : { ok: true }),
    stream: over.stream?.(events) ?? events,
    leader,
    liveCounts: (taskId) => events.counts.ofTask(taskId),
    processId,
    clock: systemClock,
    ids,
    log,
    rights: over.rights,
    ...(over.stepSize === undefined ? {} : { stepSize: over.stepSize }),
    quotas: over.quotas,
    ...(over.upkeepMs === undefined ? {} : { upkeepMs: over.upkeepMs }),
  });
  domain.start();
  if (over.leads ?? true) leader.gain();
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    leader.lose();
    await domain.stop();
    await writer.close();
    await events.stop();
  };
  const process = {
    ...{ domain: recordedDomain(db, domain), stores, writer, leader },
    stop: () => (stopped ??= stop()),
  };
  return leftovers.use(process, processId);
}

/** A job to submit. */
export function aSpec(over: Partial<JobSpec> = {}): JobSpec {
  return { name: 'a job', payload: { command: 'true' }, ...over };
}

/** Submits a task. @throws Error if it is refused */
export async function submitTask(on: TestProcess, spec: TaskSpec, principal = someone): Promise<TaskFacts> {
  const result = await on.domain.tasks.submit(principal, spec);
  if ('refusals' in result) throw new Error(JSON.stringify(result.refusals));
  return result.task;
}

let fence = 8;

/** Takes jobs through their whole life cycle, to FINISHED or to FAILED. */
export async function live(
  writer: TransitionWriter,
  ids: readonly string[],
  end: 'FINISHED' | 'FAILED' = 'FINISHED',
  more: Omit<AttemptEndChange, 'exitCode'> = {},
): Promise<void> {
  const lives = ids.map((jobId) => {
    fence += 8;
    const word = { jobId, by: 'worker', actor: 'pilot:main', fence } as const;
    const grant = {
      workerId: 'worker_1',
      queueId: 'queue_1',
      queue: 'main',
      fence,
      attemptId: `attempt_${fence}`,
      deviceIds: [],
    };
    return [
      { jobId, from: 'ACTIVATED', to: 'SENT', by: 'broker', actor: 'system:broker', change: { grant } },
      { ...word, from: 'SENT', to: 'RUNNING' },
      {
        ...word,
        from: 'RUNNING',
        to: end,
        change: { attemptEnd: { exitCode: end === 'FINISHED' ? 0 : 1, ...more } },
      },
    ] satisfies TransitionRequest[];
  });
  for (let step = 0; step < 3; step += 1) {
    const outcomes = await writer.apply(lives.flatMap((life) => life[step] ?? []));
    const refused = outcomes.find(({ applied }) => !applied);
    if (refused) throw new Error(`a step of ${refused.jobId} was refused: ${JSON.stringify(refused)}`);
  }
}
