// Jobs without GPUs and hosts with GPUs, where those without are there and merely do not ask at the moment.
import { beforeEach, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import type { TestDatabase } from '@rhizome/testkit';
import { idleWindowMs } from '../../src/scheduler/placement/recently-idle-hosts.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';

let db: TestDatabase;
let fleet: TestFleet;
let plain: TestWorker;
let withGpus: TestWorker;
/** Moved on by the test alone, so that it does not matter how long the machine takes. */
let nowMs: number;

beforeEach(async () => {
  db = await fleetDatabase();
  nowMs = 1000;
  fleet = await startFleet(db, { clock: { now: () => systemClock.now(), monotonicMs: () => nowMs } });
  plain = await TestWorker.register(fleet, { name: 'plain', cores: 4 });
  withGpus = await TestWorker.register(fleet, { name: 'gpus', cores: 4, devices: ['GPU-1'] });
});

it('fills the hosts without GPUs first when both kinds of hosts wait', async () => {
  const leaving = new AbortController();
  const other = withGpus.acquire(4, { waitSeconds: 60, freeDeviceIds: ['GPU-1'], signal: leaving.signal });
  const got = plain.acquireInAll(3);
  await submitJobs(db, 3);
  expect(await got).toHaveLength(3);
  leaving.abort();
  expect(await other).toEqual([]);
});

it('prefers a host that was answered recently, and uses a host with GPUs when that host does not ask', async () => {
  await submitJobs(db, 1);
  expect(await plain.acquireInAll(1)).toHaveLength(1);
  const other = withGpus.acquire(4, { waitSeconds: 60, freeDeviceIds: ['GPU-1'] });
  const [kept = ''] = await submitJobs(db, 1);
  // It asks now, and is answered at once or when the event has come.
  expect((await plain.acquire(1, { waitSeconds: 60 })).map(({ jobId }) => jobId)).toEqual([kept]);
  const [last = ''] = await submitJobs(db, 1);
  nowMs += idleWindowMs;
  expect((await other).map(({ jobId }) => jobId)).toEqual([last]);
});
