/** What is said where no worker can be looked at, and where all that fit are in use. */
import { beforeEach, describe, expect, test } from '@jest/globals';
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

describe('the sentence for a job that no worker could be asked for tells why', () => {
  test.each<[string, Parameters<typeof aQueue>[0][], Partial<StoredRequirements>, string]>([
    ['no queue', [], {}, 'There is no queue yet.'],
    ['others admitted', [{ experiments: ['beta'] }], {}, 'None of 1 queue admits alpha.'],
    [
      'none online',
      [{ state: 'OFFLINE' }, { id: 'q2', name: 'second', state: 'PAUSED' }],
      {},
      'No queue that admits alpha is online: main is OFFLINE, second is PAUSED.',
    ],
    ['no worker', [{}], {}, 'No live worker of 1 queue that is online and admits alpha.'],
    ['a queue that went', [{}], { queue: 'gone' }, 'There is no queue gone, and the job asks for it.'],
    [
      'its queue is offline',
      [{}, { id: 'q2', name: 'second', state: 'OFFLINE' }],
      { queue: 'second' },
      'Queue second, which the job asks for, is OFFLINE.',
    ],
    [
      'its queue admits others',
      [{ experiments: ['beta'] }],
      { queue: 'main' },
      'Queue main, which the job asks for, does not admit alpha.',
    ],
    [
      'its queue is tested and has no worker',
      [{ state: 'TEST' }],
      { queue: 'main' },
      'No live worker of queue main, which the job asks for.',
    ],
  ])('%s', (_case, queues, requirements, text) => {
    fleet.setQueues(queues.map(aQueue));
    expect(summary(requirements)).toBe(text);
  });

  test('its queue is offline, also where workers of others are at hand', () => {
    fleet.setQueues([aQueue({}), aQueue({ id: 'q2', name: 'second', state: 'OFFLINE' })]);
    fleet.put(aWorker({}));
    expect(summary({ queue: 'second' })).toBe('Queue second, which the job asks for, is OFFLINE.');
  });

  test('all are draining', () => {
    fleet.setQueues([aQueue({})]);
    fleet.put(aWorker({ id: 'a', state: 'DRAINING' }));
    expect(summary()).toMatch(/^The only live worker of 1 queue .* takes no more jobs: it is draining\.$/);
    fleet.put(aWorker({ id: 'b', state: 'DRAINING' }));
    expect(summary()).toMatch(/^All 2 live workers of 1 queue .* they are draining\.$/);
  });
});

describe('the sentence for a job that fits', () => {
  beforeEach(() => {
    fleet.setQueues([aQueue({})]);
    fleet.put(aWorker({ id: 'a' }));
    fleet.put(aWorker({ id: 'b', hardware: { cores: 2 } }));
  });

  test('where all that fit are in use: how many do, and whose turn it is', () => {
    ledger.add(anEntry({ workerId: 'a', requirements: { cores: 8, memoryMiB: 1, diskMiB: 1 } }));
    expect(summary({ cores: 8 }, 3)).toBe(
      'Waits for room: 1 of 2 workers could run it, but none has room now; 3 jobs of its share come before it.',
    );
  });

  test('where its owner has the limit in use, though it is not put aside yet', () => {
    fleet.setShares([aShare({ nominalCores: 100, ownerLimitCores: 4 })]);
    expect(summary({ cores: 8 })).toBe(
      'It asks for more cores than one owner may use of share alpha/default.',
    );
    ledger.add(anEntry({ workerId: 'a', requirements: { cores: 4, memoryMiB: 1, diskMiB: 1 } }));
    expect(summary()).toBe('Owner ada has its limit of cores of share alpha/default in use.');
  });

  test('where each thing is met by some and all by none: what most fail first by', () => {
    fleet.put(aWorker({ id: 'c', hardware: { cores: 2, memoryMiB: 65_536 } }));
    expect(summary({ cores: 8, memoryMiB: 32_768 })).toBe(
      'Each constraint is met by some of 3 workers, but no worker meets all of them. Most of them fail first by "cores >= 8".',
    );
  });
});
