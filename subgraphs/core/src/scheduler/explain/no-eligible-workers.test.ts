/** Summaries for jobs without eligible workers, and for jobs whose eligible workers are all in use. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import {
  anEntry,
  aQueue,
  aShare,
  aWorker,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import { explainPending } from './pending.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

let fleet: Fleet;
let ledger: Ledger;

beforeEach(() => {
  [fleet, ledger] = [new Fleet(), new Ledger()];
});

function summary(requirements: Partial<StoredRequirements> = {}, position = 0): string {
  const wanted = someRequirements(requirements);
  const classId = classIdOf(wanted);
  const state = 'ACTIVATED';
  const job = { _id: 'job_1', state, share: 'alpha/default', owner: 'ada', priority: 0, classId } as const;
  const inShare = { position, isPositionEstimated: false, inClass: position };
  const cls = prepareClass(classId, -1, wanted, 1);
  return explainPending({ ...job, waitingFor: [] }, cls, { fleet, ledger, nowMs: 0 }, inShare).summary;
}

describe('the summary for a job without eligible workers', () => {
  it.each<[string, Parameters<typeof aQueue>[0][], Partial<StoredRequirements>, string]>([
    ['no queue', [], {}, 'There is no queue yet.'],
    ['others admitted', [{ experiments: ['beta'] }], {}, 'None of 1 queue admits alpha.'],
    [
      'none online',
      [{ state: 'OFFLINE' }, { id: 'q2', name: 'second', state: 'PAUSED' }],
      {},
      'No queue that admits alpha is online: main is OFFLINE, second is PAUSED.',
    ],
    ['no worker', [{}], {}, 'No live worker of 1 queue that is online and admits alpha.'],
    ['a queue that went', [{}], { queue: 'gone' }, 'Queue "gone" not found. The job requires this queue.'],
    [
      'its queue is offline',
      [{}, { id: 'q2', name: 'second', state: 'OFFLINE' }],
      { queue: 'second' },
      'Queue second, which the job requires, is OFFLINE.',
    ],
    [
      'its queue admits others',
      [{ experiments: ['beta'] }],
      { queue: 'main' },
      'Queue main, which the job requires, does not admit alpha.',
    ],
    [
      'its queue is tested and has no worker',
      [{ state: 'TEST' }],
      { queue: 'main' },
      'No live worker of queue main, which the job requires.',
    ],
  ])('names the cause: %s', (_case, queues, requirements, text) => {
    fleet.setQueues(queues.map(aQueue));
    expect(summary(requirements)).toBe(text);
  });

  it('names the offline queue of the job, although other queues have workers', () => {
    fleet.setQueues([aQueue({}), aQueue({ id: 'q2', name: 'second', state: 'OFFLINE' })]);
    fleet.set(aWorker({}));
    expect(summary({ queue: 'second' })).toBe('Queue second, which the job requires, is OFFLINE.');
  });

  it('names draining as the cause', () => {
    fleet.setQueues([aQueue({})]);
    fleet.set(aWorker({ id: 'a', state: 'DRAINING' }));
    expect(summary()).toMatch(/^The only live worker of 1 queue .* accepts no more jobs: it is draining\.$/);
    fleet.set(aWorker({ id: 'b', state: 'DRAINING' }));
    expect(summary()).toMatch(/^All 2 live workers of 1 queue .* they are draining\.$/);
  });
});

describe('the summary for a job that fits some worker', () => {
  beforeEach(() => {
    fleet.setQueues([aQueue({})]);
    fleet.set(aWorker({ id: 'a' }));
    fleet.set(aWorker({ id: 'b', hardware: { cores: 2 } }));
  });

  it('counts the workers that fit but are in use, and the jobs that come first', () => {
    ledger.add(anEntry({ workerId: 'a', requirements: { cores: 8, memoryMiB: 1, diskMiB: 1 } }));
    expect(summary({ cores: 8 }, 3)).toBe(
      'Waits for free capacity: 1 of 2 workers could run it, but none has free capacity now; 3 jobs of its share come before it.',
    );
  });

  it('names the exhausted limit of the owner, although the job is not throttled yet', () => {
    fleet.setShares([aShare({ nominalCores: 100, ownerLimitCores: 4 })]);
    expect(summary({ cores: 8 })).toBe(
      'It requires more cores than one owner may use in share alpha/default.',
    );
    ledger.add(anEntry({ workerId: 'a', requirements: { cores: 4, memoryMiB: 1, diskMiB: 1 } }));
    expect(summary()).toBe('Owner ada has reached its limit of cores in share alpha/default.');
  });

  it('names the constraint that most workers fail first, if no worker meets all', () => {
    fleet.set(aWorker({ id: 'c', hardware: { cores: 2, memoryMiB: 65_536 } }));
    expect(summary({ cores: 8, memoryMiB: 32_768 })).toBe(
      'Each constraint is met by some of 3 workers, but no worker meets all of them. Most of them fail "cores >= 8" first.',
    );
  });
});
