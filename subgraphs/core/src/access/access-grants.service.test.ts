import { beforeEach, describe, expect, it } from '@jest/globals';
import { createIds } from '@rhizome/clock';
import { type ManualClock, manualClock, testPrincipal } from '@rhizome/testkit';
import type { AccessGrantDocument } from './access-grant.document.js';
import { AccessGrantsRepository } from './access-grants.repository.js';
import { AccessGrantsService } from './access-grants.service.js';

const job = { _id: 'job_1', experiment: 'alpha', owner: 'ada@example', share: 'alpha/default' };
const bob = testPrincipal({ subject: 'bob@example', grants: { alpha: 'USER' } });
const hourMs = 3_600_000;

let clock: ManualClock;
let repository: AccessGrantsRepository;
let service: AccessGrantsService;

beforeEach(() => {
  clock = manualClock();
  // Nothing is read: the changes of a directory are set.
  repository = new AccessGrantsRepository({ collection: () => ({}) } as never);
  service = new AccessGrantsService({
    repository,
    jobOf: async () => null,
    taskOf: async () => null,
    shareOf: async () => null,
    clock,
    ids: createIds(),
  });
});

function aGrant(change: Partial<AccessGrantDocument> = {}): AccessGrantDocument {
  const now = clock.now();
  return {
    ...{ _id: 'access_1', schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
    ...{ experiment: 'alpha', owner: 'ada@example', jobId: null, taskId: null, share: null },
    ...{ grantee: 'bob@example', groupId: null, reason: null, grantedBy: 'ada@example' },
    level: 'MANAGE',
    expiresAt: new Date(now.getTime() + hourMs),
    ...change,
  };
}

describe('grants in memory', () => {
  it('keeps a grant ended if an earlier revision arrives late', () => {
    const { directory } = repository;
    const grant = aGrant();
    directory.set(grant);
    expect(service.allows(bob, job, 'MANAGE')).toBe(true);
    directory.set({ ...grant, revision: 2, expiresAt: clock.now() });
    directory.set(grant);
    expect(service.allows(bob, job, 'READ')).toBe(false);
  });

  it('forgets grants some time after their end', () => {
    const { directory } = repository;
    directory.set(aGrant());
    clock.advance(2 * hourMs);
    directory.set(aGrant({ _id: 'access_2', grantee: 'cid@example' }));
    expect([...directory.values()].map(({ _id }) => _id)).toEqual(['access_2']);
    expect(service.ofJob(testPrincipal(), job).map(({ _id }) => _id)).toEqual(['access_2']);
  });
});
