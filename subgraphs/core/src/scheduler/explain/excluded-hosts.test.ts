import { expect, it } from '@jest/globals';
import { aQueue, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { Fleet } from '../cache/fleet.js';
import type { HostStanding } from '../cache/host-standing.types.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { hostsReason } from './excluded-hosts.js';

const now = Date.parse('2026-03-01T12:00:00Z');
const requirements = someRequirements({});

const cls = prepareClass(classIdOf(requirements), -1, requirements, 1);

function fleetWith(standing: HostStanding): Fleet {
  const fleet = new Fleet({ of: () => standing, onChanged: () => () => undefined });
  fleet.setQueues([aQueue({})]);
  fleet.set(aWorker({ id: 'worker_1', host: 'node-1' }));
  return fleet;
}

it.each<[string, Date | undefined, string]>([
  ['jobs of users', undefined, 'was excluded and is tested by one job at a time: broken.'],
  [
    'canary jobs',
    new Date(now + 60_000),
    'was excluded and is tested by a canary job, and from 2026-03-01T12:01:00.000Z on by other jobs as well: broken.',
  ],
])('says that a host is tested by %s', (_name, until, text) => {
  const fleet = fleetWith({ state: 'HALF_OPEN', until: null, reason: 'broken' });
  const canaryOnlyUntil = ({ host }: { readonly host: string }) => (host === 'node-1' ? until : undefined);
  expect(hostsReason(fleet, 'alpha', cls, now, { canaryOnlyUntil })).toBe(
    `Host node-1 of queue main ${text}`,
  );
});

it('says why core could not submit the canary job that tests an excluded host', () => {
  const hostTestProblem = (queue: string) => (queue === 'main' ? 'share "alpha/test" not found' : undefined);
  const problem =
    'Core could not submit the canary job that tests hosts of queue main: share "alpha/test" not found.';
  const excluded = fleetWith({ state: 'EXCLUDED', until: null, reason: 'broken' });
  expect(hostsReason(excluded, 'alpha', cls, now, { hostTestProblem })).toBe(
    `Host node-1 of queue main is excluded: broken. ${problem}`,
  );
  const suspect = fleetWith({ state: 'SUSPECT', until: null, reason: 'broken' });
  expect(hostsReason(suspect, 'alpha', cls, now, { hostTestProblem })).not.toContain('canary');
});
