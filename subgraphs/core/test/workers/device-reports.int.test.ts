/**
 * The latest report of a worker decides what is known of its devices, whichever process received it, and
 * whatever that process knew.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { collection, type CollectionDefinition, defineCollection, ensureCollections } from '@rhizome/mongo';
import { testDatabase, type TestDatabase, waitFor } from '@rhizome/testkit';
import { pausableDatabase, over } from '../support/paused-change-stream.fixture.js';
import { fleetDatabase, prepareFleet, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { pilotOf, TestWorker } from '../support/test-worker.fixture.js';
import { leasesCollection, workersCollection } from '../../src/workers/worker.document.js';
import { renameReportVersions } from '../../src/workers/report-versions.repository.js';
import type { DeviceInput } from '../../src/workers/registration/device-input.js';
import type { WorkerDocument } from '../../src/workers/worker.types.js';
import type { DeviceHealth } from '../../src/gpus/device.types.js';

let db: TestDatabase;
interface StoredVersions {
  readonly _id: string;
  readonly schemaVersion?: number;
  readonly reportVersions?: unknown;
}

/** A process that receives no notices of other writes, and can be paused before it writes workers. */
let paused: TestFleet;
let other: TestFleet;
let pause: () => () => void;
let hear: () => void = () => undefined;
const writes = heldWrites();

beforeAll(async () => {
  db = await fleetDatabase();
  const silent = pausableDatabase(db);
  pause = () => silent.pause();
  paused = await startFleet(writes.of(silent.db));
  other = await startFleet(db);
});

beforeEach(() => {
  hear = pause();
});

afterEach(() => {
  writes.goOn();
  hear();
});

/** Changes of workers that wait, as those of a process that stands still do. */
function heldWrites() {
  let silence: Promise<void> | undefined;
  let end: () => void = () => undefined;
  let waiting = 0;
  const of = (target: TestDatabase): TestDatabase =>
    over(target, {
      collection: (...call: Parameters<TestDatabase['collection']>) => {
        const found = target.collection(...call);
        if (call[0] !== workersCollection.name) return found;
        return over(found, {
          findOneAndUpdate: async (...args: Parameters<typeof found.findOneAndUpdate>) => {
            if (silence) waiting += 1;
            await silence;
            return found.findOneAndUpdate(...args);
          },
        });
      },
    });
  const hold = (): void => {
    waiting = 0;
    silence = new Promise((resolve) => (end = resolve));
  };
  const goOn = (): void => {
    silence = undefined;
    end();
  };
  return { of, hold, goOn, waiting: () => waiting };
}

const gpu = (id: string, health: DeviceHealth, more: Partial<DeviceInput> = {}): DeviceInput => ({
  id,
  vendor: 'NVIDIA',
  model: 'A100',
  health,
  ...more,
});

const report = async (
  at: TestFleet,
  workerId: string,
  devices: readonly DeviceInput[] | undefined,
  more: object = {},
): Promise<void> => {
  const { userErrors } = await at.services.workers.heartbeat(pilotOf('main'), { workerId, devices, ...more });
  expect(userErrors).toEqual([]);
};

const stored = async (id: string): Promise<WorkerDocument> => {
  const found = await collection(db, workersCollection).findOne({ _id: id });
  if (!found) throw new Error(`there is no worker ${id}`);
  return found;
};

const knownDevices = async (id: string): Promise<readonly string[]> =>
  (await stored(id)).devices.map((device) => `${device.id} ${device.health}`);

