import { describe, expect, it } from '@jest/globals';
import type { StoredCheckpoint } from './job-progress.document.js';
import { type EndedAttempt, plannedError, PlannedEnds } from './planned-ends.js';

const at = new Date('2030-01-01T00:00:00.000Z');
const error = { family: 'LIMIT', code: 'WALLTIME_EXCEEDED', message: 'too long', retryable: false } as const;
const checkpoint: StoredCheckpoint = { attempt: 2, madeAt: at, noticedAt: at, files: [] };

describe('plannedError', () => {
  it('is the planned end of an attempt whose latest checkpoint follows its notice', () => {
    expect(plannedError(2, error, { ...checkpoint, step: 9 })).toEqual({
      family: 'PAYLOAD',
      code: 'CHECKPOINTED',
      message:
        'The payload stored a checkpoint of step 9 after the notice of its end, and ended with WALLTIME_EXCEEDED: too long',
      retryable: true,
    });
  });

  it.each([
    ['without a checkpoint', undefined],
    ['with a checkpoint before its notice', { attempt: 2, madeAt: at, files: [] }],
    ['with a checkpoint of an earlier attempt', { ...checkpoint, attempt: 1 }],
  ])('is none for an attempt %s', (_, latest) => {
    expect(plannedError(2, error, latest)).toBeUndefined();
  });
});

describe('PlannedEnds', () => {
  it('names the job for which an attempt ends, whatever else is known', async () => {
    const latestCheckpoints = async () => new Map([['job_0', checkpoint]]);
    const preemption = { jobId: 'job_9', priority: 300 };
    const job = { _id: 'job_0', attempt: 2, payload: { notice: {} }, attempts: [{}, { preemption }] };
    const [found] = await new PlannedEnds({ latestCheckpoints }).errorsOf([{ job, error }]);
    expect(found).toEqual({
      family: 'WORKER',
      code: 'PREEMPTED',
      message:
        'The job was preempted for job job_9 of priority 300, and its attempt ended with WALLTIME_EXCEEDED: too long',
      retryable: true,
    });
  });

  it('looks up only jobs whose payloads receive notices, in one read', async () => {
    const reads: (readonly string[])[] = [];
    const latestCheckpoints = async (ids: readonly string[]) => {
      reads.push(ids);
      return new Map([['job_1', checkpoint]]);
    };
    const ended = (id: string, notice?: object): EndedAttempt => ({
      job: { _id: id, attempt: 2, payload: notice ? { notice } : {} },
      error,
    });
    const ends = new PlannedEnds({ latestCheckpoints });
    expect(await ends.errorsOf([ended('job_0')])).toEqual([error]);
    const errors = await ends.errorsOf([ended('job_0'), ended('job_1', {}), ended('job_2', {})]);
    expect(errors.map(({ code }) => code)).toEqual([
      'WALLTIME_EXCEEDED',
      'CHECKPOINTED',
      'WALLTIME_EXCEEDED',
    ]);
    expect(reads).toEqual([['job_1', 'job_2']]);
  });
});
