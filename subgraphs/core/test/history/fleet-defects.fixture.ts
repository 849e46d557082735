/** A story of workers that return or are lost, with faults built into leases, ledger and streams. */
import { leftovers, manualClock, recordAnswer, type TestDatabase, waitFor } from '@rhizome/testkit';
import { timeOf } from '../../src/shared/store-time.js';
import type { StatedContinuity } from '../../src/shared/continuity.js';
import type { TransitionStore } from '../../src/jobs/transitions/transitions.repository.js';
import type { StreamedJobEvent } from '../../src/events/feed/job-event.js';
import { eventsDatabase, startEvents, TestJobs } from '../support/events.fixture.js';
import { instead } from '../support/instead.fixture.js';

import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';
import { aGpu } from '../support/scheduler.fixture.js';
import { TestSubscriber } from '../support/subscribers.fixture.js';
import type { Defect } from './defect.types.js';

const device = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';
const stops: StatedContinuity = { continueSeconds: 0, reassignAfterSeconds: 0 };
const short: StatedContinuity = { continueSeconds: 1000, reassignAfterSeconds: 100 };

/** Faults of the story. */
interface FleetFaults {
  readonly transitions?: (store: TransitionStore) => TransitionStore;
  /** Called before the first grant. */
  readonly prepare?: (fleet: TestFleet) => unknown;
  /** Called after each grant. */
  readonly afterGrant?: (fleet: TestFleet, jobId: string, fence: number) => unknown;
  /** True if the last job gets a device that another one has; otherwise it waits without success. */
  readonly grantsTwice?: boolean;
}

/** Runs the story: two workers have a device of one host, and two others are lost. */
export async function fleetStory({
  transitions,
  prepare,
  afterGrant,
  grantsTwice = false,
}: FleetFaults = {}): Promise<TestDatabase> {
  const db = await fleetDatabase();
  const clock = manualClock();
  const times = { clock, storeTime: timeOf(clock), leaseScanMs: 3_600_000, brokerRenewMs: 3_600_000 };
  const fleet = await startFleet(db, { ...times, ...(transitions ? { transitions } : {}) });
  await waitFor('the broker leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
  prepare?.(fleet);
  const run = async (
    continuity: StatedContinuity,
    devices: readonly string[] = [],
    waitSeconds = 60,
  ): Promise<TestWorker> => {
    const worker = await TestWorker.register(fleet, { devices });
    const gpu = devices.length > 0 ? { gpu: aGpu() } : {};
    await submitJobs(db, 1, { requirements: { continuity, ...gpu } });
    const grants = await worker.acquire(1, { waitSeconds, freeDeviceIds: devices });
    for (const { jobId, fence } of grants) afterGrant?.(fleet, jobId, fence);
    await worker.start(grants);
    return worker;
  };
  await run(short, [device]);
  await run(stops);
  for (let passed = 0; passed < 140; passed += 2) {
    clock.advance(2000);
    await fleet.leadership.step();
    if (passed === 32 || passed === 136) await fleet.leaseWatch.scan();
  }
  await run(stops, [device], grantsTwice ? 60 : 1);
  await fleet.stop();
  return db;
}

const isFrom = (actor: string, { requests }: Parameters<TransitionStore['write']>[0]): boolean =>
  requests.some((request) => request.actor === actor);

const leases: readonly Defect[] = [
  {
    name: 'forgets the devices of a job',
    check: 'devices-are-booked-once',
    run: () =>
      fleetStory({
        grantsTwice: true,
        prepare: ({ services: { cache } }) => {
          const { ledger } = cache;
          const add = ledger.add.bind(ledger);
          ledger.add = (entry) => add({ ...entry, deviceIds: [] });
        },
      }),
  },
  {
    name: 'removes a lost worker and leaves it its jobs',
    check: 'gone-workers-hold-nothing',
    run: () =>
      fleetStory({
        transitions: (store) => ({
          read: (ids) => store.read(ids),
          write: async (group) =>
            isFrom('system:lease', group) ? group.requests.length : store.write(group),
        }),
      }),
  },
  {
    name: 'gives up a payload that may go on',
    check: 'payloads-may-go-on',
    run: () =>
      fleetStory({
        transitions: (store) => ({
          read: (ids) => store.read(ids),
          write: (group) => store.write({ ...group, shape: { ...group.shape, losesContact: false } }),
        }),
      }),
  },
  {
    name: 'orders a worker to drop the job that it has',
    check: 'holders-keep-their-jobs',
    run: () => {
      const afterGrant = (fleet: TestFleet, jobId: string, fence: number): void => {
        const workerId = fleet.services.cache.ledger.get(jobId)?.workerId ?? '';
        recordAnswer(fleet.db, { kind: 'DROP', workerId, jobId, fence });
      };
      return fleetStory({ afterGrant });
    },
  },
];

/**
 * Jobs run while a subscriber reads, and their counts are stored.
 * @param deliver how often the event with this position is delivered
 */
export async function streamStory(deliver: (position: number) => number = () => 1): Promise<TestDatabase> {
  const db = await eventsDatabase();
  let position = 0;
  const repeated = (events: readonly StreamedJobEvent[]): readonly StreamedJobEvent[] =>
    events.flatMap((event) => {
      const times = deliver((position += 1));
      // A stream leaves out what it has delivered before, which it knows by the token.
      return Array.from({ length: times }, (_, index) => ({
        ...event,
        token: event.token + '00'.repeat(index),
      }));
    });
  const { events } = await startEvents(db, { countsSaveMs: 3_600_000 }, (stores) => ({
    ...stores,
    feed: instead(stores.feed, {
      async *read(request) {
        for await (const batch of stores.feed.read(request))
          yield { ...batch, events: repeated(batch.events) };
      },
    }),
  }));
  const jobs = leftovers.use(new TestJobs(db), 'the jobs of a story');
  const subscriber = await new TestSubscriber(db, events).opened();
  const ids = await jobs.submit(3);
  await jobs.run(ids);
  const positions = Array.from({ length: 12 }, (_, index) => index + 1);
  await subscriber.until(positions.reduce((sum, one) => sum + deliver(one), 0));
  await subscriber.close();
  await events.counts.save(1);
  return db;
}

const streams: readonly Defect[] = [
  {
    name: 'leaves an event out of a stream',
    check: 'subscribers-miss-nothing',
    run: () => streamStory((position) => (position === 5 ? 0 : 1)),
  },
  {
    name: 'delivers an event of a stream twice',
    check: 'subscribers-miss-nothing',
    run: () => streamStory((position) => (position === 5 ? 2 : 1)),
  },
  {
    name: 'counts an event twice',
    check: 'counts-match-events',
    run: () => streamStory((position) => (position === 5 ? 2 : 1)),
  },
];

/** All of them. */
export const fleetDefects: readonly Defect[] = [...leases, ...streams];
