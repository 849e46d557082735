import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import {
  aDevice,
  aGpu,
  anEntry,
  aQueue,
  aReadyJob,
  aShare,
  aWorker,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import type { AcquireRequest, ReadyJob } from '../scheduler.types.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import { matchPass } from './matcher.js';
import type { PassResult } from './matcher.types.js';
import { ReadyWindows } from '../cache/ready-windows.js';
import { prepareClass, type RequirementClass } from '../requirements/requirement-class.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import type { WorkerProfile } from '../requirements/constraint.types.js';

let fleet: Fleet;
let windows: ReadyWindows;
let ledger: Ledger;
let classes: Map<string, RequirementClass>;

beforeEach(() => {
  [fleet, windows, ledger, classes] = [new Fleet(), new ReadyWindows(), new Ledger(), new Map()];
  fleet.setQueues([aQueue({})]);
});

function ready(
  jobs: readonly (ReadyJob | string)[],
  requirements: Partial<StoredRequirements> = {},
  share = 'alpha/default',
): void {
  const wanted = someRequirements(requirements);
  const id = classIdOf(wanted);
  if (!classes.has(id)) classes.set(id, prepareClass(id, classes.size, wanted));
  const window = windows.open(share, id);
  const request = window.beginRefill();
  window.endRefill(request, []);
  for (const job of jobs) window.insert(typeof job === 'string' ? aReadyJob(job) : job);
}

function request(workerId: string, change: Partial<AcquireRequest> = {}): AcquireRequest {
  return {
    workerId,
    count: 100,
    free: { cores: 1000, memoryMiB: 10_000_000, diskMiB: 10_000_000 },
    freeDeviceIds: [],
    ...change,
  };
}

function pass(requests: readonly AcquireRequest[], limit = 1000, wallMs?: number): PassResult {
  const asked = requests.map((one) => {
    const worker = fleet.worker(one.workerId);
    if (!worker) throw new Error(`no worker ${one.workerId}`);
    return { worker, request: one, limit };
  });
  const state = { fleet, windows, ledger, classOf: (id: string) => classes.get(id) };
  return matchPass({ ...state, ...(wallMs === undefined ? {} : { wallMs }) }, asked, 0);
}

/** Counts how often the constraints of all classes are evaluated from now on. */
function countEvaluations(): () => number {
  let count = 0;
  for (const [id, cls] of classes) {
    const shapeConstraints = cls.shapeConstraints.map((constraint) => ({
      ...constraint,
      refusal: (profile: WorkerProfile) => {
        count += 1;
        return constraint.refusal(profile);
      },
    }));
    classes.set(id, { ...cls, shapeConstraints });
  }
  return () => count;
}

const ids = ({ picks }: PassResult): string[][] => picks.map((list) => list.map(({ entry }) => entry.jobId));

describe('Matcher', () => {
  it('grants the jobs behind those that wait for another host, and these when their time is over', () => {
    fleet.set(aWorker({}));
    const avoid = { hosts: ['host-1'], sites: [], until: new Date(10_000), isRequired: true as const };
    ready([aReadyJob('job_1', { avoid }), aReadyJob('job_2', { avoid }), 'job_3']);
    const before = pass([request('worker_1')], 1000, 0);
    expect(ids(before)).toEqual([['job_3']]);
    expect(before.avoidsUntilMs).toBe(10_000);
    expect(ids(pass([request('worker_1')], 1000, 10_000))).toEqual([['job_1', 'job_2']]);
  });

  it('serves priority before age across all classes of a share', () => {
    fleet.set(aWorker({ hardware: { cores: 3 } }));
    ready([aReadyJob('job_1', { priority: 1 }), aReadyJob('job_4', { priority: 5 })], { memoryMiB: 100 });
    ready([aReadyJob('job_2', { priority: 5 }), aReadyJob('job_3', { priority: 1 })], { memoryMiB: 200 });
    expect(ids(pass([request('worker_1')]))).toEqual([['job_2', 'job_4', 'job_1']]);
  });

  it('skips a class that does not fit and serves those behind it', () => {
    fleet.set(aWorker({ hardware: { cores: 4 } }));
    ready(
      Array.from({ length: 1000 }, (_, i) =>
        aReadyJob(`job_a${String(i).padStart(4, '0')}`, { priority: 9 }),
      ),
      { cores: 16 },
    );
    ready(['job_b'], { cores: 2 });
    expect(ids(pass([request('worker_1')]))).toEqual([['job_b']]);
    expect(windows.open('alpha/default', classIdOf(someRequirements({ cores: 16 }))).size).toBe(1000);
  });

  it('grants no more than the worker offers, nor than the ledger leaves', () => {
    fleet.set(aWorker({ hardware: { cores: 8 } }));
    ready(['job_1', 'job_2', 'job_3', 'job_4'], { cores: 2 });
    ledger.add(anEntry({ jobId: 'job_0', requirements: { cores: 4, memoryMiB: 1, diskMiB: 1 } }));
    expect(ids(pass([request('worker_1')]))).toEqual([['job_1', 'job_2']]);
    ledger.clear();
    expect(ids(pass([request('worker_1', { free: { cores: 3, memoryMiB: 1e6, diskMiB: 1e6 } })]))).toEqual([
      ['job_3'],
    ]);
  });

  it('grants only jobs that can end in the remaining time', () => {
    fleet.set(aWorker({}));
    ready(['job_long'], { walltimeSeconds: 7200 });
    ready(['job_short'], { walltimeSeconds: 600 });
    expect(ids(pass([request('worker_1', { remainingSeconds: 3600 })]))).toEqual([['job_short']]);
  });

  it('serves shares below their quota first, then borrowers, and stops at the borrowing limit', () => {
    fleet.set(aWorker({ hardware: { cores: 100, memoryMiB: 1_000_000 } }));
    fleet.setShares([
      aShare({ path: 'alpha/a', nominalCores: 4 }),
      aShare({ path: 'beta/b', nominalCores: 2, borrowLimitCores: 1 }),
      aShare({ path: 'gamma/c', borrowLimitCores: 5 }),
    ]);
    const names = (prefix: string): string[] => Array.from({ length: 10 }, (_, i) => `job_${prefix}${i}`);
    ready(names('a'), {}, 'alpha/a');
    ready(names('b'), {}, 'beta/b');
    ready(names('c'), {}, 'gamma/c');
    const [taken = []] = ids(pass([request('worker_1')]));
    expect([...taken.slice(0, 6)].map((id) => id.charAt(4)).sort()).toEqual(['a', 'a', 'a', 'a', 'b', 'b']);
    expect(taken.filter((id) => id.startsWith('job_b'))).toHaveLength(3);
    expect(taken.filter((id) => id.startsWith('job_c'))).toHaveLength(5);
    expect(taken.filter((id) => id.startsWith('job_a'))).toHaveLength(10);
  });

  it('divides borrowed capacity by the weights of the shares', () => {
    fleet.set(aWorker({ hardware: { cores: 40, memoryMiB: 1_000_000 } }));
    fleet.setShares([aShare({ path: 'alpha/a', weight: 3 }), aShare({ path: 'beta/b', weight: 1 })]);
    ready(
      Array.from({ length: 100 }, (_, i) => `job_a${String(i).padStart(3, '0')}`),
      {},
      'alpha/a',
    );
    ready(
      Array.from({ length: 100 }, (_, i) => `job_b${String(i).padStart(3, '0')}`),
      {},
      'beta/b',
    );
    const [taken = []] = ids(pass([request('worker_1')]));
    expect(taken.filter((id) => id.startsWith('job_a'))).toHaveLength(30);
    expect(taken.filter((id) => id.startsWith('job_b'))).toHaveLength(10);
  });

  it('throttles jobs of owners over their limit, and serves the others', () => {
    fleet.set(aWorker({ hardware: { cores: 10 } }));
    fleet.setShares([aShare({ ownerLimitCores: 2 })]);
    ready([
      ...['job_1', 'job_2', 'job_3', 'job_4'].map((id) => aReadyJob(id, { owner: 'ada', priority: 1 })),
      aReadyJob('job_5', { owner: 'bob' }),
    ]);
    const result = pass([request('worker_1')]);
    expect(ids(result)).toEqual([['job_1', 'job_2', 'job_5']]);
    expect(result.throttled.map(({ jobId }) => jobId)).toEqual(['job_3', 'job_4']);
  });

  it('respects the job limit of a queue, the experiments it admits, and workers that accept no jobs', () => {
    fleet.setQueues([
      aQueue({ limits: { maxRunningJobs: 3 } }),
      aQueue({ id: 'queue_2', name: 'closed', experiments: ['beta'] }),
    ]);
    fleet.set(aWorker({}));
    fleet.set(aWorker({ id: 'worker_2', queueId: 'queue_2' }));
    fleet.set(aWorker({ id: 'worker_3', state: 'DRAINING' }));
    ledger.add(anEntry({ jobId: 'job_0', workerId: 'worker_9' }));
    ready(['job_1', 'job_2', 'job_3', 'job_4']);
    expect(ids(pass([request('worker_2'), request('worker_3'), request('worker_1')]))).toEqual([
      [],
      [],
      ['job_1', 'job_2'],
    ]);
  });

  it('matches a class that requires a host against each worker of a shape', () => {
    fleet.set(aWorker({ id: 'worker_1', host: 'n1' }));
    fleet.set(aWorker({ id: 'worker_2', host: 'n2' }));
    ready(['job_1', 'job_2'], { selector: 'worker.host == "n2"' });
    expect(ids(pass([request('worker_1'), request('worker_2')]))).toEqual([[], ['job_1', 'job_2']]);
  });

  it('takes no devices away for a job that holds one that is no longer reported', () => {
    fleet.set(aWorker({ devices: [aDevice({ id: 'GPU-1' }), aDevice({ id: 'GPU-2' })] }));
    const requirements = someRequirements({ gpu: aGpu({ count: 2 }) });
    ledger.add(anEntry({ requirements, deviceIds: ['GPU-8', 'GPU-9'] }));
    ready(['job_2'], { gpu: aGpu({ count: 2 }) });
    expect(ids(pass([request('worker_1', { freeDeviceIds: ['GPU-1', 'GPU-2'] })]))).toEqual([['job_2']]);
  });

  it('grants a class that requires a rack all that a host of it has free, whatever equal hosts have', () => {
    fleet.setQueues([aQueue({ revision: 2, limits: { gpuSharing: true } })]);
    const host = (id: string, rack: string): void =>
      void fleet.set(
        aWorker({ id, devices: [aDevice({ id: 'GPU-1' })], labels: [{ key: 'rack', value: rack }] }),
      );
    host('worker_1', 'r1');
    host('worker_2', 'r2');
    host('worker_3', 'r2');
    const quarter = someRequirements({ gpu: aGpu({ share: 250 }) });
    ledger.add(anEntry({ workerId: 'worker_3', requirements: quarter, deviceIds: ['GPU-1'] }));
    ready(['job_2', 'job_3', 'job_4', 'job_5', 'job_6'], {
      gpu: aGpu({ share: 250 }),
      selector: 'worker.labels.rack == "r1"',
    });
    const all = ['worker_1', 'worker_2', 'worker_3'].map((id) => request(id, { freeDeviceIds: ['GPU-1'] }));
    expect(ids(pass(all))).toEqual([['job_2', 'job_3', 'job_4', 'job_5'], [], []]);
  });

  it('drops a job that another worker holds, and books nothing for it', () => {
    fleet.set(aWorker({}));
    ledger.add(anEntry({ jobId: 'job_1', workerId: 'worker_9', fence: 16 }));
    ready(['job_1', 'job_2']);
    expect(ids(pass([request('worker_1')]))).toEqual([['job_2']]);
    expect(ledger.get('job_1')?.workerId).toBe('worker_9');
  });

  it('grants GPUs only where enough are free, and books them', () => {
    const devices = [
      aDevice({ id: 'GPU-1' }),
      aDevice({ id: 'GPU-2' }),
      aDevice({ id: 'GPU-3', health: 'UNHEALTHY' }),
    ];
    fleet.set(aWorker({ id: 'worker_1' }));
    fleet.set(aWorker({ id: 'worker_2', devices }));
    ready(['job_1', 'job_2', 'job_3'], { gpu: aGpu() });
    const asked = [request('worker_1'), request('worker_2', { freeDeviceIds: ['GPU-1', 'GPU-2', 'GPU-3'] })];
    const result = pass(asked);
    expect(ids(result)).toEqual([[], ['job_1', 'job_2']]);
    expect(result.picks[1]?.flatMap(({ entry }) => entry.deviceIds)).toEqual(['GPU-1', 'GPU-2']);
    expect(ids(pass(asked))).toEqual([[], []]);
  });

  it('grants no job twice, exceeds no limit and leaves no job that would fit, for any fleet and any jobs', () => {
    const worker = fc.record({
      cores: fc.integer({ min: 1, max: 8 }),
      memory: fc.integer({ min: 1, max: 8 }),
      gpus: fc.integer({ min: 0, max: 3 }),
    });
    const kind = fc.record({
      cores: fc.integer({ min: 1, max: 5 }),
      memory: fc.integer({ min: 1, max: 5 }),
      gpus: fc.integer({ min: 0, max: 2 }),
      jobs: fc.integer({ min: 0, max: 12 }),
      share: fc.constantFrom('alpha/a', 'beta/b', 'gamma/c'),
    });
    const quota = fc.record({
      nominal: fc.integer({ min: 0, max: 8 }),
      borrow: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(
        fc.array(worker, { maxLength: 6 }),
        fc.array(kind, { maxLength: 8 }),
        fc.array(quota, { minLength: 3, maxLength: 3 }),
        (workers, kinds, quotas) => {
          [fleet, windows, ledger, classes] = [new Fleet(), new ReadyWindows(), new Ledger(), new Map()];
          fleet.setQueues([aQueue({})]);
          const paths = ['alpha/a', 'beta/b', 'gamma/c'];
          fleet.setShares(
            paths.map((path, i) => {
              const { nominal = 0, borrow } = quotas[i] ?? {};
              return aShare({
                path,
                nominalCores: nominal,
                ...(borrow === undefined ? {} : { borrowLimitCores: borrow }),
              });
            }),
          );
          workers.forEach(({ cores, memory, gpus }, i) => {
            const devices = Array.from({ length: gpus }, (_, g) => aDevice({ id: `GPU-${g}` }));
            fleet.set(aWorker({ id: `worker_${i}`, devices, hardware: { cores, memoryMiB: memory * 1000 } }));
          });
          kinds.forEach(({ cores, memory, gpus, jobs, share }, k) => {
            const gpu = gpus > 0 ? { gpu: aGpu({ count: gpus }) } : {};
            ready(
              Array.from({ length: jobs }, (_, j) => `job_${k}_${j}`),
              { cores, memoryMiB: memory * 1000, diskMiB: k, ...gpu },
              share,
            );
          });
          const all = workers.map((_, i) =>
            request(`worker_${i}`, { freeDeviceIds: ['GPU-0', 'GPU-1', 'GPU-2'] }),
          );
          const result = pass(all);
          const taken = result.picks.flat();
          expect(new Set(taken.map(({ entry }) => entry.jobId)).size).toBe(taken.length);
          result.picks.forEach((list, i) => {
            const { cores = 0, memory = 0, gpus = 0 } = workers[i] ?? {};
            expect(list.reduce((sum, { cls }) => sum + cls.requirements.cores, 0)).toBeLessThanOrEqual(cores);
            expect(list.reduce((sum, { cls }) => sum + cls.requirements.memoryMiB, 0)).toBeLessThanOrEqual(
              memory * 1000,
            );
            const devices = list.flatMap(({ entry }) => entry.deviceIds);
            expect(new Set(devices).size).toBe(devices.length);
            expect(devices.length).toBeLessThanOrEqual(gpus);
            for (const { entry, cls } of list)
              expect(entry.deviceIds.length).toBe(cls.requirements.gpu?.count ?? 0);
          });
          paths.forEach((path, i) => {
            const { nominal = 0, borrow } = quotas[i] ?? {};
            if (borrow !== undefined)
              expect(ledger.shareUse(path).cores).toBeLessThanOrEqual(nominal + borrow);
          });
          // The pass was complete: a second one grants nothing.
          expect(pass(all).picks.flat()).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('decides each class once for all workers of one shape, whatever their amounts and labels: 20,000 workers, 1,000 classes, 20,000 jobs', () => {
    for (let c = 0; c < 1000; c += 1) {
      ready(
        Array.from({ length: 20 }, (_, j) => `job_${c}_${j}`),
        { cores: 1 + (c % 8), memoryMiB: 500 + c },
        `exp${c % 10}/default`,
      );
    }
    for (let w = 0; w < 20_000; w += 1) {
      fleet.set(
        aWorker({
          id: `worker_${w}`,
          host: `n${w}`,
          labels: [{ key: 'node', value: `n${w}` }],
          hardware: {
            cores: 8 + (w % 4) * 8,
            memoryMiB: 16_384 + (w % 25) * 1024 + (w % 97),
            diskMiB: 100_000 + w,
          },
        }),
      );
    }
    const all = Array.from({ length: 20_000 }, (_, w) => request(`worker_${w}`, { count: 1 }));
    const evaluations = countEvaluations();
    const constraints = [...classes.values()].reduce((sum, cls) => sum + cls.shapeConstraints.length, 0);
    expect(pass(all).picks.flat()).toHaveLength(20_000);
    // All workers are of one shape: each class is decided at most once.
    expect(evaluations()).toBeGreaterThan(0);
    expect(evaluations()).toBeLessThanOrEqual(constraints);
    const cold = evaluations();
    pass(all);
    expect(evaluations()).toBe(cold);
  });
});
