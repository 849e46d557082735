import { describe, expect, it } from '@jest/globals';
import {
  isPlannedEnd,
  isUncounted,
  jobErrorsOfCore,
  plannedJobEnds,
  uncountedJobErrors,
} from './job-errors.js';

describe('isUncounted', () => {
  it('is true for faults of Rhizome and of the site', () => {
    expect([...uncountedJobErrors].sort()).toEqual([
      'CONTACT_LOST',
      'DRAINED',
      'GRANT_LOST',
      'JOB_LOST',
      'PILOT_FAULT',
      'PILOT_RESTARTED',
      'REPORT_REFUSED',
      'WORKER_ENDED',
    ]);
    const families = { REPORT_REFUSED: 'SYSTEM' } as Readonly<Record<string, string>>;
    for (const code of uncountedJobErrors)
      expect(isUncounted({ family: families[code] ?? 'WORKER', code, retryable: true })).toBe(true);
  });

  it.each([
    ['of another family', { family: 'PAYLOAD', code: 'PILOT_FAULT', retryable: true }],
    ['that is final', { family: 'WORKER', code: 'PILOT_FAULT', retryable: false }],
    ['of a host that is silent', { family: 'WORKER', code: 'LEASE_LOST', retryable: true }],
    ['of a payload', { family: 'PAYLOAD', code: 'EXIT_CODE', retryable: true }],
    ['with the name of a member of objects', { family: 'WORKER', code: 'constructor', retryable: true }],
    ['without a code', { family: 'WORKER', retryable: true }],
  ])('is false for an error %s', (_, error) => {
    expect(isUncounted(error)).toBe(false);
  });
});

describe('isPlannedEnd', () => {
  it('is true for a payload that has saved its state, or was preempted, and for nothing else', () => {
    expect(plannedJobEnds).toEqual(['CHECKPOINTED', 'PREEMPTED']);
    const error = { family: 'PAYLOAD', code: 'CHECKPOINTED', retryable: true };
    expect(isPlannedEnd(error)).toBe(true);
    expect(isPlannedEnd({ family: 'WORKER', code: 'PREEMPTED', retryable: true })).toBe(true);
    expect(isPlannedEnd({ ...error, family: 'WORKER' })).toBe(false);
    expect(isPlannedEnd({ ...error, retryable: false })).toBe(false);
    expect(isPlannedEnd({ ...error, code: 'toString' })).toBe(false);
    expect(isPlannedEnd({ family: 'PAYLOAD', retryable: true })).toBe(false);
  });
});

it('reserves for core what only core knows', () => {
  expect([...jobErrorsOfCore].sort()).toEqual([
    'GRANT_LOST',
    'JOB_LOST',
    'LEASE_LOST',
    'PILOT_RESTARTED',
    'PREEMPTED',
    'WORKER_ENDED',
  ]);
});
