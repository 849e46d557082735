import { describe, expect, it } from '@jest/globals';
import {
  findEdge,
  heldStates,
  jobStates,
  type JobState,
  terminalStates,
} from '../../jobs/model/job-state.js';
import { type FinishReport, planFail, planFinish, planStart, type ReportStep } from './report-plans.js';

const target = (step: ReportStep): string => (step.kind === 'step' ? step.to : step.kind);
const finish = (change: Partial<FinishReport>, state: JobState): ReportStep =>
  planFinish(
    { phase: 'FINISHED', end: { exitCode: 0 }, outputs: [], hasDeclaredOutputs: true, ...change },
    state,
  );

describe('planStart', () => {
  it.each<['STARTING' | 'RUNNING', JobState, string]>([
    ['STARTING', 'SENT', 'STARTING'],
    ['STARTING', 'STARTING', 'done'],
    ['STARTING', 'RUNNING', 'done'],
    ['RUNNING', 'SENT', 'RUNNING'],
    ['RUNNING', 'STARTING', 'RUNNING'],
    ['RUNNING', 'RUNNING', 'done'],
    ['RUNNING', 'TRANSFERRING', 'done'],
    ['RUNNING', 'FINISHED', 'conflict'],
    ['RUNNING', 'ACTIVATED', 'conflict'],
    ['STARTING', 'CANCELLED', 'conflict'],
  ])('plans %s in %s: %s', (phase, state, expected) => {
    expect(target(planStart({ phase }, state))).toBe(expected);
  });

  it('stores the method of the memory limit when the payload runs', () => {
    const report = { phase: 'RUNNING', memoryLimit: 'SAMPLES' } as const;
    expect(planStart(report, 'SENT')).toMatchObject({ to: 'RUNNING', change: { memoryLimit: 'SAMPLES' } });
    expect(planStart({ ...report, phase: 'STARTING' }, 'SENT')).not.toHaveProperty('change');
  });
});

describe('planFinish', () => {
  it.each<[FinishReport['phase'], JobState, string]>([
    ['HOLDING', 'RUNNING', 'HOLDING'],
    ['HOLDING', 'HOLDING', 'done'],
    ['HOLDING', 'TRANSFERRING', 'done'],
    ['TRANSFERRING', 'RUNNING', 'TRANSFERRING'],
    ['TRANSFERRING', 'HOLDING', 'TRANSFERRING'],
    ['FINISHED', 'TRANSFERRING', 'FINISHED'],
    ['FINISHED', 'FINISHED', 'done'],
    ['FINISHED', 'SENT', 'conflict'],
    ['HOLDING', 'SENT', 'conflict'],
    ['FINISHED', 'STARTING', 'conflict'],
    ['FINISHED', 'FAILED', 'conflict'],
    ['FINISHED', 'ACTIVATED', 'conflict'],
  ])('plans %s in %s: %s', (phase, state, expected) => {
    expect(target(finish({ phase }, state))).toBe(expected);
  });

  it('plans FINISHED at once for a job without declared outputs', () => {
    expect(target(finish({ phase: 'HOLDING', hasDeclaredOutputs: false }, 'RUNNING'))).toBe('FINISHED');
  });

  it('writes what the attempt used when the payload ended, and again only if there is more to say', () => {
    expect(finish({}, 'RUNNING')).toMatchObject({ change: { attemptEnd: { exitCode: 0 } } });
    expect(finish({}, 'HOLDING')).toMatchObject({ change: {} });
    const end = { exitCode: 0, metrics: { isPartial: false } };
    expect(finish({ end }, 'HOLDING')).toMatchObject({ change: { attemptEnd: end } });
  });
});

describe('planFail', () => {
  const fail = (state: JobState, to: 'ACTIVATED' | 'FAILED' = 'ACTIVATED') =>
    planFail({ exitCode: 3 }, () => ({ after: { to } }), state);

  it('ends the attempt in every state in which a worker has the job', () => {
    for (const state of heldStates)
      expect(fail(state)).toMatchObject({ to: 'ACTIVATED', change: { attemptEnd: { exitCode: 3 } } });
  });

  it('accepts a repeated report, and refuses one about a job that ended otherwise', () => {
    for (const state of ['ACTIVATED', 'PENDING', 'THROTTLED', 'FAILED'] as const)
      expect(target(fail(state))).toBe('done');
    for (const state of ['FINISHED', 'CANCELLED', 'CLOSED'] as const)
      expect(target(fail(state))).toBe('conflict');
  });

  it('gives the reason, shortened where it is long', () => {
    const failed = (message: string) =>
      planFail(
        { error: { family: 'PAYLOAD', code: 'EXIT_CODE', message, retryable: true } },
        () => ({ after: { to: 'FAILED' } }),
        'RUNNING',
      );
    expect(failed('exit code 3')).toMatchObject({ reason: 'exit code 3' });
    expect(failed('𝄞'.repeat(200))).toMatchObject({ reason: '𝄞'.repeat(200) });
    expect(failed('𝄞'.repeat(201))).toMatchObject({ reason: `${'𝄞'.repeat(199)}…` });
    expect(fail('RUNNING')).not.toHaveProperty('reason');
  });

  it('sets the end of a backoff', () => {
    const notBefore = new Date(0);
    expect(planFail({}, () => ({ after: { to: 'PENDING', notBefore } }), 'RUNNING')).toMatchObject({
      to: 'PENDING',
      change: { notBefore },
    });
  });
});

it('requests no edge that the state machine does not have, and leaves no terminal state', () => {
  for (const state of jobStates) {
    const steps = [
      planStart({ phase: 'STARTING' }, state),
      planStart({ phase: 'RUNNING' }, state),
      ...(['HOLDING', 'TRANSFERRING', 'FINISHED'] as const).map((phase) => finish({ phase }, state)),
      planFail({}, () => ({ after: { to: 'FAILED' } }), state),
    ];
    for (const step of steps) {
      if (step.kind !== 'step') continue;
      expect(findEdge(state, step.to)?.actors).toContain('worker');
      expect(terminalStates as readonly JobState[]).not.toContain(state);
    }
  }
});
