import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { jobStates, type JobState } from '../../jobs/model/job-state.js';
import type { StoredLastEvent } from '../../jobs/model/job.types.js';
import type { StreamedJobEvent } from '../feed/job-event.js';
import { JobCounts } from './job-counts.js';
import { TaskCounts } from './task-counts.js';

function anEvent(
  from: JobState | null,
  to: JobState,
  change: Partial<StoredLastEvent> = {},
): StreamedJobEvent {
  const last: StoredLastEvent = {
    revision: 1,
    from,
    to,
    at: new Date(0),
    actor: 'a',
    attempt: 0,
    experiment: 'alpha',
    share: 'alpha/default',
    owner: 'o',
    labels: [],
    classId: 'c',
    priority: 0,
    fence: 0,
    ...change,
  };
  return { token: '82', jobId: 'job_1', last };
}

describe('counts of jobs', () => {
  it('moves a job from share to share', () => {
    const counts = new JobCounts();
    counts.apply(anEvent(null, 'ACTIVATED'));
    counts.apply(anEvent('ACTIVATED', 'ACTIVATED', { share: 'alpha/other', previousShare: 'alpha/default' }));
    expect(counts.rows()).toMatchObject([{ share: 'alpha/other', state: 'ACTIVATED', count: 1 }]);
  });

  it('moves a job from queue to queue with its grants, and counts it once', () => {
    const counts = new JobCounts();
    counts.apply(anEvent(null, 'ACTIVATED'));
    expect(counts.rows()).toEqual([
      {
        experiment: 'alpha',
        queue: null,
        gpuModel: null,
        share: 'alpha/default',
        state: 'ACTIVATED',
        count: 1,
        gpus: 0,
      },
    ]);
    const north = { queue: 'north', attempt: 1 };
    counts.apply(anEvent('ACTIVATED', 'SENT', north));
    counts.apply(anEvent('SENT', 'RUNNING', north));
    counts.apply(anEvent('RUNNING', 'ACTIVATED', north));
    expect(counts.rows()).toEqual([
      {
        experiment: 'alpha',
        queue: 'north',
        gpuModel: null,
        share: 'alpha/default',
        state: 'ACTIVATED',
        count: 1,
        gpus: 0,
      },
    ]);
    counts.apply(anEvent('ACTIVATED', 'SENT', { queue: 'south', previousQueue: 'north', attempt: 2 }));
    counts.apply(anEvent('SENT', 'ACTIVATED', { queue: 'south', attempt: 2 }));
    counts.apply(anEvent('ACTIVATED', 'SENT', { queue: 'south', attempt: 3 }));
    expect(counts.rows()).toEqual([
      {
        experiment: 'alpha',
        queue: 'south',
        gpuModel: null,
        share: 'alpha/default',
        state: 'SENT',
        count: 1,
        gpus: 0,
      },
    ]);
  });

  it('moves a job from model to model with its grants, with the number of GPUs that it was given', () => {
    const counts = new JobCounts();
    const lines = () =>
      counts.rows().map(({ gpuModel, state, count, gpus }) => `${gpuModel ?? '-'} ${state} ${count} ${gpus}`);
    const two = { model: 'A100', count: 2 };
    const part = { model: 'L4', count: 0.1 };
    for (let job = 0; job < 3; job++) {
      counts.apply(anEvent(null, 'ACTIVATED'));
      counts.apply(anEvent('ACTIVATED', 'SENT', { attempt: 1, gpu: part, previousGpu: null }));
    }
    expect(lines()).toEqual(['L4 SENT 3 0.3']);
    counts.apply(anEvent('SENT', 'ACTIVATED', { attempt: 1, gpu: part }));
    expect(lines()).toEqual(['L4 SENT 2 0.2', 'L4 ACTIVATED 1 0.1']);
    counts.apply(anEvent('ACTIVATED', 'SENT', { attempt: 2, gpu: two, previousGpu: part }));
    counts.apply(anEvent('SENT', 'ACTIVATED', { attempt: 2, gpu: two }));
    counts.apply(anEvent('ACTIVATED', 'SENT', { attempt: 3, gpu: two }));
    expect(lines()).toEqual(['L4 SENT 2 0.2', 'A100 SENT 1 2']);
    counts.apply(anEvent('SENT', 'ACTIVATED', { attempt: 3, gpu: two }));
    counts.apply(anEvent('ACTIVATED', 'SENT', { attempt: 4, previousGpu: two }));
    counts.apply(anEvent('SENT', 'ACTIVATED', { attempt: 4 }));
    counts.apply(anEvent('ACTIVATED', 'SENT', { attempt: 5, gpu: two, previousGpu: null }));
    expect(lines()).toEqual(['L4 SENT 2 0.2', 'A100 SENT 1 2']);
  });

  it('reads counts that were stored before there were GPUs as counts of no GPUs', () => {
    const counts = new JobCounts();
    counts.set({ experiment: 'alpha', queue: null, share: 'alpha/default', state: 'ACTIVATED', count: 2 });
    counts.apply(anEvent('ACTIVATED', 'CANCELLED'));
    expect(counts.rows().map(({ state, count, gpuModel }) => [state, count, gpuModel])).toEqual([
      ['ACTIVATED', 1, null],
      ['CANCELLED', 1, null],
    ]);
  });

  it('stays the same after a change that keeps the state', () => {
    const counts = new JobCounts();
    counts.apply(anEvent(null, 'PENDING'));
    counts.apply(anEvent('PENDING', 'PENDING'));
    expect(counts.rows().map(({ count }) => count)).toEqual([1]);
  });

  it('returns what changed since a cursor, zeros included', () => {
    const counts = new JobCounts();
    counts.apply(anEvent(null, 'ACTIVATED'));
    const seen = counts.changes;
    expect(counts.changedSince(seen)).toEqual([]);
    counts.apply(anEvent('ACTIVATED', 'CANCELLED'));
    expect(counts.changedSince(seen).map(({ state, count }) => [state, count])).toEqual([
      ['ACTIVATED', 0],
      ['CANCELLED', 1],
    ]);
  });
});

