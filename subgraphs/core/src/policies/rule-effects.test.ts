import { describe, expect, it } from '@jest/globals';
import { aRule, decided, later } from '../../test/support/policies.fixture.js';

describe('a rule for a task or host', () => {
  const pauseTask = { reason: 'wrong input', maxFailedFraction: 0.3, minEndedJobs: 10 };
  const pausing = aRule({ name: 'pause', action: { pauseTask } });
  const failing = aRule({ name: 'stop', action: { fail: { reason: 'useless' } } });
  const ofTask = { job: { taskId: 'task_1' } };

  it('leaves the job to the next rule, and records its effect with the decision', () => {
    const { decision, after } = decided([pausing, failing], {
      ...ofTask,
      taskStates: () => ({ FINISHED: 6, FAILED: 4 }),
    });
    expect(after).toEqual({ to: 'FAILED' });
    expect(decision).toMatchObject({
      ...{ outcome: 'FAIL', rule: 'stop' },
      effects: [{ kind: 'PAUSE_TASK', rule: 'pause', version: 7, target: 'task_1', reason: 'wrong input' }],
    });
    expect(decision?.effects?.[0]?.evidence).toContainEqual({
      criterion: 'maxFailedFraction',
      value: '4 of 10 ended jobs failed',
    });
  });

  it.each([
    ['the fraction is not reached', { FINISHED: 7, FAILED: 3 }],
    ['too few jobs have ended', { FINISHED: 1, FAILED: 8 }],
    ['the counts are unknown', undefined],
  ])('has no effect if %s', (_why, states) => {
    expect(decided([pausing], { ...ofTask, taskStates: () => states }).decision?.effects).toBeUndefined();
  });

  it('excludes the host of the attempt for its time, and the retry policy decides about the job', () => {
    const excludeHost = { reason: 'broken disk', seconds: 600 };
    const { after, decision } = decided([aRule({ action: { excludeHost } })]);
    expect(after).toEqual(decided([]).after);
    expect(decision?.rule).toBeUndefined();
    expect(decision?.effects).toMatchObject([
      { kind: 'EXCLUDE_HOST', target: 'host-1', queue: 'main', until: later(600) },
    ]);
  });

  it('retries a job later only if the job fails now', () => {
    const retrying = aRule({ action: { retryIfHostExcluded: { reason: 'the host was bad' } } });
    const again = aRule({ name: 'again', action: { retry: { maxAttempts: 5 } } });
    expect(decided([retrying, again])).toEqual(decided([again]));
    expect(decided([retrying, failing]).decision).toMatchObject({
      outcome: 'FAIL',
      effects: [{ kind: 'RETRY_IF_HOST_EXCLUDED', target: 'host-1', queue: 'main' }],
    });
  });
});
