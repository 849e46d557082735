import { describe, expect, it } from '@jest/globals';
import type { StoredAttempt } from '../../jobs/model/job.types.js';
import { contactReason } from './lost-contact.js';
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

const lost =
  'Worker w1 is unreachable since 2030-01-01T00:00:00.000Z; its payload may run until 2030-01-02T00:00:00.000Z';

describe('contactReason', () => {
  it('is absent while the worker is in contact', () => {
    expect(contactReason(job({}), undefined)).toBeUndefined();
    expect(contactReason(job({ state: 'ACTIVATED', attempts: [] }), since)).toBeUndefined();
  });

  it('says when another worker gets the job', () => {
    expect(contactReason(job({}), since)).toBe(
      `${lost}; another worker gets the job at 2030-01-01T00:10:00.000Z.`,
    );
  });

  it('says that the job fails if no attempt is left', () => {
    expect(contactReason(job({ attempt: 2 }), since)).toBe(
      `${lost}; no attempt is left, so the job fails then.`,
    );
  });

  it('says that the job fails if its retry policy does not cover lost workers', () => {
    const retry = { maxAttempts: 2, backoffSeconds: 0, backoffFactor: 2, retryOn: ['DATA' as const] };
    expect(contactReason(job({ retry }), undefined)).toBeUndefined();
    expect(contactReason(job({ retry }), since)).toBe(`${lost}; no attempt is left, so the job fails then.`);
  });

  it('does not count attempts whose worker could not reach core', () => {
    const error = { family: 'WORKER', code: 'CONTACT_LOST', message: 'silent', retryable: true } as const;
    const stored = job({ attempt: 2 });
    const attempts = [{ ...stored.attempts?.[0], error }, ...(stored.attempts ?? [])] as StoredAttempt[];
    expect(contactReason({ ...stored, attempts }, since)).toBe(
      `${lost}; another worker gets the job at 2030-01-01T00:10:00.000Z.`,
    );
  });

  it('says that the worker may continue a job that was given away', () => {
    const unreachable = { since, state: 'RUNNING' as const, queue: 'main' };
    expect(contactReason(job({ state: 'ACTIVATED' }, { unreachable }), undefined)).toBe(
      `${lost}, and continues the job if it returns before another worker has begun it.`,
    );
  });
});
