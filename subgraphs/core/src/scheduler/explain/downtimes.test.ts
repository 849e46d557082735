import { describe, expect, it } from '@jest/globals';
import { aQueue, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { Fleet } from '../cache/fleet.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { downtimeReason } from './downtimes.js';
import { fleetFacts } from './fleet-facts.js';
import { Ledger } from '../cache/ledger.js';

const now = new Date('2030-01-01T12:00:00.000Z');
const hours = (count: number): Date => new Date(now.getTime() + count * 3_600_000);
const down = (from: number, to = from + 1) => ({
  downtimes: [{ startsAt: hours(from), endsAt: hours(to), reason: 'cooling' }],
});

/** Two queues with a worker each. */
function fleetWith(one: Parameters<typeof aQueue>[0], two: Parameters<typeof aQueue>[0] = {}): Fleet {
  const fleet = new Fleet();
  fleet.setQueues([aQueue(one), aQueue({ id: 'queue_2', name: 'second', ...two })]);
  fleet.set(aWorker({ id: 'worker_1' }));
  fleet.set(aWorker({ id: 'worker_2', queueId: 'queue_2' }));
  return fleet;
}

function classOf(change: Partial<StoredRequirements> = {}) {
  const requirements = someRequirements({ walltimeSeconds: 7200, ...change });
  return prepareClass(classIdOf(requirements), -1, requirements, 1);
}

const reason = (fleet: Fleet, change?: Partial<StoredRequirements>): string | undefined =>
  downtimeReason(fleet, 'alpha', classOf(change), now.getTime());

describe('downtimeReason', () => {
  it('names the downtime of the queue with the most time left, and the walltime that fits', () => {
    expect(reason(fleetWith(down(1), down(-1, 4)))).toBe(
      'Queue main is down from 2030-01-01T13:00:00.000Z to 2030-01-01T14:00:00.000Z: cooling. So is 1 other queue. A walltime of at most 3600 s would still fit.',
    );
  });

  it('names no walltime within a downtime', () => {
    expect(reason(fleetWith(down(-1, 4), { state: 'OFFLINE' }))).toBe(
      'Queue main is down from 2030-01-01T11:00:00.000Z to 2030-01-01T16:00:00.000Z: cooling.',
    );
  });

  it.each([
    ['that begins after the end of the job', down(3), {}],
    ['that is over', down(-2), {}],
    ['of another queue than the required one', down(1), { queue: 'second' }],
  ])('is absent for a downtime %s', (_, queue, change) => {
    expect(reason(fleetWith(queue), change)).toBeUndefined();
  });
});

it('counts workers of a queue that is down too soon as unfit, until the downtime is gone', () => {
  const fleet = fleetWith(down(1));
  const facts = () => fleetFacts(classOf(), 'alpha', { fleet, ledger: new Ledger(), wallMs: now.getTime() });
  expect(facts()).toMatchObject({ workersConsidered: 2, workersThatFit: 1 });
  expect(facts().relaxations).toContainEqual(
    expect.objectContaining({ change: 'walltimeSeconds >= 3600 instead of 7200', workersGained: 1 }),
  );
  fleet.setQueues([aQueue({}), aQueue({ id: 'queue_2', name: 'second' })]);
  expect(facts()).toMatchObject({ workersThatFit: 2 });
});
