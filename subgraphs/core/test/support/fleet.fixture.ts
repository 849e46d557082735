/** For tests: core processes with scheduler and workers on a real store. */
import { silentLogger } from '@rhizome/log';
import { type Clock, createIds, systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { leftovers, testDatabase, type TestDatabase } from '@rhizome/testkit';
import { recordedWriter } from './recorded.fixture.js';
import { aQueue } from './scheduler.fixture.js';
import type { StoreTime } from '../../src/shared/store-time.js';
import { eventCollections, eventStores } from '../../src/composition/event-stores.repository.js';
import { EventsService } from '../../src/events/events.service.js';
import { jobProgressCollection } from '../../src/jobs/checkpoints/job-progress.document.js';
import { JobProgressRepository } from '../../src/jobs/checkpoints/job-progress.repository.js';
import { PlannedEnds } from '../../src/jobs/checkpoints/planned-ends.js';
import { ClassesRepository } from '../../src/jobs/model/requirement-classes.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { jobLogHeadsCollection, jobLogsCollection } from '../../src/jobs/logs/job-log.document.js';
import { JobLogsRepository } from '../../src/jobs/logs/job-logs.repository.js';
import { requirementClassesCollection } from '../../src/jobs/model/requirement-class.document.js';
import { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import { type TransitionStore, transitionStore } from '../../src/jobs/transitions/transitions.repository.js';
import { buildFleet, fleetCollections, type FleetModule } from '../../src/composition/fleet.module.js';
import { type AmountOffers, FailurePolicies, type RuleEffects } from '../../src/policies/failure-policies.js';
import { policyBooks } from '../../src/policies/policy-book.js';
import type { PolicyDocument } from '../../src/policies/policy.document.js';
import type { LeaseClockLimits } from '../../src/workers/lease-clock/lease-clock.js';
import type { QueueFacts } from '../../src/queues/queue-facts.types.js';
import type { ShareFacts } from '../../src/shares/share-facts.types.js';

/** Creates a database with the collections for the fleet. */
export async function fleetDatabase(): Promise<TestDatabase> {
  const db = await testDatabase('fleet');
  await prepareFleet(db);
  return db;
}

/** Creates the collections for the fleet. */
export async function prepareFleet(db: TestDatabase): Promise<void> {
  await ensureCollections(db, [
    jobsCollection,
    requirementClassesCollection,
    jobLogsCollection,
    jobLogHeadsCollection,
    ...eventCollections,
    ...fleetCollections,
  ]);
}

/** Options of a core process. */
export interface FleetSetup {
  readonly clock?: Clock;
  readonly storeTime?: StoreTime;
  readonly queues?: QueueFacts[];
  readonly shares?: ShareFacts[];
  /** Policies by id. */
  readonly policies?: ReadonlyMap<string, PolicyDocument>;
  readonly url?: string;
  readonly graceMs?: number;
  readonly leaseScanMs?: number;
  readonly leaseClock?: Partial<LeaseClockLimits>;
  readonly brokerTtlMs?: number;
  readonly brokerRenewMs?: number;
  /** Wraps the store of transitions. */
  readonly transitions?: (store: TransitionStore) => TransitionStore;
}

/** One core process, reduced to scheduler and workers. */
export interface TestFleet extends FleetModule {
  readonly db: TestDatabase;
  readonly writer: GroupingTransitionWriter;
  /** Changed in place by tests. */
  readonly queues: QueueFacts[];
  readonly shares: ShareFacts[];
}

/** Starts a process; stopped at the end of the file, or before. */
export async function startFleet(db: TestDatabase, setup: FleetSetup = {}): Promise<TestFleet> {
  const {
    clock = systemClock,
    queues = [aQueue({})],
    shares = [],
    policies = new Map<string, PolicyDocument>(),
    storeTime,
    url,
    transitions,
    ...rest
  } = setup;
  // On a busy machine the leader may be slow; most tests do not depend on that.
  // No gateway runs, and a clock that the test moves jumps further than the leader's checks allow.
  const withoutPauses = { needsGateway: false, checkMs: Infinity, stallMs: Infinity };
  const patience = { brokerTtlMs: 60_000, ...rest, leaseClock: { ...withoutPauses, ...rest.leaseClock } };
  const log = silentLogger();
  const ids = createIds();
  const jobs = collection(db, jobsCollection);
  const plain = transitionStore(jobs);
  const writer = new GroupingTransitionWriter({ store: transitions?.(plain) ?? plain, clock, log });
  const events = new EventsService({
    stores: eventStores(db, ['workers']),
    clock,
    ids,
    log,
    config: { ringSize: 1000, bufferSize: 100, countsSaveMs: 1000 },
    readJobs: (wanted) => jobs.find({ _id: { $in: [...wanted] } }).toArray(),
  });
  const named = (names: readonly string[]) =>
    names.map((wanted) => queues.find(({ name }) => name === wanted));
  const fleet: FleetModule = buildFleet({
    db,
    clock,
    ids,
    log,
    writer,
    feed: events,
    policies: failurePolicies(db, clock, policies, { of: (job) => fleet.offers.of(job) }),
    secrets: { reveal: async () => [] },
    consents: { secretNames: async () => [] },
    queues: () => queues,
    queueLookup: {
      byNames: async (names) => named(names),
      freshByNames: async (names) => named(names),
      allFresh: async () => queues,
    },
    rereadDirectories: async () => undefined,
    shares: () => shares,
    url: () => url,
    ...(storeTime ? { storeTime } : {}),
    ...patience,
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      await fleet.stop();
      await events.stop();
      await writer.close();
    })());
  leftovers.defer('a process of core', stop);
  await events.start();
  await fleet.start();
  return { ...fleet, db, writer: recordedWriter(db, writer), queues, shares, stop };
}

/** Decisions by some policies, on a real store. */
export function failurePolicies(
  db: TestDatabase,
  clock: Clock,
  policies: ReadonlyMap<string, PolicyDocument> = new Map(),
  offers: AmountOffers = { of: () => [] },
  effects: RuleEffects = { apply: async () => false },
): FailurePolicies {
  return new FailurePolicies({
    books: policyBooks({
      peek: (id) => policies.get(id)?.enabled,
      ofTasks: async (ids) => {
        const found = [...ids].map((id) => [id, policies.get(id)?.enabled] as const);
        return new Map(found.flatMap(([id, enabled]) => (enabled ? [[id, enabled] as const] : [])));
      },
    }),
    logs: new JobLogsRepository(collection(db, jobLogsCollection), collection(db, jobLogHeadsCollection)),
    classes: new ClassesRepository(collection(db, requirementClassesCollection)),
    offers,
    plannedEnds: new PlannedEnds(new JobProgressRepository(collection(db, jobProgressCollection))),
    taskStates: () => ({ FINISHED: 6, FAILED: 4 }),
    effects,
    log: silentLogger(),
    clock,
  });
}
