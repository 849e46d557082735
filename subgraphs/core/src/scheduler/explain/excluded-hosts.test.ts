import { expect, it } from '@jest/globals';
import { aQueue, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { Fleet } from '../cache/fleet.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { hostsReason } from './excluded-hosts.js';

const now = Date.parse('2026-03-01T12:00:00Z');
const requirements = someRequirements({});

it.each<[string, Date | undefined, string]>([
  ['jobs of users', undefined, 'was excluded and is tested by one job at a time: broken.'],
  [
    'canary jobs',
    new Date(now + 60_000),
    'was excluded and is tested by a canary job, and from 2026-03-01T12:01:00.000Z on by other jobs as well: broken.',
  ],
])('says that a host is tested by %s', (_name, until, text) => {
  const standing = { state: 'HALF_OPEN', until: null, reason: 'broken' } as const;
  const fleet = new Fleet({ of: () => standing, onChanged: () => () => undefined });
  fleet.setQueues([aQueue({})]);
  fleet.set(aWorker({ id: 'worker_1', host: 'node-1' }));
  const cls = prepareClass(classIdOf(requirements), -1, requirements, 1);
  const canaryOnlyUntil = ({ host }: { readonly host: string }) => (host === 'node-1' ? until : undefined);
  expect(hostsReason(fleet, 'alpha', cls, now, canaryOnlyUntil)).toBe(`Host node-1 of queue main ${text}`);
});
