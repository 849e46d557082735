import { describe, expect, it } from '@jest/globals';
import { aJob } from '../../test/support/job.fixture.js';
import type { ErrorGroup, ErrorTotal } from '../events/failures/error-summary.types.js';
import type { StateCounts } from '../jobs/ports.js';
import type { QueueHealth } from '../workers/canaries/canary-plan.js';
import type { TaskFacts } from '../tasks/task.document.js';
import type { CountedFailures } from './failure-groups.js';
import { diagnosePlace, type PlaceFacts, type PlaceQueue } from './place-diagnosis.js';
import { diagnoseTask } from './task-diagnosis.js';

const now = new Date('2030-01-02T12:00:00Z');
const earlier = new Date('2030-01-02T10:00:00Z');

function group(code: string, family: ErrorGroup['family'], count: number): ErrorGroup {
  return {
    ...{ experiment: 'alpha', code, family, count, exitCode: null, taskId: null, queue: null, site: null },
    ...{ host: null, image: null, hour: null, coreSeconds: 0, gpuSeconds: 0, firstAt: earlier, lastAt: now },
    jobs: [`job_${code}`],
  };
}

function failures(...groups: readonly ErrorGroup[]): CountedFailures {
  const jobs = new Map(groups.flatMap(({ jobs: ids }) => ids.map((id) => [id, aJob(id)] as const)));
  return { groups, jobs, logs: new Map([['job_EXIT_CODE EXIT_CODE', 'start\nMemoryError']]) };
}

function aTask(over: Partial<TaskFacts> = {}): TaskFacts {
  return {
    ...{ _id: 'task_1', schemaVersion: 1, revision: 1, createdAt: earlier, updatedAt: now },
    ...{
      experiment: 'alpha',
      name: 'simulate',
      owner: 'ada',
      share: 'alpha/default',
      priority: 0,
      labels: [],
    },
    ...{ hasParameters: false, state: 'RUNNING', totalJobs: 10, createdJobs: 10 },
    ...over,
  };
}

const states: StateCounts = { FINISHED: 4, FAILED: 3, RUNNING: 3 };

describe('diagnoseTask', () => {
  it('ranks causes by their certainty and their share of the failures', () => {
    const counted = failures(group('EXIT_CODE', 'PAYLOAD', 6), group('WALLTIME_EXCEEDED', 'LIMIT', 4));
    const found = diagnoseTask({ task: aTask(), states, failures: counted });
    expect(found.causes).toMatchObject([
      { kind: 'MEMORY', confidence: 0.9, share: 0.6 },
      { kind: 'WALLTIME', confidence: 1, share: 0.4 },
    ]);
    expect(found.causes[0]?.evidence).toContainEqual({ kind: 'LOG_LINES', text: 'start\nMemoryError' });
    expect(found.summary).toMatch(
      /^The task is RUNNING: 4 of 10 jobs finished, 3 failed, 3 have not ended\. /,
    );
    expect(found.actions).toEqual([]);
  });

  it('is less certain of a pattern that only some of the logs match', () => {
    const three = { ...group('EXIT_CODE', 'PAYLOAD', 6), jobs: ['job_a', 'job_b', 'job_c'] };
    const logs = new Map([
      ['job_a EXIT_CODE', 'reco: command not found'],
      ['job_b EXIT_CODE', 'MemoryError'],
      ['job_c EXIT_CODE', 'MemoryError'],
    ]);
    const [cause] = diagnoseTask({ task: aTask(), states, failures: { ...failures(three), logs } }).causes;
    expect(cause).toMatchObject({ kind: 'MEMORY', confidence: 0.6 });
    expect(cause?.statement).toContain('2 of 3 logs that were read show this:');
  });

  it.each([
    ['MEMORY_EXCEEDED', { memory: { factor: 2 } }],
    ['WALLTIME_EXCEEDED', { walltime: { factor: 2 } }],
  ])(
    'proposes to retry all failed jobs with more of what %s names, if nearly all failed by it',
    (code, requirements) => {
      const counted = failures(group(code, 'LIMIT', 9), group('EXIT_CODE', 'PAYLOAD', 1));
      const [action] = diagnoseTask({ task: aTask(), states, failures: counted }).actions;
      expect(action?.variables).toMatchObject({
        input: {
          selection: { filter: { taskIds: ['task_1'], states: ['FAILED'] } },
          changes: { requirements },
        },
      });
    },
  );

  it('proposes the retry once more, by another key, after further failures', () => {
    const keyOf = (lastAt: Date): unknown => {
      const counted = failures({ ...group('MEMORY_EXCEEDED', 'LIMIT', 9), lastAt });
      const [action] = diagnoseTask({ task: aTask(), states, failures: counted }).actions;
      expect(action?.variables).toMatchObject({ input: { isUnlessRetried: true } });
      return (action?.variables as { input: { idempotencyKey: string } }).input.idempotencyKey;
    };
    expect(keyOf(now)).toBe(keyOf(now));
    expect(keyOf(earlier)).not.toBe(keyOf(now));
  });

  it('leaves out attempts that a worker ended, and adds the shares of codes with one cause', () => {
    const counted = failures(
      group('EXIT_CODE', 'PAYLOAD', 45),
      group('MEMORY_EXCEEDED', 'LIMIT', 50),
      group('INPUT_GONE', 'DATA', 5),
      group('PREEMPTED', 'WORKER', 100),
    );
    const { causes } = diagnoseTask({ task: aTask(), states, failures: counted });
    expect(causes).toMatchObject([
      { kind: 'MEMORY', confidence: 1, share: 0.95 },
      { kind: 'INPUT', share: 0.05 },
    ]);
    expect(causes[0]?.statement).toContain('EXIT_CODE');
    expect(causes[0]?.statement).toContain('MEMORY_EXCEEDED');
  });

  it('quotes the message of the attempt with the code, not of the latest one', () => {
    const counted = failures(group('INPUT_GONE', 'DATA', 1));
    const error = { family: 'DATA', retryable: false } as const;
    const place = { id: 'attempt_1', workerId: 'worker_1', queueId: 'queue_1', fence: 1, deviceIds: [] };
    const attempts = [
      { ...place, number: 1, sentAt: earlier, error: { ...error, code: 'INPUT_GONE', message: 'no file' } },
      { ...place, number: 2, sentAt: earlier, error: { ...error, code: 'EXIT_CODE', message: 'exit 1' } },
    ];
    const jobs = new Map([['job_INPUT_GONE', aJob('job_INPUT_GONE', { document: { attempts } })]]);
    const [cause] = diagnoseTask({ task: aTask(), states, failures: { ...counted, jobs } }).causes;
    expect(cause?.evidence[1]?.text).toMatch(/: no file$/);
  });

  it('proposes no more memory to jobs that failed otherwise, though most attempts lacked it', () => {
    const counted = failures(group('MEMORY_EXCEEDED', 'LIMIT', 100), group('INPUT_GONE', 'DATA', 10));
    const actionsFor = (...failedCodes: readonly string[]) =>
      diagnoseTask({ task: aTask(), states, failures: counted, failedCodes }).actions;
    expect(actionsFor('INPUT_GONE', 'INPUT_GONE')).toEqual([]);
    expect(actionsFor('MEMORY_EXCEEDED', 'MEMORY_EXCEEDED')).toHaveLength(1);
  });

  it('names the command that paused a task, and the files that one waits for', () => {
    const control = { action: 'PAUSE', by: 'ada', at: earlier, reason: 'check' } as const;
    const paused = diagnoseTask({ task: aTask({ state: 'PAUSED', control }), states, failures: failures() });
    expect(paused.causes).toMatchObject([{ kind: 'TASK_SUSPENDED', statement: 'PAUSE by ada: check.' }]);
    expect(paused.since).toEqual(earlier);
  });
});

