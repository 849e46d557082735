import { expect, it } from '@jest/globals';
import type { ReadyJob } from '../scheduler.types.js';
import { ReadyWindows } from '../cache/ready-windows.js';
import { WaitingJobsCounter } from './waiting-jobs.js';

const jobOf = (id: string): ReadyJob => ({ id, priority: 0, owner: 'a', attempt: 0 }) as unknown as ReadyJob;

it('counts complete windows in memory, and others in the store, not again for two seconds', async () => {
  let now = 0;
  const counted: string[] = [];
  const windows = new ReadyWindows();
  const complete = windows.open('alpha/one', 'class_a');
  complete.endRefill(complete.beginRefill(), [jobOf('job_2'), jobOf('job_3')]);
  windows.open('alpha/two', 'class_b');
  const counter = new WaitingJobsCounter({
    jobs: {
      count: async ({ classId, share }) => {
        counted.push(`${classId} ${share}`);
        return { jobs: 500, oldestId: 'job_1' };
      },
    },
    clock: { now: () => new Date(now), monotonicMs: () => now },
  });
  const expected = [
    { classId: 'class_a', share: 'alpha/one', jobs: 2, isAtLeast: false, oldestId: 'job_2' },
    { classId: 'class_b', share: 'alpha/two', jobs: 500, isAtLeast: false, oldestId: 'job_1' },
  ];
  expect(await counter.count(windows)).toEqual(expected);
  now = 2000;
  expect(await counter.count(windows)).toEqual(expected);
  expect(counted).toEqual(['class_b alpha/two']);
  now = 2001;
  await counter.count(windows);
  expect(counted).toHaveLength(2);
});

it('counts those windows first whose counts are the oldest, however rare the questions are', async () => {
  let now = 0;
  const counted = new Set<string>();
  const windows = new ReadyWindows();
  for (let at = 0; at < 201; at += 1) windows.open('alpha', `class_${at}`);
  const counter = new WaitingJobsCounter({
    jobs: {
      count: async ({ classId }) => {
        counted.add(classId);
        return { jobs: 1, oldestId: 'job_1' };
      },
    },
    clock: { now: () => new Date(now), monotonicMs: () => now },
  });
  expect(await counter.count(windows)).toHaveLength(200);
  now = 3000;
  expect(await counter.count(windows)).toHaveLength(201);
  expect(counted.size).toBe(201);
});