describe('a worker that reports to one process, then to another that does not know the first report', () => {
  it('keeps a device unhealthy that recovered and failed again', async () => {
    const { id } = await TestWorker.register(paused, { devices: ['GPU-1'] });
    await report(paused, id, [gpu('GPU-1', 'UNHEALTHY')]);
    await report(other, id, [gpu('GPU-1', 'HEALTHY')]);
    await report(paused, id, [gpu('GPU-1', 'UNHEALTHY')]);
    expect(await knownDevices(id)).toEqual(['GPU-1 UNHEALTHY']);
    expect((await paused.services.registry.find(id))?.devices[0]?.health).toBe('UNHEALTHY');
  });

  it('keeps devices that were removed and added again', async () => {
    const { id } = await TestWorker.register(paused, { devices: ['GPU-1', 'GPU-2'] });
    await report(other, id, [gpu('GPU-1', 'HEALTHY')]);
    await report(paused, id, [gpu('GPU-1', 'HEALTHY'), gpu('GPU-2', 'HEALTHY')]);
    expect(await knownDevices(id)).toEqual(['GPU-1 HEALTHY', 'GPU-2 HEALTHY']);
    await report(other, id, []);
    await report(paused, id, [gpu('GPU-1', 'HEALTHY'), gpu('GPU-2', 'HEALTHY')]);
    expect(await knownDevices(id)).toEqual(['GPU-1 HEALTHY', 'GPU-2 HEALTHY']);
  });

  it('keeps memory that was taken from the host and given back', async () => {
    const { id } = await TestWorker.register(paused, {});
    const hardware = (memoryMiB: number) => ({
      hardware: { architecture: 'x86_64', cores: 8, memoryMiB, diskMiB: 1_000_000 },
    });
    await report(other, id, undefined, hardware(500));
    await report(paused, id, undefined, hardware(1_000_000));
    expect((await stored(id)).hardware.memoryMiB).toBe(1_000_000);
  });

  it('keeps the last report, however often the health of a device changes', async () => {
    const { id } = await TestWorker.register(other, { devices: ['GPU-1'] });
    for (let turn = 0; turn < 40; turn += 1) {
      const health = turn % 2 === 0 ? 'UNHEALTHY' : 'HEALTHY';
      await report(turn % 3 === 0 ? paused : other, id, [gpu('GPU-1', health)]);
      expect(await knownDevices(id)).toEqual([`GPU-1 ${health}`]);
    }
  });
});

describe('a process that pauses between its read and its write', () => {
  it.each([
    ['what changed', 'UNHEALTHY', 'HEALTHY', 'UNKNOWN'],
    ['what was known before', 'HEALTHY', 'UNHEALTHY', 'HEALTHY'],
  ] as const)('does not overwrite %s since', async (_what, first, late, last) => {
    const { id } = await TestWorker.register(other, { devices: ['GPU-1'] });
    await report(paused, id, [gpu('GPU-1', first)]);
    writes.hold();
    const slow = report(paused, id, [gpu('GPU-1', late)]);
    await waitFor('it is about to write', () => writes.waiting() === 1, { deadlineMs: 60_000 });
    // The worker was not answered, and asks another.
    await report(other, id, [gpu('GPU-1', last)]);
    writes.goOn();
    await slow;
    expect(await knownDevices(id)).toEqual([`GPU-1 ${last}`]);
    expect((await paused.services.registry.find(id))?.devices[0]?.health).toBe(last);
  });
});

describe('a report that repeats what is known', () => {
  it('writes the lease alone, also where only use has changed', async () => {
    const { id } = await TestWorker.register(other, { devices: ['GPU-1'] });
    const before = await stored(id);
    await report(other, id, [gpu('GPU-1', 'HEALTHY', { utilisation: 0.5, memoryUsedMiB: 100 })]);
    await report(paused, id, [gpu('GPU-1', 'HEALTHY', { utilisation: 0.7, memoryUsedMiB: 90 })]);
    await report(other, id, undefined);
    const use = async () => (await collection(db, leasesCollection).findOne({ _id: id }))?.deviceUse;
    expect(await use()).toEqual([{ id: 'GPU-1', utilisation: 0.7, memoryUsedMiB: 90 }]);
    await report(paused, id, undefined, { deviceUse: [{ id: 'GPU-1', utilisation: 0.2 }] });
    expect(await use()).toEqual([{ id: 'GPU-1', utilisation: 0.2 }]);
    expect(await stored(id)).toEqual(before);
  });

  it('is accepted from a worker that registered before leases counted reports', async () => {
    const { id } = await TestWorker.register(other, { devices: ['GPU-1'] });
    await collection(db, leasesCollection).updateOne({ _id: id }, { $unset: { reportVersions: '' } });
    await collection(db, workersCollection).updateOne({ _id: id }, { $unset: { reportVersions: '' } });
    await report(other, id, [gpu('GPU-1', 'UNHEALTHY')]);
    await report(paused, id, [gpu('GPU-1', 'HEALTHY')]);
    expect(await knownDevices(id)).toEqual(['GPU-1 HEALTHY']);
  });
});

it('is accepted by a database that was made before reports were counted', async () => {
  const older = await testDatabase('fleet');
  const former = [workersCollection, leasesCollection].map(({ name, validator, indexes }) => {
    const { reportVersions: _versions, schemaVersion: _version, ...properties } = validator.properties;
    return defineCollection({ name, schemaVersion: 1, validator: { ...validator, properties }, indexes });
  });
  await ensureCollections(older, former);
  await prepareFleet(older);
  const fleet = await startFleet(older);
  const { id } = await TestWorker.register(fleet, { devices: ['GPU-1'] });
  await report(fleet, id, [gpu('GPU-1', 'UNHEALTHY')]);
  expect((await fleet.services.registry.find(id))?.devices[0]?.health).toBe('UNHEALTHY');
});

