/** Changes that are proposed: cases that took thought. What holds for all is in relaxations.property.test.ts. */
import { beforeEach, expect, test } from '@jest/globals';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import {
  aGpu,
  anEntry,
  aQueue,
  aWorker,
  devicesOfHost,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import { fleetFacts } from './fleet-facts.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import type { FleetFacts } from './pending.types.js';
import { prepareClass } from '../requirements/requirement-class.js';
import type { DeviceDocument } from '../../gpus/device.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

const wallMs = Date.UTC(2026, 0, 1);
let fleet: Fleet;
let ledger: Ledger;

beforeEach(() => {
  [fleet, ledger] = [new Fleet(), new Ledger()];
  fleet.setQueues([aQueue({})]);
});

function host(
  id: string,
  devices: readonly Partial<DeviceDocument>[],
  change: Parameters<typeof aWorker>[0] = {},
): void {
  const own = devicesOfHost(id, devices);
  fleet.put(aWorker({ id, host: id, name: id, devices: own, ...change }));
}

function facts(requirements: Partial<StoredRequirements>): FleetFacts {
  const wanted = someRequirements({ diskMiB: 0, ...requirements });
  return fleetFacts(prepareClass(classIdOf(wanted), -1, wanted, 1), 'alpha', { fleet, ledger, wallMs });
}

test('the change that gains the most is told however many values lie between', () => {
  for (let at = 0; at < 30; at += 1) host(`w${at}`, [{ driverVersion: `${500 + at}.10` }]);
  expect(facts({ gpu: aGpu({ minDriverVersion: '580.0' }) }).relaxations).toMatchObject([
    { change: 'driver >= 529.10 instead of 580.0', workersGained: 1 },
    { change: 'driver >= 500.10 instead of 580.0', workersGained: 30, devicesGained: 30 },
  ]);
});

test('nearer values of devices that something else keeps away hide none of those that gain', () => {
  for (let at = 0; at < 20; at += 1)
    host(`bad${at}`, [{ driverVersion: `${560 + at}.10`, health: 'UNHEALTHY' }]);
  host('good', [{ driverVersion: '535.104.05' }]);
  expect(facts({ gpu: aGpu({ minDriverVersion: '590.0' }) }).relaxations).toMatchObject([
    { change: 'driver >= 535.104.05 instead of 590.0', workersGained: 1 },
  ]);
});

test('a runtime that is older than the device is told a newer one', () => {
  host('w', [{ model: 'NVIDIA H100 80GB HBM3', driverVersion: '580.95.05' }]);
  expect(facts({ gpu: aGpu({ cudaRuntime: '11.4' }) }).relaxations[0]).toMatchObject({
    change: 'cuda 11.8 instead of 11.4',
    workersGained: 1,
  });
});

test('two slices of one GPU for a job that wants each GPU for itself: the reason and the change name it', () => {
  const slice = { migProfile: '3g.20gb', parentId: 'w-0' };
  host('w', [{}, slice, slice]);
  const { constraints, relaxations } = facts({
    gpu: aGpu({ count: 2, migProfile: '3g.20gb', exclusive: true }),
  });
  expect(constraints.at(-1)).toMatchObject({
    constraint: '2 gpus on one host, each of a GPU of its own, each with all of it',
    reasons: ['2 devices have all of it, not 2 of a GPU each (1 worker)'],
  });
  expect(relaxations.map(({ change }) => change)).toEqual(['without having each gpu for itself']);
});

test('one GPU need not be connected: a smaller number gains where nothing is connected', () => {
  host('w', [{}, {}]);
  expect(facts({ gpu: aGpu({ count: 2, nvlink: true }) }).relaxations).toMatchObject([
    { change: '1 gpu on one host instead of 2', devicesGained: 2 },
    { change: 'without nvlink', devicesGained: 2 },
  ]);
});

test('hosts of several vendors gain by any of them', () => {
  host('amd', [{ vendor: 'AMD', model: 'AMD Instinct MI210' }]);
  host('intel', [{ vendor: 'INTEL', model: 'Intel Data Center GPU Max 1550' }]);
  expect(facts({ gpu: aGpu({ vendor: 'NVIDIA' }) }).relaxations).toMatchObject([
    { change: expect.stringMatching(/^vendor (AMD|INTEL) instead of NVIDIA$/), workersGained: 1 },
    { change: 'any vendor instead of NVIDIA', workersGained: 2 },
  ]);
});

test('workers that end too soon do not fit, and a shorter time is proposed', () => {
  const ends = (minutes: number) => ({ endsAt: new Date(wallMs + minutes * 60_000 + 30_000) });
  host('long', [], ends(300));
  host('short', [], ends(30));
  host('over', [], { endsAt: new Date(wallMs - 1000) });
  const grantsWritten = facts({ walltimeSeconds: 86_400 });
  expect(grantsWritten).toMatchObject({ workersThatFit: 0, mostFailed: 'walltimeSeconds >= 86400' });
  expect(
    grantsWritten.constraints.find(({ constraint }) => constraint.startsWith('walltime'))?.reasons,
  ).toEqual(['ends too soon (3 workers)']);
  expect(grantsWritten.relaxations).toMatchObject([
    { change: 'walltimeSeconds >= 18000 instead of 86400', workersGained: 1 },
    { change: 'walltimeSeconds >= 1800 instead of 86400', workersGained: 2 },
  ]);
  expect(facts({ walltimeSeconds: 3600 }).workersThatFit).toBe(1);
});

test('a selector that names a host keeps its workers apart from others of their shape', () => {
  host('n1', [{}]);
  host('n2', [{}]);
  const grantsWritten = facts({ selector: 'worker.host == "n2"', gpu: aGpu() });
  expect(grantsWritten).toMatchObject({ workersConsidered: 2, workersThatFit: 1 });
  expect(grantsWritten.relaxations).toMatchObject([{ change: 'without the selector', workersGained: 1 }]);
});

test('GPUs of grants whose devices are not known by name are not free', () => {
  host('w', [{}, {}]);
  const gpu = aGpu();
  ledger.add(anEntry({ workerId: 'w', requirements: { cores: 1, memoryMiB: 1, diskMiB: 1, gpu } }));
  expect(facts({ gpu }).workersFreeNow).toBe(1);
  expect(facts({ gpu: aGpu({ count: 2 }) }).workersFreeNow).toBe(0);
});

test('a share finds room beside other shares, and none on devices that are taken whole', () => {
  fleet.setQueues([aQueue({ revision: 2, limits: { gpuSharing: true } })]);
  host('w', [{}, {}]);
  const taken = (jobId: string, at: number, gpu: ReturnType<typeof aGpu>) =>
    ledger.add(
      anEntry({
        jobId,
        workerId: 'w',
        requirements: { cores: 1, memoryMiB: 1, diskMiB: 1, gpu },
        deviceIds: [`w-${at}`],
      }),
    );
  taken('whole', 0, aGpu());
  taken('part', 1, aGpu({ share: 600 }));
  expect(facts({ gpu: aGpu({ share: 400 }) }).workersFreeNow).toBe(1);
  expect(facts({ gpu: aGpu({ share: 500 }) }).workersFreeNow).toBe(0);
  expect(facts({ gpu: aGpu() }).workersFreeNow).toBe(0);
});