describe('diagnosePlace', () => {
  const aQueue = (over: Partial<PlaceQueue> = {}): PlaceQueue => ({
    ...{ name: 'north', state: 'ONLINE', stateChangedAt: earlier, downtimes: [], readyWorkers: 2, ...over },
  });
  const place = (over: Partial<PlaceFacts>) =>
    diagnosePlace({
      ...{ now, title: 'Queue north', queues: [aQueue()], hosts: [], failures: failures(), newCodes: [] },
      ...over,
    });

  it('finds nothing wrong with a queue that has workers and no failures', () => {
    expect(place({})).toMatchObject({
      summary: 'Queue north has 2 workers that take jobs. Nothing is wrong that core knows of.',
      ...{ causes: [], actions: [], since: null },
    });
  });

  it('explains the workers of a queue also if failures could not be counted', () => {
    const { causes } = place({ isUncounted: true, queues: [aQueue({ readyWorkers: 0 })] });
    expect(causes.map(({ kind }) => kind)).toEqual(['NO_WORKERS', 'UNKNOWN']);
  });

  it('names a queue without workers, and the state that an operator gave it', () => {
    const queues = [aQueue({ readyWorkers: 0, state: 'PAUSED', stateReason: 'upgrade' })];
    expect(place({ queues }).causes.map(({ kind, confidence }) => [kind, confidence])).toEqual([
      ['NO_WORKERS', 1],
      ['DOWNTIME', 1],
    ]);
  });

  it.each<[string, Partial<QueueHealth>, string | undefined]>([
    ['fail', { canaryCount: 4, successFraction: 0.25 }, '3 of 4 canary jobs of queue north failed.'],
    [
      'could not be submitted',
      { problem: 'no share' },
      'Core could not submit the canary job of queue north: no share.',
    ],
    ['succeed', { canaryCount: 4, successFraction: 1 }, undefined],
  ])('judges a queue by its canary jobs if they %s', (_, over, statement) => {
    const health: QueueHealth = {
      ...{ latest: null, openSince: null, canaryCount: 0, successFraction: null, since: earlier },
      ...{ problem: null, hostProblem: null, ...over },
    };
    expect(place({ queues: [aQueue({ health })] }).causes[0]?.statement).toBe(statement);
  });

  it('names hosts that are not healthy, codes that are new there, and the failures by code', () => {
    const host = {
      host: 'node-1',
      queue: 'north',
      state: 'EXCLUDED',
      reason: 'fan',
      since: earlier,
    } as const;
    const code: ErrorTotal = {
      ...{
        experiment: 'alpha',
        site: 'Pole',
        family: 'DATA',
        code: 'INPUT_GONE',
        firstAt: earlier,
        lastAt: now,
      },
      ...{ count: 2, coreSeconds: 0, gpuSeconds: 0 },
    };
    const found = place({
      ...{ hosts: [host], newCodes: [code], failures: failures(group('INPUT_GONE', 'DATA', 2)) },
    });
    expect(found.causes.map(({ kind }) => kind)).toEqual(['INPUT', 'HOST', 'SITE']);
    expect(found.actions).toMatchObject([
      { operation: 'clearHost', variables: { input: { queue: 'north', host: 'node-1' } } },
    ]);
  });
});
