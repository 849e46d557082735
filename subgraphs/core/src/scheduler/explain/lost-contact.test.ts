import { describe, expect, it } from '@jest/globals';
import type { StoredAttempt } from '../../jobs/model/job.types.js';
import { type ContactFacts, contactReason } from './lost-contact.js';
import type { WaitingJob } from './pending.types.js';

const since = new Date('2030-01-01T00:00:00.000Z');

function job(change: Partial<WaitingJob>, attempt: Partial<StoredAttempt> = {}): WaitingJob {
  const last = { number: 1, id: 'a', workerId: 'w1', queueId: 'q', fence: 8, deviceIds: [], sentAt: since };
  return {
    _id: 'job_1',
    state: 'RUNNING',
    share: 'alpha/default',
    owner: 'ada',
    priority: 0,
    classId: 'class_1',
    waitingFor: [],
    workerId: 'w1',
    attempt: 1,
    attempts: [{ ...last, ...attempt }],
    retry: { maxAttempts: 2, backoffSeconds: 0, backoffFactor: 2, retryOn: ['WORKER'] },
    ...change,
  };
}

const unreachable = { since, state: 'RUNNING' as const, queue: 'main' };
const lost =
  'Worker w1 is unreachable since 2030-01-01T00:00:00.000Z; its payload may run until 2030-01-02T00:00:00.000Z';

/** The explanation while the worker w1 is unreachable, or nobody. */
const explained = (of: WaitingJob, isUnreachable: boolean, more: Partial<ContactFacts> = {}) =>
  contactReason(of, {
    unreachableSince: (id) => (isUnreachable && id === 'w1' ? since : undefined),
    now: since,
    ...more,
  });

describe('contactReason', () => {
  it('is absent while the worker is in contact', () => {
    expect(explained(job({}), false)).toBeUndefined();
    expect(explained(job({ state: 'ACTIVATED', attempts: [] }), true)).toBeUndefined();
  });

  it('says when another worker gets the job', () => {
    expect(explained(job({}), true)).toBe(
      `${lost}; another worker gets the job at 2030-01-01T00:10:00.000Z.`,
    );
  });

  it('says that the job fails if no attempt is left', () => {
    expect(explained(job({ attempt: 2 }), true)).toBe(`${lost}; no attempt is left, so the job fails then.`);
  });

  it('says that the job fails if its retry policy does not cover lost workers', () => {
    const retry = { maxAttempts: 2, backoffSeconds: 0, backoffFactor: 2, retryOn: ['DATA' as const] };
    expect(explained(job({ retry }), false)).toBeUndefined();
    expect(explained(job({ retry }), true)).toBe(`${lost}; no attempt is left, so the job fails then.`);
  });

  it('does not count attempts whose worker could not reach core', () => {
    const error = { family: 'WORKER', code: 'CONTACT_LOST', message: 'silent', retryable: true } as const;
    const stored = job({ attempt: 2 });
    const attempts = [{ ...stored.attempts?.[0], error }, ...(stored.attempts ?? [])] as StoredAttempt[];
    expect(explained({ ...stored, attempts }, true)).toBe(
      `${lost}; another worker gets the job at 2030-01-01T00:10:00.000Z.`,
    );
  });

  const continues = `${lost}, and continues the job if it returns before another worker has begun it.`;

  it('says that the worker may continue a job that was given away', () => {
    expect(explained(job({ state: 'ACTIVATED' }, { unreachable }), true)).toBe(continues);
  });

  it('is absent for a job that was given away whose worker has ended, or whose payload must have', () => {
    const given = job({ state: 'ACTIVATED' }, { unreachable });
    expect(explained(given, false)).toBeUndefined();
    expect(explained(given, true, { now: new Date('2030-01-02T00:00:00.000Z') })).toBeUndefined();
  });

  it.each([
    ['SENT', continues],
    [
      'RUNNING',
      `${lost}. That is attempt 1: it ends when its worker returns, because a later one has begun.`,
    ],
  ] as const)('says what becomes of an older payload while a newer grant is %s', (state, expected) => {
    const older = job({}, { unreachable }).attempts ?? [];
    const newer = { ...older[0], number: 2, workerId: 'w2', unreachable: undefined } as StoredAttempt;
    expect(explained(job({ state, attempt: 2, workerId: 'w2', attempts: [...older, newer] }), true)).toBe(
      expected,
    );
  });

  it('says why a silent worker is not lost', () => {
    const lastSeenAt = new Date('2029-12-31T23:59:00.000Z');
    const silence = { lastSeenAt, reason: '30 of 90 workers fell silent within the time of one lease' };
    const silent =
      'Worker w1 has not reported since 2029-12-31T23:59:00.000Z, and its lease does not end now: 30 of 90 workers fell silent within the time of one lease.';
    expect(explained(job({}), false, { silence })).toBe(silent);
    expect(explained(job({}), false, { silence: { ...silence, until: since } })).toBe(
      `${silent} It ends at 2030-01-01T00:00:00.000Z at the latest.`,
    );
    expect(explained(job({ state: 'ACTIVATED' }), false, { silence })).toBeUndefined();
  });
});
