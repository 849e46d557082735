// Placement of jobs on reported devices, with a broker on a real store.
import { beforeEach, expect, it } from '@jest/globals';
import type { TestDatabase } from '@rhizome/testkit';
import { aGpu } from '../support/scheduler.fixture.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { aDeviceSpec, TestWorker } from '../support/test-worker.fixture.js';
import type { DeviceInput } from '../../src/workers/registration/device-input.js';

const uuid = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';
const oneGpu = { requirements: { gpu: aGpu() } };

let db: TestDatabase;
let fleet: TestFleet;

beforeEach(async () => {
  db = await fleetDatabase();
  fleet = await startFleet(db);
});

/** A worker on a host of its own. */
const onOwnHost = (name: string, devices: readonly DeviceInput[]): Promise<TestWorker> =>
  TestWorker.register(fleet, { name, host: name, devices });

it('gives a GPU that two pilots of one host see to one after the other', async () => {
  const [one, other] = await Promise.all([
    TestWorker.register(fleet, { devices: [uuid] }),
    TestWorker.register(fleet, { devices: [uuid] }),
  ]);
  await submitJobs(db, 2, oneGpu);
  const first = await one.acquireInAll(1, { freeDeviceIds: [uuid] });
  expect(first).toHaveLength(1);
  // It does not know of the other's job, and offers the device.
  expect(await other.acquire(1, { freeDeviceIds: [uuid] })).toEqual([]);
  const next = other.acquireInAll(1, { freeDeviceIds: [uuid] });
  await one.start(first);
  await one.finish(first);
  expect((await next).map(({ deviceIds }) => deviceIds)).toEqual([[uuid]]);
});

it('gives a pilot that took over from another its GPU once the job of the other was revoked', async () => {
  const before = await TestWorker.register(fleet, { name: 'agent', devices: [uuid] });
  await submitJobs(db, 1, oneGpu);
  const [lost] = await before.acquireInAll(1, { freeDeviceIds: [uuid] });
  const after = await TestWorker.register(fleet, { name: 'agent', devices: [uuid] });
  // Whenever it gets it: the checker of histories looks whether both had it at a time.
  const [again] = await after.acquireInAll(1, { freeDeviceIds: [uuid] });
  expect(again).toMatchObject({ jobId: lost?.jobId, attempt: 2, deviceIds: [uuid] });
});

it('gives a job to the worker that meets its preferences, and records what the worker met', async () => {
  const small = await onOwnHost('small', [aDeviceSpec('t4', { model: 'Tesla T4', memoryMiB: 15_360 })]);
  const h100 = { model: 'NVIDIA H100 80GB HBM3', memoryMiB: 81_559 };
  const large = await onOwnHost('large', [aDeviceSpec('h1', h100)]);
  const asking = [
    small.acquire(1, { waitSeconds: 60, freeDeviceIds: ['t4'] }),
    large.acquire(1, { waitSeconds: 60, freeDeviceIds: ['h1'] }),
  ] as const;
  const preferences = [
    { expression: 'worker.devices.exists(d, d.model.startsWith("NVIDIA H100"))', weight: 3 },
    { expression: 'queue.site == "nowhere"', weight: 1 },
  ];
  const [wanted = ''] = await submitJobs(db, 1, { requirements: { gpu: aGpu(), preferences } });
  expect((await asking[1]).map(({ jobId }) => jobId)).toEqual([wanted]);
  const [job] = await storedJobs(db, [wanted]);
  expect(job?.attempts).toMatchObject([{ preference: { score: 0.75, met: [0] } }]);
  const [plain = ''] = await submitJobs(db, 1, oneGpu);
  expect((await asking[0]).map(({ jobId }) => jobId)).toEqual([plain]);
  const [other] = await storedJobs(db, [plain]);
  expect(other?.attempts[0]).not.toHaveProperty('preference');
});

it('gives the smallest sufficient device on any host, and GPUs of one model where several are requested', async () => {
  const t4 = { model: 'Tesla T4', memoryMiB: 15_360 };
  const h100 = { model: 'NVIDIA H100 80GB HBM3', memoryMiB: 81_559 };
  const mixed = await onOwnHost('mixed', [aDeviceSpec('t4', t4), aDeviceSpec('h1', h100)]);
  const equal = await onOwnHost('equal', [aDeviceSpec('h2', h100), aDeviceSpec('h3', h100)]);
  const asking = [
    equal.acquire(2, { waitSeconds: 60, freeDeviceIds: ['h2', 'h3'] }),
    mixed.acquire(2, { waitSeconds: 60, freeDeviceIds: ['t4', 'h1'] }),
  ] as const;
  const [small = ''] = await submitJobs(db, 1, { requirements: { gpu: aGpu({ minMemoryMiB: 16_384 }) } });
  expect(await asking[1]).toMatchObject([{ jobId: small, deviceIds: ['t4'] }]);
  const again = mixed.acquire(1, { waitSeconds: 60, freeDeviceIds: ['h1'] });
  const [two = ''] = await submitJobs(db, 1, { requirements: { gpu: aGpu({ count: 2 }) } });
  const [got] = await asking[0];
  expect(got?.jobId).toBe(two);
  expect([...(got?.deviceIds ?? [])].sort()).toEqual(['h2', 'h3']);
  const [last = ''] = await submitJobs(db, 1, oneGpu);
  expect((await again).map(({ jobId }) => jobId)).toEqual([last]);
});

it('matches an unhealthy device no longer, while its job keeps it, and again when it is healthy', async () => {
  const worker = await TestWorker.register(fleet, { devices: [uuid] });
  await submitJobs(db, 2, oneGpu);
  const held = await worker.acquireInAll(1, { freeDeviceIds: [uuid] });
  await worker.start(held);
  await worker.heartbeat(held, [aDeviceSpec(uuid, { health: 'UNHEALTHY' })]);
  expect(
    (
      await storedJobs(
        db,
        held.map(({ jobId }) => jobId),
      )
    )[0],
  ).toMatchObject({
    state: 'RUNNING',
    attempts: [{ deviceIds: [uuid] }],
  });
  await worker.finish(held);
  // A pilot that has not noticed offers it still.
  expect(await worker.acquire(1, { freeDeviceIds: [uuid] })).toEqual([]);
  await worker.heartbeat([], [aDeviceSpec(uuid)]);
  expect(await worker.acquireInAll(1, { freeDeviceIds: [uuid] })).toHaveLength(1);
});
