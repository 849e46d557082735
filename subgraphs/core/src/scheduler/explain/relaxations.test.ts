/** Difficult cases of proposed changes. General properties are tested in relaxations.property.test.ts. */
import { beforeEach, describe, expect, it } from '@jest/globals';
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
  fleet.set(aWorker({ id, host: id, name: id, devices: own, ...change }));
}

function facts(requirements: Partial<StoredRequirements>): FleetFacts {
  const wanted = someRequirements({ diskMiB: 0, ...requirements });
  return fleetFacts(prepareClass(classIdOf(wanted), -1, wanted, 1), 'alpha', { fleet, ledger, wallMs });
}

describe('relaxationsOf', () => {
  it('proposes the change that gains most, however many values lie between', () => {
    for (let at = 0; at < 30; at += 1) host(`w${at}`, [{ driverVersion: `${500 + at}.10` }]);
    expect(facts({ gpu: aGpu({ minDriverVersion: '580.0' }) }).relaxations).toMatchObject([
      { change: 'driver >= 529.10 instead of 580.0', workersGained: 1 },
      { change: 'driver >= 500.10 instead of 580.0', workersGained: 30, devicesGained: 30 },
    ]);
  });

  it('ignores nearer values of devices that other constraints exclude', () => {
    for (let at = 0; at < 20; at += 1)
      host(`bad${at}`, [{ driverVersion: `${560 + at}.10`, health: 'UNHEALTHY' }]);
    host('good', [{ driverVersion: '535.104.05' }]);
    expect(facts({ gpu: aGpu({ minDriverVersion: '590.0' }) }).relaxations).toMatchObject([
      { change: 'driver >= 535.104.05 instead of 590.0', workersGained: 1 },
    ]);
  });

  it('proposes a newer runtime where the requested one is older than the device', () => {
    host('w', [{ model: 'NVIDIA H100 80GB HBM3', driverVersion: '580.95.05' }]);
    expect(facts({ gpu: aGpu({ cudaRuntime: '11.4' }) }).relaxations[0]).toMatchObject({
      change: 'cuda 11.8 instead of 11.4',
      workersGained: 1,
    });
  });

  it('names exclusive use in the reason and the change, for two slices of one GPU', () => {
    const slice = { migProfile: '3g.20gb', parentId: 'w-0' };
    host('w', [{}, slice, slice]);
    const { constraints, relaxations } = facts({
      gpu: aGpu({ count: 2, migProfile: '3g.20gb', exclusive: true }),
    });
    expect(constraints.at(-1)).toMatchObject({
      constraint: '2 gpus on one host, each on a separate GPU, each meeting all gpu constraints',
      reasons: ['2 devices meet all gpu constraints, but not on 2 separate GPUs (1 worker)'],
    });
    expect(relaxations.map(({ change }) => change)).toEqual(['without exclusive gpus']);
  });

  it('proposes a smaller number where no devices are connected, since one GPU needs no connection', () => {
    host('w', [{}, {}]);
    expect(facts({ gpu: aGpu({ count: 2, nvlink: true }) }).relaxations).toMatchObject([
      { change: '1 gpu on one host instead of 2', devicesGained: 2 },
      { change: 'without nvlink', devicesGained: 2 },
    ]);
  });

  it('proposes each vendor where hosts have several', () => {
    host('amd', [{ vendor: 'AMD', model: 'AMD Instinct MI210' }]);
    host('intel', [{ vendor: 'INTEL', model: 'Intel Data Center GPU Max 1550' }]);
    expect(facts({ gpu: aGpu({ vendor: 'NVIDIA' }) }).relaxations).toMatchObject([
      { change: expect.stringMatching(/^vendor (AMD|INTEL) instead of NVIDIA$/), workersGained: 1 },
      { change: 'any vendor instead of NVIDIA', workersGained: 2 },
    ]);
  });

  it('proposes a shorter time for workers that end too soon', () => {
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

  it('distinguishes workers of one shape by a selector that names a host', () => {
    host('n1', [{}]);
    host('n2', [{}]);
    const grantsWritten = facts({ selector: 'worker.host == "n2"', gpu: aGpu() });
    expect(grantsWritten).toMatchObject({ workersConsidered: 2, workersThatFit: 1 });
    expect(grantsWritten.relaxations).toMatchObject([{ change: 'without the selector', workersGained: 1 }]);
  });

  it('counts GPUs of grants with unknown devices as in use', () => {
    host('w', [{}, {}]);
    const gpu = aGpu();
    ledger.add(anEntry({ workerId: 'w', requirements: { cores: 1, memoryMiB: 1, diskMiB: 1, gpu } }));
    expect(facts({ gpu }).workersFreeNow).toBe(1);
    expect(facts({ gpu: aGpu({ count: 2 }) }).workersFreeNow).toBe(0);
  });

  it('finds capacity for a share next to other shares, and none on devices that are taken whole', () => {
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
});