it('keeps its version if that was stored under the former name of the field', async () => {
  const { id } = await TestWorker.register(other, { devices: ['GPU-1'] });
  const name = ['to', 'ld'].join('');
  const older = await testDatabase('fleet');
  const former = [workersCollection, leasesCollection].map(({ name: collectionName, indexes, validator }) => {
    const { reportVersions = {}, schemaVersion: _version, ...rest } = validator.properties;
    const properties = { ...rest, [name]: reportVersions };
    const versioned = { name: collectionName, indexes, schemaVersion: 2 };
    return defineCollection({ ...versioned, validator: { ...validator, properties } });
  });
  await ensureCollections(older, former);
  const all = [workersCollection.name, leasesCollection.name];
  const read = (from: TestDatabase) =>
    Promise.all(all.map((one) => from.collection<StoredVersions>(one).findOne({ _id: id })));
  const present = await read(db);
  for (const [at, document] of present.entries()) {
    const { reportVersions, ...rest } = document ?? { _id: id };
    await older
      .collection<StoredVersions>(all[at] ?? '')
      .insertOne({ ...rest, schemaVersion: 2, [name]: reportVersions });
  }
  await ensureCollections(older, [workersCollection, leasesCollection] as readonly CollectionDefinition[]);
  await renameReportVersions(older);
  await renameReportVersions(older);
  expect(await read(older)).toEqual(present.map((document) => ({ ...document, schemaVersion: 2 })));
});

describe('a report that is refused', () => {
  const everything = async (id: string) => [
    await stored(id),
    await collection(db, leasesCollection).findOne({ _id: id }),
  ];

  it('changes neither facts, nor use, nor the lease', async () => {
    const { id } = await TestWorker.register(other, { devices: ['GPU-1', 'GPU-2'] });
    const before = await everything(id);
    const { userErrors } = await other.services.workers.heartbeat(pilotOf('main'), {
      workerId: id,
      hardware: { architecture: 'x86_64', cores: 1, memoryMiB: 1, diskMiB: 1 },
      devices: [gpu('GPU-1', 'UNHEALTHY', { utilisation: 1 }), gpu('GPU-2', 'HEALTHY', { memoryMiB: -1 })],
    });
    expect(userErrors).toEqual([
      {
        code: 'INVALID_VALUE',
        path: ['devices', '1', 'memoryMiB'],
        message: 'devices.1.memoryMiB: -1 is too small; must be at least 1',
      },
    ]);
    expect(await everything(id)).toEqual(before);
  });

  it('changes nothing when it comes from the pilot of another queue', async () => {
    const { id } = await TestWorker.register(other, { devices: ['GPU-1'] });
    const before = await everything(id);
    const report = { workerId: id, devices: [gpu('GPU-1', 'UNHEALTHY')] };
    expect(await other.services.workers.heartbeat(pilotOf('elsewhere'), report)).toMatchObject({
      userErrors: [{ code: 'WORKER_NOT_FOUND' }],
    });
    expect(await everything(id)).toEqual(before);
  });

  it('changes nothing when another worker has the name, even where that is not known', async () => {
    const older = await TestWorker.register(paused, { name: 'same', devices: ['GPU-1'] });
    const newer = await TestWorker.register(other, { name: 'same', devices: ['GPU-1'] });
    for (const at of [paused, other]) {
      const { userErrors } = await at.services.workers.heartbeat(pilotOf('main'), {
        workerId: older.id,
        devices: [gpu('GPU-1', 'UNHEALTHY')],
      });
      expect(userErrors).toMatchObject([{ code: 'WORKER_LOST', path: ['workerId'] }]);
    }
    expect([await knownDevices(older.id), await knownDevices(newer.id)]).toEqual([
      ['GPU-1 HEALTHY'],
      ['GPU-1 HEALTHY'],
    ]);
  });

  it('changes nothing for a worker that has ended', async () => {
    const { id } = await TestWorker.register(other, { devices: ['GPU-1'] });
    await other.services.workers.drain(pilotOf('main'), { workerId: id, hasEnded: true });
    for (const at of [paused, other]) {
      const { userErrors } = await at.services.workers.heartbeat(pilotOf('main'), {
        workerId: id,
        devices: [gpu('GPU-1', 'UNHEALTHY')],
      });
      expect(userErrors).toHaveLength(1);
    }
    expect(await knownDevices(id)).toEqual(['GPU-1 HEALTHY']);
  });
});
