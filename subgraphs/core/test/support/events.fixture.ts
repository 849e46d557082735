/** For tests: the event stream on a real store, and jobs moved by the real writer. */
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { leftovers, testDatabase, type TestDatabase } from '@rhizome/testkit';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { consumersCollection } from '../../src/jobs/transitions/consumer.document.js';
import type { JobState } from '../../src/jobs/model/job-state.js';
import type { JobDocument, StoredGpuGrant } from '../../src/jobs/model/job.types.js';
import { newJobDocument, type NewJob } from '../../src/jobs/model/new-job.js';
import { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import type { TransitionRequest } from '../../src/jobs/transitions/transition.types.js';
import { transitionStore } from '../../src/jobs/transitions/transitions.repository.js';
import { eventCollections, eventStores } from '../../src/composition/event-stores.repository.js';
import type { EventStores } from '../../src/events/event-stores.types.js';
import { EventsService, type EventsConfig } from '../../src/events/events.service.js';
import { recordedWriter } from './recorded.fixture.js';
import { lostTimesCollection } from '../../src/workers/adoption/lost-time.document.js';

/** Creates a database with the collections for events. */
export async function eventsDatabase(): Promise<TestDatabase> {
  const db = await testDatabase('events');
  await prepareDatabase(db);
  return db;
}

/** Creates the collections for events. */
export async function prepareDatabase(db: TestDatabase): Promise<void> {
  await ensureCollections(db, [
    jobsCollection,
    consumersCollection,
    lostTimesCollection,
    ...eventCollections,
  ]);
}

/**
 * Starts the event stream of a process; stopped at the end of the file, or before.
 * @param changed replaces repositories of the stream
 */
export async function startEvents(
  db: TestDatabase,
  config: Partial<EventsConfig> = {},
  changed: (stores: EventStores) => EventStores = (stores) => stores,
): Promise<{ readonly events: EventsService; stop(): Promise<void> }> {
  const jobs = collection(db, jobsCollection);
  const events = new EventsService({
    stores: changed(eventStores(db, ['tasks', 'queues'])),
    clock: systemClock,
    ids: createIds(),
    log: silentLogger(),
    config: { ringSize: 1000, bufferSize: 100, countsSaveMs: 50, ...config },
    readJobs: (ids, projection) => jobs.find({ _id: { $in: [...ids] } }, { projection }).toArray(),
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= events.stop());
  leftovers.defer('an event stream', stop);
  await events.start();
  return { events, stop };
}

/** Creates jobs and moves them. */
export class TestJobs {
  readonly #db: TestDatabase;
  readonly #writer: GroupingTransitionWriter;
  readonly #ids = createIds();
  #fence = 8;

  constructor(db: TestDatabase) {
    this.#db = db;
    const store = transitionStore(collection(db, jobsCollection));
    const log = silentLogger();
    this.#writer = recordedWriter(db, new GroupingTransitionWriter({ store, clock: systemClock, log }));
  }

  /** Inserts jobs; returns their ids in order. */
  async submit(count: number, change: Partial<NewJob> = {}): Promise<string[]> {
    const now = systemClock.now();
    const documents = Array.from({ length: count }, () =>
      newJobDocument({ ...plainJob, createdAt: now, id: this.#ids.next('job'), ...change }, now),
    );
    await collection(this.#db, jobsCollection).insertMany(documents, { ordered: false });
    return documents.map(({ _id }) => _id);
  }

  /** Moves jobs over one edge; a grant assigns them to a queue. */
  async move(
    ids: readonly string[],
    from: JobState,
    to: JobState,
    change: Partial<TransitionRequest> = {},
    queue = 'north',
    gpu?: StoredGpuGrant,
  ): Promise<void> {
    const documents = await collection(this.#db, jobsCollection)
      .find({ _id: { $in: [...ids] } })
      .toArray();
    const fences = new Map(documents.map(({ _id, fence }) => [_id, fence]));
    const by = actorOf(from, to);
    const outcomes = await this.#writer.apply(
      ids.map((jobId) => ({
        jobId,
        from,
        to,
        by,
        actor: by === 'principal' ? 'user@example' : by === 'worker' ? 'pilot:north' : `system:${by}`,
        ...(by === 'worker' ? { fence: fences.get(jobId) ?? 0 } : {}),
        ...(to === 'SENT' ? { change: { grant: this.#grant(jobId, queue, gpu) } } : {}),
        ...change,
      })),
    );
    const refused = outcomes.filter(({ applied }) => !applied);
    if (refused.length > 0)
      throw new Error(`${refused.length} of ${ids.length} jobs did not go from ${from} to ${to}`);
  }

  /** Grants, starts and finishes jobs. */
  async run(ids: readonly string[], queue = 'north'): Promise<void> {
    await this.move(ids, 'ACTIVATED', 'SENT', {}, queue);
    await this.move(ids, 'SENT', 'RUNNING');
    await this.move(ids, 'RUNNING', 'FINISHED');
  }

  /** Closes the writer. */
  close(): Promise<void> {
    return this.#writer.close();
  }

  #grant(jobId: string, queue: string, gpu: StoredGpuGrant | undefined) {
    this.#fence += 8;
    return {
      workerId: 'worker_1',
      queueId: `queue_${queue}`,
      queue,
      host: `${queue}-host-${(this.#fence / 8) % 3}`,
      site: `${queue}-site`,
      fence: this.#fence,
      attemptId: `attempt_${jobId}_${this.#fence}`,
      deviceIds: [],
      ...(gpu ? { gpu } : {}),
    };
  }
}

function actorOf(from: JobState, to: JobState): TransitionRequest['by'] {
  if (to === 'SENT') return 'broker';
  if (to === 'CANCELLED') return 'principal';
  return from === 'PENDING' || to === 'PENDING' ? 'principal' : 'worker';
}

const plainJob: Omit<NewJob, 'id' | 'createdAt'> = {
  experiment: 'alpha',
  name: 'job',
  owner: 'user@example',
  share: 'alpha/default',
  priority: 0,
  labels: [],
  requirements: { cores: 1, memoryMiB: 1, diskMiB: 0, walltimeSeconds: 1, network: false },
  classId: 'class_1',
  payload: { command: 'true', arguments: [], environment: [], inputs: [], outputs: [] },
  retry: { maxAttempts: 20, backoffSeconds: 0, backoffFactor: 2, retryOn: ['LIMIT', 'PAYLOAD', 'WORKER'] },
  dependsOn: [],
  waitingFor: [],
};

/** Counts computed from the store, for comparison: sorted text lines. */
export async function countedByScan(db: TestDatabase): Promise<string[]> {
  const jobs = await collection<JobDocument>(db, jobsCollection).find().toArray();
  const counts = new Map<string, { jobs: number; gpus: number }>();
  for (const { experiment, queue, gpu, share, state } of jobs) {
    const key = `${experiment} ${queue ?? '-'} ${gpu?.model ?? '-'} ${share} ${state}`;
    const { jobs: before, gpus } = counts.get(key) ?? { jobs: 0, gpus: 0 };
    counts.set(key, { jobs: before + 1, gpus: gpus + (gpu?.count ?? 0) });
  }
  return [...counts].map(([key, { jobs: number, gpus }]) => `${key} ${number} ${gpus}`).sort();
}

/** Counts kept by a process, in the same form. */
export function countedByEvents({ counts }: EventsService): string[] {
  return counts.jobs
    .rows()
    .map(
      ({ experiment, queue, gpuModel, share, state, count, gpus }) =>
        `${experiment} ${queue ?? '-'} ${gpuModel ?? '-'} ${share} ${state} ${count} ${gpus}`,
    )
    .sort();
}
