import { describe, expect, it } from '@jest/globals';
import { WaitingCalls } from './waiting-calls.js';

const limits = { waitingCalls: 4, waitingCallsPerSubject: 3, waitingCallsPerAttempt: 2 };

describe('WaitingCalls', () => {
  it('bounds the calls of an attempt, of a subject and of all', () => {
    const calls = new WaitingCalls(limits);
    const first = { subject: 'alice', attempt: 'job_1' };
    const leave = calls.enter(first);
    calls.enter(first);
    expect(() => calls.enter(first)).toThrow('limits.waitingCallsPerAttempt: 2 calls of this attempt wait');
    calls.enter({ subject: 'alice', attempt: 'job_2' });
    expect(() => calls.enter({ subject: 'alice' })).toThrow(
      'limits.waitingCallsPerSubject: 3 calls of this caller wait',
    );
    calls.enter({ subject: 'bob' });
    expect(() => calls.enter({ subject: 'carol' })).toThrow('limits.waitingCalls: 4 calls of this gateway');
    leave();
    leave();
    expect(calls.open).toBe(3);
    calls.enter(first);
    expect(calls.open).toBe(4);
  });

  it('counts a subject apart from an attempt of another whose names join to the same text', () => {
    const calls = new WaitingCalls({ ...limits, waitingCallsPerSubject: 1 });
    calls.enter({ subject: 'alice', attempt: 'job_1' });
    calls.enter({ subject: 'alice job_1' });
    expect(calls.open).toBe(2);
  });
});
