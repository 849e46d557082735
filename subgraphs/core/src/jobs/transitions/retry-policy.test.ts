import { describe, expect, it } from '@jest/globals';
import { plannedErrors, uncountedJobErrors } from '@rhizome/errors';
import fc from 'fast-check';
import type { JobErrorFamily, StoredRetryPolicy } from '../model/job.types.js';
import { backoffSeconds, decideAfterFailure, type FailedJob, longestBackoffSeconds } from './retry-policy.js';

const families: readonly JobErrorFamily[] = ['PAYLOAD', 'WORKER', 'LIMIT', 'DATA', 'SYSTEM'];
const now = new Date('2030-01-01T00:00:00Z');
const policies: fc.Arbitrary<StoredRetryPolicy> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 20 }),
  backoffSeconds: fc.integer({ min: 0, max: 86_400 }),
  backoffFactor: fc.double({ min: 1, max: 10, noNaN: true }),
  retryOn: fc.subarray([...families]),
});
const errors = fc.record({ family: fc.constantFrom(...families), retryable: fc.boolean() });

describe('decideAfterFailure', () => {
  it('continues exactly if an attempt is left and the policy retries this error', () => {
    fc.assert(
      fc.property(policies, errors, fc.integer({ min: 1, max: 20 }), (retry, error, attempt) => {
        const { to } = decideAfterFailure({ attempt, retry }, error, now);
        const wanted = error.retryable && retry.retryOn.includes(error.family) && attempt < retry.maxAttempts;
        expect(to !== 'FAILED').toBe(wanted);
      }),
    );
  });

  it('never exceeds the attempts of the policy', () => {
    fc.assert(
      fc.property(policies, fc.array(errors, { minLength: 25, maxLength: 25 }), (retry, failures) => {
        let attempt = 1;
        for (const error of failures) {
          if (decideAfterFailure({ attempt, retry }, error, now).to === 'FAILED') break;
          attempt += 1;
        }
        expect(attempt).toBeLessThanOrEqual(retry.maxAttempts);
      }),
    );
  });

  it('waits for a bounded time that never shrinks, or not at all', () => {
    fc.assert(
      fc.property(policies, (retry) => {
        const waits = Array.from({ length: 20 }, (_, at) => backoffSeconds(retry, at + 1));
        expect(waits[0]).toBe(Math.min(retry.backoffSeconds, longestBackoffSeconds));
        waits.reduce((before, wait) => {
          expect(wait).toBeGreaterThanOrEqual(before);
          expect(wait).toBeLessThanOrEqual(longestBackoffSeconds);
          return wait;
        });
      }),
    );
  });

  it('continues at once without a backoff, otherwise at the end of the backoff', () => {
    const retry = { maxAttempts: 5, backoffSeconds: 10, backoffFactor: 3, retryOn: families };
    const error = { family: 'WORKER', retryable: true } as const;
    const after = (attempt: number) => decideAfterFailure({ attempt, retry }, error, now);
    expect(after(1)).toEqual({ to: 'PENDING', notBefore: new Date('2030-01-01T00:00:10Z') });
    expect(after(3)).toEqual({ to: 'PENDING', notBefore: new Date('2030-01-01T00:01:30Z') });
    expect(after(5)).toEqual({ to: 'FAILED' });
    expect(decideAfterFailure({ attempt: 1, retry: { ...retry, backoffSeconds: 0 } }, error, now)).toEqual({
      to: 'ACTIVATED',
    });
  });

  it.each(uncountedJobErrors)('does not count attempts that end with %s, up to ten', (code) => {
    const retry = { maxAttempts: 1, backoffSeconds: 60, backoffFactor: 1, retryOn: [] };
    const lost = { family: code === 'REPORT_REFUSED' ? 'SYSTEM' : 'WORKER', code, retryable: true } as const;
    const after = (uncounted: number, error: Parameters<typeof decideAfterFailure>[1]) => {
      const attempts = Array.from({ length: uncounted }, () => ({ error: lost }));
      return decideAfterFailure({ attempt: uncounted + 1, retry, attempts }, error, now);
    };
    expect(after(0, lost)).toEqual({ to: 'ACTIVATED' });
    expect(after(9, lost)).toEqual({ to: 'ACTIVATED' });
    expect(after(10, lost)).toEqual({ to: 'FAILED' });
    const three = { ...retry, maxAttempts: 3, backoffSeconds: 0, retryOn: [lost.family] };
    const afterTen = [11, 12, 13].map((attempt) => {
      const before = Array.from({ length: attempt - 1 }, () => ({ error: lost }));
      return decideAfterFailure({ attempt, retry: three, attempts: before }, lost, now).to;
    });
    expect(afterTen).toEqual(['ACTIVATED', 'ACTIVATED', 'FAILED']);
    const all = { ...retry, maxAttempts: 2, backoffSeconds: 0, retryOn: families };
    const exit = { family: 'PAYLOAD', code: 'EXIT_CODE', retryable: true } as const;
    const attempts = [{ error: lost }, {}];
    expect(decideAfterFailure({ attempt: 2, retry: all, attempts }, exit, now)).toEqual({ to: 'ACTIVATED' });
    expect(decideAfterFailure({ attempt: 3, retry: all, attempts }, exit, now)).toEqual({ to: 'FAILED' });
  });

  it.each(plannedErrors)('never counts attempts that end with $code', ({ family, code }) => {
    const retry = { maxAttempts: 1, backoffSeconds: 60, backoffFactor: 1, retryOn: [] };
    const planned = { family: family as (typeof families)[number], code, retryable: true };
    // Only the latest attempts are listed.
    const attempts = Array.from({ length: 20 }, () => ({ error: planned }));
    const job = { attempt: 101, plannedEnds: 100, retry, attempts };
    expect(decideAfterFailure(job, planned, now)).toEqual({ to: 'ACTIVATED' });
    const all = { ...retry, maxAttempts: 2, backoffSeconds: 0, retryOn: families };
    const exit = { family: 'PAYLOAD', code: 'EXIT_CODE', retryable: true } as const;
    expect(decideAfterFailure({ ...job, retry: all }, exit, now)).toEqual({ to: 'ACTIVATED' });
    expect(decideAfterFailure({ ...job, attempt: 102, retry: all }, exit, now)).toEqual({ to: 'FAILED' });
  });

  it('counts attempts that cost none beyond those that are listed', () => {
    const retry = { maxAttempts: 2, backoffSeconds: 0, backoffFactor: 1, retryOn: families };
    const ended = { family: 'WORKER', code: 'WORKER_ENDED', retryable: true } as const;
    const exit = { family: 'PAYLOAD', code: 'EXIT_CODE', retryable: true } as const;
    const attempts = Array.from({ length: 20 }, () => ({ error: exit }));
    const job = { attempt: 31, retry: { ...retry, maxAttempts: 22 }, uncountedEnds: 10, attempts };
    expect(decideAfterFailure(job, exit, now)).toEqual({ to: 'ACTIVATED' });
    expect(decideAfterFailure({ ...job, attempt: 32 }, exit, now)).toEqual({ to: 'FAILED' });
    expect(decideAfterFailure({ ...job, attempt: 32 }, ended, now)).toEqual({ to: 'FAILED' });
  });

  it('does not count failed tests of hosts', () => {
    const retry = { maxAttempts: 1, backoffSeconds: 0, backoffFactor: 1, retryOn: [] };
    const exit = { family: 'PAYLOAD', code: 'EXIT_CODE', retryable: false } as const;
    const test = { uncounted: 'HOST_TEST' } as const;
    const after = (attempts: NonNullable<FailedJob['attempts']>) =>
      decideAfterFailure({ attempt: attempts.length, retry, attempts }, exit, now).to;
    expect(after([test])).toBe('ACTIVATED');
    expect(after([{ ...test, error: exit }, {}])).toBe('FAILED');
    const twice = { ...retry, maxAttempts: 2, retryOn: families };
    const retryable = { ...exit, retryable: true };
    const attempts = [{ ...test, error: exit }, {}];
    expect(decideAfterFailure({ attempt: 2, retry: twice, attempts }, retryable, now).to).toBe('ACTIVATED');
    expect(after([...Array.from({ length: 10 }, () => ({ ...test, error: exit })), test])).toBe('FAILED');
  });

  it('counts to ten over all codes together', () => {
    const retry = { maxAttempts: 1, backoffSeconds: 0, backoffFactor: 1, retryOn: families };
    const fault = { family: 'WORKER', code: 'PILOT_FAULT', retryable: true } as const;
    const ended = { ...fault, code: 'WORKER_ENDED' };
    const attempts = [
      ...Array.from({ length: 5 }, () => fault),
      ...Array.from({ length: 5 }, () => ended),
    ].map((error) => ({ error }));
    const after = (earlier: typeof attempts) =>
      decideAfterFailure({ attempt: earlier.length + 1, retry, attempts: earlier }, fault, now).to;
    expect(after(attempts.slice(1))).toBe('ACTIVATED');
    expect(after(attempts)).toBe('FAILED');
  });

  it.each([
    ['of another family', { family: 'PAYLOAD', code: 'PILOT_FAULT', retryable: true }],
    ['that is final', { family: 'WORKER', code: 'PILOT_FAULT', retryable: false }],
    ['of a host that fell silent', { family: 'WORKER', code: 'LEASE_LOST', retryable: true }],
  ] as const)('counts an attempt with an error %s', (_, error) => {
    const retry = { maxAttempts: 2, backoffSeconds: 0, backoffFactor: 1, retryOn: families };
    const exit = { family: 'PAYLOAD', code: 'EXIT_CODE', retryable: true } as const;
    expect(decideAfterFailure({ attempt: 2, retry, attempts: [{ error }] }, exit, now).to).toBe('FAILED');
    expect(decideAfterFailure({ attempt: 2, retry, attempts: [{}] }, error, now).to).toBe('FAILED');
  });
});
