import { beforeEach, describe, expect, it } from '@jest/globals';
import { aGpu, anEntry, aQueue, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import type { ExperimentLimits } from '../../queues/queue.document.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { explainPending } from './pending.js';

let fleet: Fleet;
let ledger: Ledger;

beforeEach(() => {
  [fleet, ledger] = [new Fleet(), new Ledger()];
  for (const at of [1, 2, 3])
    ledger.add(
      anEntry({ jobId: `job_${at}`, requirements: { cores: 2, memoryMiB: 1, diskMiB: 1 }, gpus: 0.5 }),
    );
});

/** Limits of alpha on the first queue; the second one has no worker. */
function limit(
  limits: Omit<ExperimentLimits, 'experiment'>,
  second: Parameters<typeof aQueue>[0] = {},
): void {
  fleet.setQueues([
    aQueue({ experimentLimits: [{ experiment: 'alpha', ...limits }] }),
    aQueue({ id: 'queue_2', name: 'second', limits: { maxRunningJobs: 1 }, ...second }),
  ]);
  fleet.set(aWorker({ devices: [{ id: 'GPU-1', vendor: 'NVIDIA', model: 'A100', health: 'HEALTHY' }] }));
}

function why(change: Partial<StoredRequirements> = {}, share = 'alpha/default') {
  const requirements = someRequirements(change);
  const classId = classIdOf(requirements);
  const job = {
    _id: 'job_9',
    state: 'ACTIVATED',
    share,
    owner: 'ada',
    priority: 0,
    classId,
    waitingFor: [],
  } as const;
  const cls = prepareClass(classId, 0, requirements, 1);
  return explainPending(job, cls, { fleet, ledger, nowMs: 0 }, null);
}

describe('explainPending', () => {
  it.each([
    [
      'running jobs',
      { maxRunningJobs: 3 },
      {},
      'Queue main has reached its limit of 3 running jobs of alpha.',
    ],
    [
      'cores',
      { maxCores: 8 },
      { cores: 4 },
      'Jobs of alpha use 6 cores of queue main; 4 more would exceed its limit of 8.',
    ],
    [
      'GPUs',
      { maxGpus: 2 },
      { gpu: aGpu() },
      'Jobs of alpha use 1.5 GPUs of queue main; 1 more would exceed its limit of 2.',
    ],
  ])('names the limit of %s of an experiment on a queue', (_what, limits, change, sentence) => {
    limit(limits);
    expect(why(change)).toMatchObject({ workersThatFit: 1, workersFreeNow: 0 });
    expect(why(change).summary).toBe(
      `Waits for free capacity: 1 of 1 worker could run it, but none has free capacity now. ${sentence}`,
    );
    expect(why({}, 'beta/default').summary).toMatch(/^Ready: 1 worker has free capacity/);
  });

  it('names the limit of a queue in all, and counts other queues with workers that could run the job', () => {
    limit({ maxRunningJobs: 3 }, { limits: { maxRunningJobs: 1 } });
    fleet.set(aWorker({ id: 'worker_2', queueId: 'queue_2' }));
    ledger.add(anEntry({ jobId: 'job_4', workerId: 'worker_2', queueId: 'queue_2' }));
    expect(why().summary).toMatch(/ of alpha\. Limits of 1 other queue are reached, too\.$/);
    expect(why({ queue: 'second' }).summary).toMatch(
      / Queue second has reached its limit of 1 running job\.$/,
    );
  });

  it('names no limit while another queue has free capacity', () => {
    limit({ maxRunningJobs: 3 });
    fleet.set(aWorker({ id: 'worker_2', queueId: 'queue_2' }));
    expect(why().summary).toMatch(/^Ready: 1 worker has free capacity for it\.$/);
  });
});
