import { beforeEach, describe, expect, it } from '@jest/globals';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import {
  aDevice,
  aGpu,
  anEntry,
  aQueue,
  aReadyJob,
  aWorker,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import { ReadyWindows } from '../cache/ready-windows.js';
import { prepareClass, type RequirementClass } from '../requirements/requirement-class.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { matchPass } from './matcher.js';
import type { PendingGrant } from './matcher.types.js';

let fleet: Fleet;
let windows: ReadyWindows;
let ledger: Ledger;
let classes: Map<string, RequirementClass>;

beforeEach(() => {
  [fleet, windows, ledger, classes] = [new Fleet(), new ReadyWindows(), new Ledger(), new Map()];
});

function ready(
  jobs: readonly string[],
  requirements: Partial<StoredRequirements>,
  share = 'alpha/default',
): void {
  const wanted = someRequirements(requirements);
  const id = classIdOf(wanted);
  if (!classes.has(id)) classes.set(id, prepareClass(id, classes.size, wanted));
  const window = windows.open(share, id);
  window.endRefill(window.beginRefill(), []);
  for (const job of jobs) window.insert(aReadyJob(job));
}

/** A pass in which these workers offer everything that they have. */
function pass(...workerIds: readonly string[]): readonly (readonly PendingGrant[])[] {
  const requests = workerIds.flatMap((workerId) => {
    const worker = fleet.worker(workerId);
    const free = { cores: 1000, memoryMiB: 10_000_000, diskMiB: 10_000_000 };
    const freeDeviceIds = worker?.facts.devices.map(({ id }) => id) ?? [];
    return worker ? [{ worker, request: { workerId, count: 100, free, freeDeviceIds }, limit: 1000 }] : [];
  });
  return matchPass({ fleet, windows, ledger, classOf: (id) => classes.get(id) }, requests, 0).picks;
}

const ids = (picks: readonly PendingGrant[] = []): readonly string[] => picks.map(({ entry }) => entry.jobId);

describe('matchPass', () => {
  it('respects the limits of an experiment on a queue, and gives others what is left', () => {
    const limited = (limits: object) => [{ experiment: 'alpha', ...limits }];
    fleet.setQueues([
      aQueue({ experimentLimits: limited({ maxRunningJobs: 2 }) }),
      aQueue({ id: 'queue_2', name: 'cores', experimentLimits: limited({ maxCores: 5 }) }),
      aQueue({ id: 'queue_3', name: 'none', experimentLimits: limited({ maxRunningJobs: 0 }) }),
    ]);
    for (const at of [1, 2, 3]) fleet.set(aWorker({ id: `worker_${at}`, queueId: `queue_${at}` }));
    ledger.add(anEntry({ jobId: 'job_0', workerId: 'worker_9' }));
    ready(['job_1', 'job_2', 'job_3', 'job_4', 'job_5'], { cores: 2 });
    ready(['job_b1', 'job_b2'], { cores: 4 }, 'beta/b');
    const [one = [], two = [], three = []] = pass('worker_1', 'worker_2', 'worker_3').map(ids);
    const ofAlpha = (found: readonly string[]) => found.filter((id) => !id.startsWith('job_b')).length;
    expect([ofAlpha(one), ofAlpha(two), ofAlpha(three)]).toEqual([1, 2, 0]);
    expect([...one, ...two, ...three].filter((id) => id.startsWith('job_b')).sort()).toEqual([
      'job_b1',
      'job_b2',
    ]);
    expect(ledger.queueUse('queue_1', 'alpha')).toMatchObject({ jobs: 2, cores: 3 });
    ledger.release('job_0', 8);
    expect(pass('worker_1')[0]).toHaveLength(1);
  });

  it('counts GPUs of an experiment by their part, and leaves optional ones out', () => {
    const experimentLimits = [{ experiment: 'alpha', maxGpus: 1 }];
    fleet.setQueues([aQueue({ experimentLimits, limits: { gpuSharing: true } })]);
    const devices = ['GPU-1', 'GPU-2', 'GPU-3'].map((id) => aDevice({ id }));
    fleet.set(aWorker({ devices }));
    ready(['job_1', 'job_2', 'job_3'], { gpu: aGpu({ share: 500 }) });
    expect(ids(pass('worker_1')[0])).toEqual(['job_1', 'job_2']);
    ready(['job_4'], { gpu: aGpu({ optional: true }) });
    const [placed] = pass('worker_1')[0] ?? [];
    expect([placed?.entry.jobId, placed?.entry.deviceIds]).toEqual(['job_4', []]);
    ledger.release('job_1', Infinity);
    ready(['job_5'], { gpu: aGpu() });
    expect(ids(pass('worker_1')[0])).toEqual(['job_3']);
  });
});
