import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import {
  aDevice,
  anEntry,
  aQueue,
  aReadyJob,
  aWorker,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import type { AcquireRequest } from '../scheduler.types.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import { matchPass } from './matcher.js';
import type { CandidateRequest, PassResult } from './matcher.types.js';
import { idleWindowMs } from './recently-idle-hosts.js';
import { ReadyWindows } from '../cache/ready-windows.js';
import { prepareClass, type RequirementClass } from '../requirements/requirement-class.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

let fleet: Fleet;
let ledger: Ledger;
let windows: ReadyWindows;
let classes: Map<string, RequirementClass>;
let jobs: number;

beforeEach(() => {
  [fleet, ledger, windows, classes, jobs] = [new Fleet(), new Ledger(), new ReadyWindows(), new Map(), 0];
  fleet.setQueues([aQueue({})]);
  fleet.set(aWorker({ id: 'gpu', hardware: { cores: 16 }, devices: [aDevice()] }));
  for (const id of ['a', 'b']) fleet.set(aWorker({ id, hardware: { cores: 4 } }));
});

function ready(count: number, requirements: Partial<StoredRequirements> = {}, taskId?: string): void {
  const wanted = someRequirements(requirements);
  const id = classIdOf(wanted);
  if (!classes.has(id)) classes.set(id, prepareClass(id, classes.size, wanted));
  const share = 'alpha/default';
  const window = taskId === undefined ? windows.open(share, id) : windows.openForTask(share, id, taskId);
  window.endRefill(window.beginRefill(), []);
  for (let i = 0; i < count; i += 1) window.insert(aReadyJob(`job_${String((jobs += 1)).padStart(6, '0')}`));
}

const asks = (workerId: string, cores: number, change: Partial<AcquireRequest> = {}): AcquireRequest => ({
  ...{ workerId, count: 100, free: { cores, memoryMiB: 16_384, diskMiB: 100_000 }, freeDeviceIds: [] },
  ...change,
});

/** Runs a pass with these requests. @param cpuOnlyLimit maximum number of jobs without GPUs for each */
function pass(nowMs: number, requests: readonly AcquireRequest[], cpuOnlyLimit = 1000): PassResult {
  const asked = requests.map((request): CandidateRequest => {
    const worker = fleet.worker(request.workerId);
    if (!worker) throw new Error(`no worker ${request.workerId}`);
    return { worker, request, limit: 1000, cpuOnlyLimit };
  });
  return matchPass({ fleet, ledger, windows, classOf: (id) => classes.get(id) }, asked, nowMs);
}

/** Number of jobs for each request. */
const given = ({ picks }: PassResult): readonly number[] => picks.map((choices) => choices.length);
const onlyGpu = [asks('gpu', 16)];

describe('a job without GPUs, when only a GPU host requests jobs', () => {
  it('is reserved for a CPU host that was just answered and has free capacity, until that requests jobs or stays silent too long', () => {
    fleet.recentlyIdle.answered(asks('a', 4), 0);
    ready(1);
    expect(pass(10, onlyGpu)).toMatchObject({ picks: [[]], hasDeferred: true });
    expect(pass(idleWindowMs - 1, onlyGpu)).toMatchObject({ picks: [[]], hasDeferred: true });
    expect(given(pass(idleWindowMs, onlyGpu))).toEqual([1]);
    ready(1);
    fleet.recentlyIdle.answered(asks('a', 4), 3000);
    expect(given(pass(3010, [...onlyGpu, asks('a', 4)]))).toEqual([0, 1]);
  });

  it('goes to the GPU host at once where no other host was active, or the others have no free capacity', () => {
    ready(1);
    expect(pass(0, onlyGpu)).toMatchObject({ picks: [[{}]], hasDeferred: false });
    ready(1);
    // By its own request.
    fleet.recentlyIdle.answered(asks('a', 0), 0);
    // By the ledger.
    fleet.recentlyIdle.answered(asks('b', 4), 0);
    ledger.add(anEntry({ jobId: 'held', workerId: 'b', requirements: someRequirements({ cores: 4 }) }));
    expect(given(pass(1, onlyGpu))).toEqual([1]);
  });

  it('is reserved for a host on which a job has just ended', () => {
    fleet.recentlyIdle.answered(asks('a', 0), 0);
    fleet.recentlyIdle.released('a', 5000);
    ready(1);
    expect(given(pass(5001, onlyGpu))).toEqual([0]);
    // It requests jobs, but has no free capacity.
    fleet.recentlyIdle.answered(asks('a', 0), 5002);
    expect(given(pass(5003, onlyGpu))).toEqual([1]);
  });

  it('is granted if the other hosts have no free capacity for it: the first jobs go, the last stay', () => {
    fleet.recentlyIdle.answered(asks('a', 3), 0);
    fleet.recentlyIdle.answered(asks('b', 2), 0);
    ready(8);
    const result = pass(1, onlyGpu);
    expect(given(result)).toEqual([3]);
    expect(result.hasDeferred).toBe(true);
    expect(result.picks[0]?.map(({ entry }) => entry.jobId)).toEqual([
      'job_000001',
      'job_000002',
      'job_000003',
    ]);
  });

  it('is granted also if it is of a limited task, whose jobs have a window of their own', () => {
    fleet.recentlyIdle.answered(asks('a', 3), 0);
    fleet.recentlyIdle.answered(asks('b', 2), 0);
    ready(8, {}, 'task_1');
    expect(given(pass(1, onlyGpu))).toEqual([3]);
    expect(given(pass(idleWindowMs, onlyGpu))).toEqual([5]);
    ready(3, {}, 'task_1');
    ready(3, {}, 'task_2');
    fleet.recentlyIdle.answered(asks('a', 2), idleWindowMs);
    expect(given(pass(idleWindowMs + 1, onlyGpu))).toEqual([4]);
  });

  it('does not wait for capacity that is reserved for jobs of another class', () => {
    fleet.recentlyIdle.answered(asks('a', 2), 0);
    ready(2);
    ready(2, { memoryMiB: 2048 });
    expect(given(pass(1, onlyGpu))).toEqual([2]);
  });

  it.each<[string, Partial<StoredRequirements>, Partial<AcquireRequest>]>([
    ['whose time is too short', { walltimeSeconds: 3600 }, { remainingSeconds: 3000 }],
    ['that may not take its experiment', {}, { experiments: ['beta'] }],
    ['that does not meet its requirements', { containerRuntime: 'podman' }, {}],
    ['that is too small', { cores: 8 }, {}],
  ])('does not wait for a host %s', (_what, requirements, change) => {
    fleet.set(
      aWorker({ id: 'gpu', hardware: { cores: 16, containerRuntimes: ['podman'] }, devices: [aDevice()] }),
    );
    fleet.recentlyIdle.answered(asks('a', 4, change), 0);
    ready(1, requirements);
    expect(given(pass(1, onlyGpu))).toEqual([1]);
  });

  it('does not wait for a draining host, nor in a queue at its job limit', () => {
    fleet.recentlyIdle.answered(asks('a', 4), 0);
    fleet.set(aWorker({ id: 'a', state: 'DRAINING', hardware: { cores: 4 } }));
    ready(1);
    expect(given(pass(1, onlyGpu))).toEqual([1]);
    fleet.setQueues([aQueue({}), aQueue({ id: 'full', name: 'full', limits: { maxRunningJobs: 1 } })]);
    fleet.set(aWorker({ id: 'b', queueId: 'full', hardware: { cores: 4 } }));
    ledger.add(anEntry({ jobId: 'held', workerId: 'b', queueId: 'full' }));
    fleet.recentlyIdle.answered(asks('b', 4), 2);
    ready(1);
    expect(given(pass(3, onlyGpu))).toEqual([1]);
  });

  it('waits for the next round where a CPU host requests jobs and has had its part of this one', () => {
    ready(3);
    const result = pass(0, [asks('gpu', 16), asks('a', 4)], 1);
    expect(given(result)).toEqual([0, 1]);
    expect(result.hasDeferred).toBe(true);
  });

  it('never starves, and is never held back beyond the free capacity', () => {
    const anyReport = fc.record({
      host: fc.constantFrom('a', 'b'),
      free: fc.integer({ min: 0, max: 4 }),
      atMs: fc.integer({ min: 0, max: 2000 }),
      isRelease: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(anyReport, { maxLength: 10 }),
        fc.integer({ min: 1, max: 16 }),
        (reports, count) => {
          [ledger, windows] = [new Ledger(), new ReadyWindows()];
          for (const { host, free, atMs, isRelease } of [...reports].sort((x, y) => x.atMs - y.atMs)) {
            if (isRelease) fleet.recentlyIdle.released(host, atMs);
            else fleet.recentlyIdle.answered(asks(host, free), atMs);
          }
          ready(count);
          const [first = 0] = given(pass(2000, onlyGpu));
          const [second = 0] = given(pass(2000 + idleWindowMs, onlyGpu));
          return first >= count - 8 && first + second === count;
        },
      ),
    );
  });
});
