import { beforeEach, describe, expect, it } from '@jest/globals';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import {
  aGpu,
  anEntry,
  aQueue,
  aReadyJob,
  aShare,
  aWorker,
  devicesOfHost,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import { Fleet } from '../cache/fleet.js';
import { GrantHistory } from '../cache/grant-history.js';
import { Ledger } from '../cache/ledger.js';
import { explainPending, type PositionInShare } from './pending.js';
import type { PendingFacts, WaitingJob } from './pending.types.js';
import { positionOf, timeOfId } from './queue-position.js';
import { idleWindowMs } from '../placement/recently-idle-hosts.js';
import { ReadyWindow } from '../cache/ready-window.js';
import { prepareClass } from '../requirements/requirement-class.js';
import type { DeviceDocument } from '../../gpus/device.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

let fleet: Fleet;
let ledger: Ledger;
let workers: number;
let classes = 0;

beforeEach(() => {
  [fleet, ledger, workers] = [new Fleet(), new Ledger(), 0];
  fleet.setQueues([aQueue({}), aQueue({ id: 'queue_2', name: 'second' })]);
});

/** Equal workers with the same devices. */
function hosts(
  count: number,
  queueId: string,
  devices: readonly Partial<DeviceDocument>[],
  cores = 32,
): void {
  for (let i = 0; i < count; i += 1) {
    const id = `worker_${(workers += 1)}`;
    const own = devicesOfHost(id, devices);
    fleet.set(aWorker({ id, host: id, name: id, queueId, hardware: { cores }, devices: own }));
  }
}

const ready: PositionInShare = { position: 0, isPositionEstimated: false, inClass: 0 };

function explain(
  requirements: Partial<StoredRequirements>,
  {
    position = ready,
    history,
    nowMs = 0,
  }: { position?: PositionInShare | null; history?: GrantHistory; nowMs?: number } = {},
): PendingFacts {
  const wanted = someRequirements({ diskMiB: 0, ...requirements });
  const classId = classIdOf(wanted);
  const job: WaitingJob = {
    _id: 'job_1',
    state: 'ACTIVATED',
    share: 'alpha/default',
    owner: 'ada',
    priority: 0,
    classId,
    waitingFor: [],
  };
  return explainPending(
    job,
    prepareClass(classId, 0, wanted, (classes += 1)),
    { fleet, ledger, history, nowMs },
    position,
  );
}

const constraint = ({ constraints }: PendingFacts, text: string) =>
  constraints.find(({ constraint: own }) => own.startsWith(text));

describe('explainPending', () => {
  it('counts queues, workers and devices that meet each constraint alone, and with all before it', () => {
    hosts(3, 'queue_1', [{ driverVersion: '535.104.05' }, { driverVersion: '580.95.05' }]);
    hosts(2, 'queue_2', [{ driverVersion: '580.95.05', model: 'NVIDIA A30', memoryMiB: 24_258 }]);
    hosts(4, 'queue_1', []);
    const facts = explain({ gpu: aGpu({ minMemoryMiB: 40_960, cudaRuntime: '13.0' }) });
    expect(facts).toMatchObject({ queuesConsidered: 2, workersConsidered: 9, devicesConsidered: 8 });
    expect(constraint(facts, 'gpu memoryMiB')).toMatchObject({
      queuesThatPass: 1,
      workersThatPass: 3,
      devicesThatPass: 6,
    });
    expect(constraint(facts, 'cuda 13.0')).toMatchObject({
      queuesThatPass: 2,
      workersThatPass: 5,
      devicesThatPass: 5,
      queuesTogether: 1,
      workersTogether: 3,
      devicesTogether: 3,
      workersThatFailFirst: 0,
    });
    expect(constraint(facts, 'gpu is healthy')).toMatchObject({
      workersTogether: 5,
      workersThatFailFirst: 4,
    });
    expect(facts.mostFailed).toBe('gpu is healthy');
    expect(facts.workersThatFit).toBe(3);
  });

  it('counts a constraint as failed if the host meets it only with devices that fail other constraints', () => {
    hosts(1, 'queue_1', [
      { eccEnabled: true, memoryMiB: 40_536 },
      { eccEnabled: false, model: 'NVIDIA A100-SXM4-80GB', memoryMiB: 81_251 },
    ]);
    const facts = explain({ gpu: aGpu({ minMemoryMiB: 81_920, ecc: true }) });
    expect(constraint(facts, 'gpu ecc')).toMatchObject({
      workersThatPass: 1,
      workersTogether: 0,
      workersThatFailFirst: 1,
    });
    expect(facts.workersThatFit).toBe(0);
    expect(facts.summary).toMatch(/no worker meets all of them|meets "1 gpu/);
  });

  it('proposes the cheapest changes of one constraint, with the gain of each', () => {
    hosts(5, 'queue_1', [{ driverVersion: '525.60.13' }, { driverVersion: '525.60.13' }]);
    hosts(1, 'queue_2', [{ driverVersion: '535.104.05' }]);
    const { relaxations } = explain({ gpu: aGpu({ minDriverVersion: '575.51' }) });
    expect(relaxations).toContainEqual({
      constraint: 'driver >= 575.51',
      change: 'driver >= 525.60.13 instead of 575.51',
      queuesGained: 2,
      workersGained: 6,
      devicesGained: 11,
    });
    expect(relaxations[0]).toMatchObject({
      change: 'driver >= 535.104.05 instead of 575.51',
      workersGained: 1,
    });
    const features = explain({ gpu: aGpu({ cudaRuntime: '12.9', needsNewDriverFeature: true }) });
    expect(features.relaxations[0]?.change).toMatch(/^driver >= 525.60.13 instead of 575.51.03/);
    expect(features.relaxations[0]).toMatchObject({ workersGained: 6, devicesGained: 11 });
  });

  it.each<[Partial<StoredRequirements>, RegExp]>([
    [{ cores: 40 }, /^cores >= 32 instead of 40$/],
    [{ gpu: aGpu({ models: ['H100'] }) }, /^model H100 or A100$/],
    [{ gpu: aGpu({ minMemoryMiB: 81_920 }) }, /^gpu memoryMiB >= 40536 instead of 81920$/],
    [{ gpu: aGpu({ count: 2 }) }, /^1 gpu on one host instead of 2$/],
    [{ gpu: aGpu({ minComputeCapability: '9.0' }) }, /^capability >= 8.0 instead of 9.0$/],
    [{ gpu: aGpu({ sassTargets: ['sm_90'] }) }, /^code for sm_80 too$/],
    [{ gpu: aGpu({ ecc: true }) }, /^without ecc$/],
    [{ gpu: aGpu({ migProfile: '1g.5gb' }) }, /^a whole gpu instead of a part of one$/],
    [{ gpu: aGpu({ cudaRuntime: '13.0' }) }, /^with the forward-compatibility package of CUDA 13.0$/],
    [{ containerRuntime: 'podman', cores: 1 }, /^never$/],
    [{ network: true }, /^without the outside network$/],
    [{ queue: 'nowhere' }, /^any queue instead of nowhere$/],
    [{ selector: 'worker.labels["zone"] == "x"' }, /^without the selector$/],
  ])('proposes for %j: %s', (requirements, change) => {
    hosts(2, 'queue_1', [{ driverVersion: '535.104.05', computeCapability: '8.0' }]);
    const { relaxations, workersThatFit } = explain(requirements);
    expect(workersThatFit).toBe(0);
    const found = relaxations.filter((one) => change.test(one.change));
    if (change.source === '^never$') expect(relaxations).toEqual([]);
    else expect(found[0]).toMatchObject({ workersGained: 2 });
  });

  it.each<[Parameters<typeof aGpu>[0], string]>([
    [{}, 'a slice or partition >= 125/1000 of a gpu instead of a whole one'],
    [{ migFraction: 500 }, 'a slice or partition >= 125/1000 of a gpu instead of 500/1000'],
  ])('proposes for %j on a host with an MI300X in eight partitions: %s', (asked, change) => {
    const part = { vendor: 'AMD', model: 'AMD Instinct MI300X', partitionMode: 'CPX/NPS4', parentId: 'gpu' };
    hosts(
      1,
      'queue_1',
      Array.from({ length: 8 }, () => part),
    );
    const { relaxations, workersThatFit } = explain({ gpu: aGpu(asked) });
    expect(workersThatFit).toBe(0);
    expect(relaxations).toContainEqual(
      expect.objectContaining({ change, workersGained: 1, devicesGained: 8 }),
    );
    expect(explain({ gpu: aGpu({ migFraction: 125 }) }).workersThatFit).toBe(1);
  });

  it('excludes devices with an unknown fact only for jobs that require it, and names the fact in the reason', () => {
    fleet.set(
      aWorker({
        id: 'bare',
        queueId: 'queue_1',
        devices: [
          { id: 'bare-0', vendor: 'INTEL', model: 'unknown INTEL device 8086:0bda', health: 'HEALTHY' },
        ],
      }),
    );
    expect(explain({ gpu: aGpu() }).workersThatFit).toBe(1);
    expect(explain({ gpu: aGpu({ vendor: 'INTEL' }) }).workersThatFit).toBe(1);
    const reasonOf = (gpu: Parameters<typeof aGpu>[0], text: string) => {
      const facts = explain({ gpu: aGpu(gpu) });
      expect(facts.workersThatFit).toBe(0);
      return constraint(facts, text)?.reasons;
    };
    expect(reasonOf({ minMemoryMiB: 1000 }, 'gpu memoryMiB')).toEqual([
      'its memory is unknown, 1000 MiB are required (1 worker)',
    ]);
    expect(reasonOf({ minDriverVersion: '1.0' }, 'driver')).toEqual([
      'its driver is unknown, 1.0 or newer is required (1 worker)',
    ]);
    expect(reasonOf({ ecc: true }, 'gpu ecc')).toEqual([
      'its ECC state is unknown, and ECC is required (1 worker)',
    ]);
    expect(explain({ gpu: aGpu({ minMemoryMiB: 1000 }) }).relaxations).toContainEqual({
      constraint: 'gpu memoryMiB >= 1000',
      change: 'without a condition on the memory of the gpu',
      queuesGained: 1,
      workersGained: 1,
      devicesGained: 1,
    });
  });

  it('proposes no single change for a job that two constraints keep from every worker', () => {
    hosts(2, 'queue_1', [{ eccEnabled: false }]);
    expect(explain({ cores: 64, gpu: aGpu({ ecc: true }) }).relaxations).toEqual([]);
  });

  it('reports that a job without GPUs is reserved for a host without GPUs, while that is so', () => {
    hosts(1, 'queue_1', [{}]);
    fleet.set(aWorker({ id: 'plain', queueId: 'queue_1' }));
    const free = { cores: 8, memoryMiB: 16_384, diskMiB: 100_000 };
    fleet.recentlyIdle.answered({ workerId: 'plain', count: 8, free, freeDeviceIds: [] }, 0);
    expect(explain({}, { nowMs: 100 }).summary).toMatch(
      /It is reserved for 1 host without GPUs with free capacity, which is expected to request jobs within 2\.5 s\.$/,
    );
    expect(explain({ gpu: aGpu() }, { nowMs: 100 }).summary).not.toMatch(/reserved for/);
    expect(explain({}, { nowMs: idleWindowMs }).summary).not.toMatch(/reserved for/);
  });

  it('reports a share whose limit of GPUs is in use, although workers have free capacity', () => {
    hosts(2, 'queue_1', [{}, {}]);
    fleet.setShares([aShare({ nominalCores: 0, nominalGpus: 1, borrowLimitGpus: 1 })]);
    ledger.add(anEntry({ workerId: 'worker_1', deviceIds: ['worker_1-0'], gpus: 1.5 }));
    expect(explain({ gpu: aGpu() }).summary).toBe(
      'Share alpha/default uses 1.5 GPUs; 1 more would exceed its limit.',
    );
    expect(explain({ gpu: aGpu({ optional: true }) }).summary).toMatch(/^Ready/);
    expect(explain({}).summary).toMatch(/^Ready/);
  });

  it('lists preferences with their share, and the workers that could run the job and meet them', () => {
    hosts(2, 'queue_1', [], 8);
    hosts(3, 'queue_2', [], 32);
    const preferences = [
      { expression: 'queue.name == "second"', weight: 3 },
      { expression: 'worker.host in ["worker_1", "worker_3"]', weight: 1 },
    ];
    expect(explain({ cores: 16, preferences }).preferences).toEqual([
      {
        expression: 'queue.name == "second"',
        weight: 3,
        share: 0.75,
        workersThatMeet: 3,
        isEstimated: false,
      },
      {
        expression: preferences[1]?.expression,
        weight: 1,
        share: 0.25,
        workersThatMeet: 1,
        isEstimated: false,
      },
    ]);
    expect(explain({ cores: 16 }).preferences).toEqual([]);
  });

  it('estimates how many of very many workers meet a preference that distinguishes them', () => {
    hosts(2500, 'queue_1', []);
    const preferences = [
      { expression: 'worker.host.endsWith("0") && queue.name != "second"', weight: 2 },
      { expression: 'queue.name != "second"', weight: 1 },
    ];
    const [byHost, byQueue] = explain({ preferences }).preferences;
    expect(byQueue).toMatchObject({ workersThatMeet: 2500, isEstimated: false });
    expect(byHost).toMatchObject({ isEstimated: true });
    // A tenth of the hosts has such a name.
    expect(byHost?.workersThatMeet).toBeGreaterThan(200);
    expect(byHost?.workersThatMeet).toBeLessThan(300);
  });

  it('counts workers with free capacity by the ledger', () => {
    hosts(2, 'queue_1', [{}]);
    ledger.add(anEntry({ workerId: 'worker_1', deviceIds: ['worker_1-0'] }));
    expect(explain({ gpu: aGpu() })).toMatchObject({ workersThatFit: 2, workersFreeNow: 1 });
  });

  it('costs a constant for each shape: 20,000 workers of 70 shapes', () => {
    const drivers = [
      '470.82.01',
      '515.65.01',
      '525.60.13',
      '535.104.05',
      '550.54.15',
      '560.35.05',
      '580.95.05',
    ];
    for (let i = 0; i < 2000; i += 1)
      hosts(
        10,
        'queue_1',
        Array.from({ length: 8 }, () => ({
          driverVersion: drivers[i % 7] ?? '',
          memoryMiB: 40_000 + (i % 10),
        })),
      );
    const begun = process.cpuUsage();
    const facts = explain({ gpu: aGpu({ count: 8, cudaRuntime: '12.9', needsNewDriverFeature: true }) });
    const { user, system } = process.cpuUsage(begun);
    expect(facts.workersConsidered).toBe(20_000);
    console.log(
      `measured: an explanation over 20,000 workers took ${(user + system) / 1000} ms of processor time`,
    );
  });
});

describe('the wait', () => {
  const granted = (
    times: readonly number[],
    share = 'alpha/default',
    requirements = { gpu: aGpu() },
  ): GrantHistory => {
    const history = new GrantHistory();
    const classId = classIdOf(someRequirements({ diskMiB: 0, ...requirements }));
    for (const at of times) history.record(share, classId, at);
    return history;
  };

  it('is estimated from the recent grants of its class in its share, with an interval around it', () => {
    hosts(1, 'queue_1', [{}]);
    const history = granted(Array.from({ length: 20 }, (_, i) => i * 1000));
    const position = { position: 50, isPositionEstimated: false, inClass: 9 };
    const { wait } = explain({ gpu: aGpu() }, { position, history, nowMs: 20_000 });
    expect(wait).toMatchObject({ kind: 'ESTIMATED', basedOnGrants: 20 });
    expect(wait.seconds).toBeCloseTo(10);
    expect(wait.lowSeconds).toBeLessThan(10);
    expect(wait.highSeconds).toBeGreaterThan(10);
  });

  it('grows while nothing is granted', () => {
    hosts(1, 'queue_1', [{}]);
    const history = granted([0, 1000, 2000, 3000, 4000]);
    const seconds = (nowMs: number) => explain({ gpu: aGpu() }, { history, nowMs }).wait.seconds ?? 0;
    expect(seconds(400_000)).toBeGreaterThan(10 * seconds(5000));
  });

  it.each<[string, PositionInShare | null, GrantHistory | undefined, RegExp]>([
    ['where too little was granted', ready, granted([1, 2]), /^Only 2 jobs /],
    ['where others were granted', ready, granted([1, 2, 3, 4, 5], 'beta/default'), /^No job /],
    ['where grants were long ago', ready, granted([1, 2, 3, 4, 5].map((at) => at - 4e6)), /^No job /],
    [
      'where its position is unknown',
      { position: null, isPositionEstimated: true, inClass: null },
      granted([1, 2, 3, 4]),
      /is unknown/,
    ],
    ['where it is not ready', null, granted([1, 2, 3, 4]), /not ready/],
    ['where this process does not lead', ready, undefined, /does not lead/],
  ])('is unknown %s, with the reason', (_when, position, history, reason) => {
    hosts(1, 'queue_1', [{}]);
    const { wait } = explain({ gpu: aGpu() }, { position, nowMs: 10, ...(history ? { history } : {}) });
    expect(wait).toMatchObject({ kind: 'UNKNOWN', seconds: null, lowSeconds: null, highSeconds: null });
    expect(wait.reason).toMatch(reason);
  });

  it('is unknown where no worker could run the job', () => {
    expect(explain({ gpu: aGpu() }, { history: granted([1, 2, 3, 4]), nowMs: 10 }).wait.reason).toMatch(
      /No worker/,
    );
  });
});

describe('the position', () => {
  const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  const idAt = (ms: number): string => {
    let [text, left] = ['', ms];
    for (let i = 0; i < 10; i += 1) {
      text = digits.charAt(left % 32) + text;
      left = Math.floor(left / 32);
    }
    return `job_${text}${'0'.repeat(16)}`;
  };

  function windowOf(times: readonly number[], isComplete: boolean): ReadyWindow {
    const window = new ReadyWindow('class_1', 'alpha/default');
    const request = window.beginRefill();
    const found = times.map((ms) => aReadyJob(idAt(ms)));
    window.endRefill(isComplete ? request : { ...request, limit: found.length }, found);
    return window;
  }

  it('is exact within the range of the windows', () => {
    const windows = [windowOf([1000, 2000, 3000], true), windowOf([1500, 2500, 9000], false)];
    expect(positionOf(windows, { priority: 0, id: idAt(2500) }, 1000, 10_000)).toMatchObject({
      position: 3,
      isPositionEstimated: false,
    });
  });

  it('is estimated beyond the windows from the count of ready jobs and the creation time', () => {
    const windows = [windowOf([1000, 2000], false)];
    const at = (ms: number) => positionOf(windows, { priority: 0, id: idAt(ms) }, 102, 12_000);
    expect(at(7000)).toMatchObject({ position: 52, isPositionEstimated: true });
    expect(at(12_000)).toMatchObject({ position: 102, isPositionEstimated: true });
    expect(positionOf(windows, { priority: 0, id: idAt(7000) }, undefined, 12_000)).toMatchObject({
      position: null,
      isPositionEstimated: true,
    });
  });

  it('decodes the time of an id', () => {
    expect(timeOfId(idAt(1_700_000_000_123))).toBe(1_700_000_000_123);
    expect(timeOfId('job_1')).toBeUndefined();
  });
});
