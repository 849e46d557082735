import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import {
  aGpu,
  aQueue,
  aReadyJob,
  aShare,
  aWorker,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import { GpuDemand } from '../cache/gpu-demand.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import { matchPass } from './matcher.js';
import { ReadyWindows } from '../cache/ready-windows.js';
import { prepareClass, type RequirementClass } from '../requirements/requirement-class.js';
import type { DeviceDocument } from '../../gpus/device.types.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

let fleet: Fleet;
let windows: ReadyWindows;
let ledger: Ledger;
let demand: GpuDemand;
let classes: Map<string, RequirementClass>;
let jobs: number;

beforeEach(() => {
  [fleet, windows, ledger, demand] = [new Fleet(), new ReadyWindows(), new Ledger(), new GpuDemand()];
  classes = new Map();
  jobs = 0;
  fleet.setQueues([aQueue({ limits: { gpuSharing: true } })]);
});

function host(
  id: string,
  devices: readonly Partial<DeviceDocument>[],
  change: Partial<WorkerFacts> = {},
): void {
  fleet.set(
    aWorker({
      id,
      host: id,
      name: id,
      hardware: { cores: 32, memoryMiB: 262_144 },
      devices: devices.map((one, at) => ({
        id: `${id}-${at}`,
        vendor: 'NVIDIA',
        model: 'NVIDIA A100-SXM4-40GB',
        memoryMiB: 40_536,
        health: 'HEALTHY',
        ...one,
      })),
      ...change,
    }),
  );
}

function ready(
  count: number,
  requirements: Partial<StoredRequirements>,
  share = 'alpha/default',
): RequirementClass {
  const wanted = someRequirements(requirements);
  const id = classIdOf(wanted);
  const cls = classes.get(id) ?? prepareClass(id, classes.size, wanted, 1);
  classes.set(id, cls);
  const window = windows.open(share, id);
  if (!window.isComplete) window.endRefill(window.beginRefill(), []);
  for (let i = 0; i < count; i += 1) window.insert(aReadyJob(`job_${String((jobs += 1)).padStart(5, '0')}`));
  demand.record(cls, count);
  return cls;
}

/** Runs a pass with all workers. @returns the jobs of each, with their devices */
function pass(
  limit = 1000,
  workers = [...fleet.workers()],
): Readonly<Record<string, readonly (readonly string[])[]>> {
  const requests = workers.map((worker) => ({
    worker,
    limit,
    request: {
      workerId: worker.facts.id,
      count: limit,
      free: { cores: 1000, memoryMiB: 10_000_000, diskMiB: 10_000_000 },
      freeDeviceIds: worker.facts.devices.map(({ id }) => id),
    },
  }));
  const { picks } = matchPass(
    { fleet, windows, ledger, demand, classOf: (id) => classes.get(id) },
    requests,
    0,
  );
  for (const { entry } of picks.flat()) ledger.confirm(entry.jobId, 8);
  return Object.fromEntries(
    picks.flatMap((list, at) =>
      list.length > 0 ? [[workers[at]?.facts.id ?? '', list.map(({ entry }) => entry.deviceIds)]] : [],
    ),
  );
}

const oneGpu = { cores: 2, memoryMiB: 1024, gpu: aGpu() };

/**
 * Checks that no device is booked beyond its capacity, and that each job has what it requires, on devices of
 * its worker.
 */
function checkBookings(): void {
  const used = new Map<string, number>();
  for (const { workerId, classId, deviceIds, jobId } of ledger.entries()) {
    const gpu = classes.get(classId)?.requirements.gpu;
    if (gpu && !gpu.optional && deviceIds.length !== gpu.count)
      throw new Error(`${jobId} has ${deviceIds.length} devices`);
    for (const id of deviceIds) {
      const sum = (used.get(`${workerId} ${id}`) ?? 0) + (gpu?.share ?? 1000);
      if (sum > 1000) throw new Error(`${id} is given for ${sum}/1000`);
      used.set(`${workerId} ${id}`, sum);
    }
  }
}

describe('placement', () => {
  it('keeps jobs without GPUs off GPU hosts while others are free, and uses GPU hosts when none is', () => {
    host('gpu', [{}, {}]);
    fleet.set(aWorker({ id: 'cpu', host: 'cpu', name: 'cpu', hardware: { cores: 4 } }));
    ready(6, { cores: 1 });
    const got = pass();
    expect(got['cpu']).toHaveLength(4);
    expect(got['gpu']).toHaveLength(2);
  });

  it('fills the workers that meet the most weight of the preferences first, and the others then', () => {
    const cpus: Record<string, string> = { old: 'Xeon', amd: 'EPYC', new: 'EPYC 9654' };
    for (const [id, cpuModel] of Object.entries(cpus))
      fleet.set(aWorker({ id, host: id, name: id, hardware: { cores: 2, cpuModel } }));
    const preferences = [
      { expression: 'worker.cpuModel.startsWith("EPYC")', weight: 1 },
      { expression: 'worker.cpuModel == "EPYC 9654"', weight: 3 },
    ];
    const placed = (count: number): Readonly<Record<string, number>> => {
      ready(count, { cores: 1, preferences });
      return Object.fromEntries(Object.entries(pass()).map(([id, jobs]) => [id, jobs.length]));
    };
    expect(placed(2)).toEqual({ new: 2 });
    expect(placed(3)).toEqual({ amd: 2, old: 1 });
    const scores = [...ledger.entries()].map(({ workerId, preference }) => [workerId, preference?.score]);
    expect(Object.fromEntries(scores)).toEqual({ new: 1, amd: 0.25, old: 0 });
  });

  it('prefers among GPU hosts before it chooses the best fit, and never takes a GPU host for it', () => {
    for (const [id, cpuModel] of [
      ['full', 'Xeon'],
      ['whole', 'EPYC'],
    ] as const)
      host(id, [{}, {}], { hardware: { ...aWorker({}).hardware, cores: 32, memoryMiB: 262_144, cpuModel } });
    fleet.set(aWorker({ id: 'cpu', host: 'cpu', name: 'cpu', hardware: { cores: 4, cpuModel: 'Xeon' } }));
    ready(1, { ...oneGpu, selector: 'worker.cpuModel == "Xeon"' });
    expect(Object.keys(pass())).toEqual(['full']);
    const preferences = [{ expression: 'worker.cpuModel == "EPYC"', weight: 1 }];
    ready(1, { ...oneGpu, preferences });
    expect(Object.keys(pass())).toEqual(['whole']);
    ready(1, { cores: 1, preferences });
    expect(Object.keys(pass())).toEqual(['cpu']);
  });

  it('fills hosts that are in use with GPU jobs, so that whole hosts stay whole', () => {
    for (const id of ['a', 'b', 'c']) host(id, [{}, {}, {}, {}]);
    ready(1, oneGpu);
    const [first] = Object.keys(pass());
    ready(3, oneGpu);
    expect(Object.keys(pass())).toEqual([first]);
    ready(2, { ...oneGpu, gpu: aGpu({ count: 4 }) });
    expect(Object.keys(pass())).toHaveLength(2);
  });

  it('chooses the host with the smallest devices that are sufficient', () => {
    host('large', [{ model: 'NVIDIA A100-SXM4-80GB', memoryMiB: 81_251 }]);
    host('small', [{ model: 'NVIDIA A30', memoryMiB: 24_258 }]);
    host('middle', [{}]);
    ready(1, { ...oneGpu, gpu: aGpu({ minMemoryMiB: 40_960 }) });
    expect(Object.keys(pass(1))).toEqual(['middle']);
    ready(1, oneGpu);
    expect(Object.keys(pass(1))).toEqual(['small']);
  });

  it('takes several devices from one host', () => {
    host('a', [{}, {}]);
    host('b', [{}, {}, {}]);
    ready(1, { ...oneGpu, gpu: aGpu({ count: 3 }) });
    expect(pass()['b']?.[0]).toHaveLength(3);
    ready(1, { ...oneGpu, gpu: aGpu({ count: 3 }) });
    expect(pass()).toEqual({});
  });

  it('grants optional GPUs where there are some, and runs the job without them elsewhere', () => {
    host('gpu', [{}]);
    fleet.set(aWorker({ id: 'cpu', host: 'cpu', name: 'cpu' }));
    ready(2, { cores: 2, gpu: aGpu({ optional: true }) });
    const got = pass();
    expect(got['gpu']).toEqual([['gpu-0']]);
    expect(got['cpu']).toEqual([[]]);
  });

  it('grants an optional GPU while any is free, whichever host is filled first', () => {
    for (const id of ['a', 'b']) host(id, [{}]);
    ready(3, { cores: 2, gpu: aGpu({ optional: true }) });
    expect(
      Object.values(pass())
        .flat()
        .map((ids) => ids.length)
        .sort(),
    ).toEqual([0, 1, 1]);
  });

  it('prefers, of equivalent hosts, the one with the smaller free device, although another has less free', () => {
    const t4 = { model: 'Tesla T4', memoryMiB: 15_360 };
    for (const id of ['a', 'b']) host(id, [t4, {}]);
    ready(1, { ...oneGpu, gpu: aGpu({ models: ['T4'] }) });
    const [filled = ''] = Object.keys(pass());
    ready(1, oneGpu);
    expect(Object.values(pass()).flat()).toEqual([[`${filled === 'a' ? 'b' : 'a'}-0`]]);
  });

  it('prefers several devices of one model, on whichever host, and mixes models only where it must', () => {
    const t4 = { model: 'Tesla T4', memoryMiB: 15_360 };
    host('mixed', [t4, {}]);
    host('equal', [t4, {}, {}]);
    ready(1, { ...oneGpu, gpu: aGpu({ count: 2 }) });
    expect(pass()).toEqual({ equal: [['equal-1', 'equal-2']] });
    ready(1, { ...oneGpu, gpu: aGpu({ count: 2 }) });
    expect(Object.values(pass()).flat()).toHaveLength(1);
    checkBookings();
  });

  it('grants a class that requires a host all that it has free, although equivalent hosts were skipped', () => {
    for (const id of ['n1', 'n2']) host(id, [{}, {}]);
    ready(1, { ...oneGpu, selector: 'worker.host == "n1"' });
    pass();
    ready(2, { ...oneGpu, selector: 'worker.host == "n2"' });
    expect(pass()['n2']).toHaveLength(2);
  });

  it('grants the free capacity of a worker with two open calls once, by its latest offer', () => {
    host('a', [{}, {}]);
    const [worker] = [...fleet.workers()];
    ready(4, oneGpu);
    const got = worker ? pass(1000, [worker, worker]) : {};
    expect(Object.values(got).flat().flat().sort()).toEqual(['a-0', 'a-1']);
    checkBookings();
  });

  it('grants a device that two workers of one host report once, in one pass and over several', () => {
    const devices = ['GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f', 'PCI-0000:3b:00.0'].map((id) => ({ id }));
    for (const id of ['a', 'b']) host(id, devices, { host: 'n1' });
    ready(1, oneGpu);
    pass();
    ready(4, oneGpu);
    pass();
    expect([...ledger.entries()].flatMap(({ deviceIds }) => deviceIds).sort()).toEqual(
      devices.map(({ id }) => id),
    );
    // Local names of workers, and bus addresses on other hosts, do not identify a device.
    host('c', [{ id: 'PCI-0000:3b:00.0' }, { id: 'gpu0' }], { host: 'n2' });
    host('d', [{ id: 'gpu0' }], { host: 'n2' });
    expect(Object.values(pass()).flat()).toHaveLength(3);
    // Not even where the workers share another device.
    for (const worker of ['e', 'f']) host(worker, [...devices, { id: 'gpu0' }], { host: 'n3' });
    ready(4, oneGpu);
    for (let count = 0; count < 4; count++) pass();
    expect(['e', 'f'].map((worker) => ledger.bookings(worker)?.has('gpu0'))).toEqual([true, true]);
  });

  it('grants the devices of a host to its workers, whatever workers of other sites report', () => {
    const id = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';
    fleet.setQueues([aQueue({}), aQueue({ id: 'queue_far', name: 'far', site: 'FAR' })]);
    host('thief', [{ id }], { host: 'wn01.cern.ch', queueId: 'queue_far' });
    ready(1, oneGpu);
    expect(pass()['thief']).toHaveLength(1);
    host('victim', [{ id }], { host: 'wn01.cern.ch' });
    ready(1, oneGpu);
    expect(pass()['victim']).toHaveLength(1);
    // A pilot that returns with an ended one's host and device does not hold them either.
    fleet.remove('thief', true);
    host('neighbour', [{ id }], { host: 'wn01.cern.ch' });
    ready(1, oneGpu);
    expect(pass()).toEqual({});
  });

  it('withholds from a new worker what jobs of its ended predecessor still hold on the host', () => {
    const id = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';
    host('old', [{ id }], { host: 'n1' });
    ready(2, oneGpu);
    pass();
    fleet.remove('old', true);
    host('new', [{ id }], { host: 'n1' });
    expect(pass()).toEqual({});
    for (const { jobId } of [...ledger.entries()]) ledger.release(jobId, Number.MAX_SAFE_INTEGER);
    fleet.sharedDevices.forget('old');
    expect(pass()['new']).toHaveLength(1);
  });

  it('withholds a slice while its GPU is held as a whole from before it was divided', () => {
    host('a', [{}]);
    ready(1, oneGpu);
    pass();
    host('a', [{}, { migProfile: '1g.5gb', parentId: 'a-0' }]);
    ready(1, { ...oneGpu, gpu: aGpu({ migProfile: '1g.5gb' }) });
    expect(pass()).toEqual({});
  });

  it('never exceeds the GPUs a share may borrow: it leaves out optional ones, and larger requests wait', () => {
    fleet.setShares([aShare({ nominalGpus: 0, borrowLimitGpus: 0.6 })]);
    host('a30', [{ model: 'NVIDIA A30', memoryMiB: 24_258, migProfile: '4g.24gb', parentId: 'p' }]);
    host('whole', [{}]);
    ready(1, { cores: 1, gpu: aGpu({ migProfile: '4g.24gb' }) });
    ready(1, { cores: 2, gpu: aGpu({ optional: true }) });
    expect(Object.values(pass()).flat()).toEqual([[]]);
    ready(1, { cores: 1, gpu: aGpu({ migFraction: 500, exclusive: true }) });
    expect(pass()).toEqual({});
  });

  it('grants no unhealthy device and none of its slices', () => {
    host('a', [{ health: 'HEALTHY' }]);
    host('a', [{ health: 'UNHEALTHY' }]);
    host('b', [{ health: 'UNHEALTHY' }, { migProfile: '1g.5gb', parentId: 'b-0' }]);
    ready(1, oneGpu);
    ready(1, { ...oneGpu, gpu: aGpu({ migProfile: '1g.5gb' }) });
    expect(pass()).toEqual({});
  });

  it('combines shares on a device only where the queue allows it, and never with an exclusive job', () => {
    fleet.setQueues([
      aQueue({ limits: { gpuSharing: true } }),
      aQueue({ id: 'queue_2', name: 'alone', limits: {} }),
    ]);
    host('alone', [{}], { queueId: 'queue_2' });
    host('shared', [{}, {}]);
    ready(3, { cores: 1, gpu: aGpu({ share: 300 }) });
    const got = pass();
    expect(Object.keys(got)).toEqual(['shared']);
    expect(new Set(got['shared']?.flat()).size).toBe(1);
    ready(2, oneGpu);
    const whole = pass();
    expect(whole['alone']).toHaveLength(1);
    expect(whole['shared']).toHaveLength(1);
    ready(1, { cores: 1, gpu: aGpu({ share: 101 }) });
    expect(pass()).toEqual({});
    checkBookings();
  });

  it('charges parts of GPUs, and stops borrowing at the limit of the share', () => {
    fleet.setShares([aShare({ nominalGpus: 1, borrowLimitGpus: 0.5 })]);
    host('a', [{}, {}, {}]);
    ready(2, { cores: 1, gpu: aGpu({ share: 500 }) });
    pass();
    expect(ledger.shareUse('alpha/default').gpus).toBe(1);
    ready(1, oneGpu);
    expect(pass()).toEqual({});
    ready(2, { cores: 1, gpu: aGpu({ share: 400 }) });
    expect(Object.values(pass()).flat()).toHaveLength(1);
  });

  it('serves an owner with few cores and many GPUs after one with few of both', () => {
    host('a', [{}, {}, {}, {}]);
    ready(2, { ...oneGpu, cores: 1 }, 'gpus/default');
    pass();
    ready(1, { ...oneGpu, cores: 1 }, 'gpus/default');
    ready(1, { cores: 4, memoryMiB: 1024 }, 'cores/default');
    pass(1);
    expect(ledger.shareUse('cores/default').jobs).toBe(1);
    expect(ledger.shareUse('gpus/default').jobs).toBe(2);
  });

  it('grants no device beyond its capacity and leaves none idle that could run a job, over any history of grants, ends and reports', () => {
    const kinds: Partial<StoredRequirements>[] = [
      { cores: 1 },
      oneGpu,
      { ...oneGpu, gpu: aGpu({ count: 2 }) },
      { cores: 1, gpu: aGpu({ share: 250 }) },
      { cores: 1, gpu: aGpu({ share: 700, shareMemoryMiB: 10_000 }) },
      { cores: 1, gpu: aGpu({ migProfile: '1g.5gb' }) },
      { cores: 1, gpu: aGpu({ migProfile: '1g.5gb', exclusive: true }) },
      { cores: 1, gpu: aGpu({ optional: true }) },
    ];
    const slices = [{}, { migProfile: '1g.5gb', parentId: 'c-0' }, { migProfile: '1g.5gb', parentId: 'c-0' }];
    const step = fc.oneof(
      fc.record({ submit: fc.constantFrom(...kinds), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ end: fc.integer({ min: 0, max: 10 }) }),
      fc.record({ health: fc.constantFrom('HEALTHY' as const, 'UNHEALTHY' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.boolean(), (steps, isPriced) => {
        [fleet, windows, ledger, classes] = [new Fleet(), new ReadyWindows(), new Ledger(), new Map()];
        demand = new GpuDemand();
        fleet.setQueues([aQueue({ limits: { gpuSharing: true } })]);
        host('a', [{}, {}, {}]);
        host('b', [{}]);
        host('c', slices);
        for (const one of steps) {
          if ('submit' in one) ready(one.count, one.submit);
          else if ('health' in one) host('b', [{ health: one.health }]);
          else {
            const ended = [...ledger.entries()][one.end];
            if (ended) ledger.release(ended.jobId, Number.MAX_SAFE_INTEGER);
          }
          if (!isPriced) demand = new GpuDemand();
          pass();
          checkBookings();
        }
        // All candidates were served and nothing has changed since: no ready job fits.
        expect(pass()).toEqual({});
      }),
      { numRuns: 150 },
    );
  });
});