describe('counts of tasks', () => {
  const walk = fc.array(fc.record({ task: fc.integer({ min: 1, max: 6 }), step: fc.nat() }), {
    maxLength: 60,
  });

  it('keeps exact counts, however many tasks are forgotten and whatever events of those come later', () => {
    fc.assert(
      fc.property(walk, (steps) => {
        const counts = new TaskCounts(2);
        const truth = new Map<string, Map<string, JobState>>();
        steps.forEach(({ task, step }, serial) => {
          const taskId = `task_${task}`;
          const jobs = truth.get(taskId) ?? new Map<string, JobState>();
          truth.set(taskId, jobs);
          const to = jobStates[step % jobStates.length] ?? 'PENDING';
          const known = [...jobs.keys()];
          const job =
            step % 3 === 0 || known.length === 0 ? `job_${serial}` : (known[step % known.length] ?? '');
          counts.apply({ ...anEvent(jobs.get(job) ?? null, to, { taskId }), jobId: job });
          jobs.set(job, to);
        });
        for (const [taskId, jobs] of truth) {
          const kept = counts.get(taskId);
          if (!kept) continue;
          const expected: Partial<Record<JobState, number>> = {};
          for (const state of jobs.values()) expected[state] = (expected[state] ?? 0) + 1;
          expect(kept).toEqual(expected);
        }
      }),
    );
  });

  it('never forgets a task with a live job, and forgets the ended task that changed longest ago first', () => {
    const counts = new TaskCounts(2);
    counts.apply(anEvent(null, 'ACTIVATED', { taskId: 'task_0' }));
    for (const task of ['task_1', 'task_2', 'task_3']) {
      counts.apply(anEvent(null, 'ACTIVATED', { taskId: task }));
      counts.apply(anEvent('ACTIVATED', 'CANCELLED', { taskId: task }));
    }
    expect(counts.get('task_0')).toEqual({ ACTIVATED: 1 });
    expect(counts.get('task_1')).toBeUndefined();
    expect(counts.get('task_2')).toEqual({ CANCELLED: 1 });
    expect(counts.get('task_4')).toEqual({});
    expect(counts.forgottenUpTo).toBe('task_1');
    counts.apply(anEvent(null, 'ACTIVATED', { taskId: 'task_1' }));
    expect(counts.get('task_1')).toBeUndefined();
  });

  it('stores only the parts that changed, those of forgotten tasks included', () => {
    const counts = new TaskCounts(1);
    counts.apply(anEvent(null, 'CANCELLED', { taskId: 'task_1' }));
    expect(counts.drainChangedParts().size).toBe(1);
    expect(counts.drainChangedParts().size).toBe(0);
    counts.apply(anEvent(null, 'CANCELLED', { taskId: 'task_2' }));
    const changed = counts.drainChangedParts();
    const rows = [...counts.rowsOf(changed).values()].flat();
    expect(rows.map(({ task }) => task)).toEqual(['task_2']);
    expect(changed.size).toBe(2);
  });
});
