import { expect, it } from '@jest/globals';
import type { ExperimentNodeJobFragment } from '../operations.generated.js';
import { isNewerRun, newestOfJobs, nextRuns, nodeRunOf, type NodeRuns } from './node-run.js';

const job = {
  ...{ id: 'job_1', state: 'FAILED', revision: 9, workflowId: 'workflow_1', workflowIndex: 3, hold: null },
  requirements: { cores: 2, memoryMiB: 8000 },
  attempts: [
    {
      ...{ startedAt: '2030-01-01T00:00:00Z', endedAt: '2030-01-01T00:00:10Z', outcome: 'FAILED' },
      ...{ site: { name: 'POLE' }, metrics: null },
    },
    {
      ...{ startedAt: '2030-01-01T00:01:00Z', endedAt: '2030-01-01T00:01:05Z', outcome: 'FINISHED' },
      ...{ site: { name: 'CC' }, metrics: { wallSeconds: 4.5, peakMemoryMiB: 900 } },
    },
    { startedAt: null, endedAt: null, outcome: null, site: null, metrics: null },
  ],
  exitCode: 3,
  error: { code: 'EXIT_CODE', message: 'x'.repeat(400) },
} as unknown as ExperimentNodeJobFragment;

it('takes the latest attempt, and adds up the core-seconds of all', () => {
  const run = nodeRunOf(job);
  expect(run).toMatchObject({
    ...{ jobId: 'job_1', jobRevision: 9, state: 'FAILED', isHeld: false, memoryMiB: 8000, cores: 2 },
    ...{ attempts: 3, coreSeconds: 30, lostCoreSeconds: 20, exitCode: 3, errorCode: 'EXIT_CODE' },
    startedAt: new Date('2030-01-01T00:00:00Z'),
  });
  expect(run.errorMessage).toHaveLength(300);
  expect(run).not.toHaveProperty('site');
  const two = { ...job, attempts: job.attempts.slice(0, 2), error: null };
  expect(nodeRunOf(two)).toMatchObject({ site: 'CC', wallSeconds: 4.5, peakMemoryMiB: 900 });
  expect(nodeRunOf(two)).not.toHaveProperty('errorCode');
});

it('is newer with a later revision or a later job', () => {
  const run = nodeRunOf(job);
  expect(isNewerRun(run, undefined)).toBe(true);
  expect(isNewerRun(run, run)).toBe(false);
  expect(isNewerRun({ ...run, jobRevision: 10 }, run)).toBe(true);
  expect(isNewerRun({ ...run, jobId: 'job_2', jobRevision: 1 }, run)).toBe(true);
  expect(isNewerRun({ ...run, jobId: 'job_0', jobRevision: 99 }, run)).toBe(false);
});

it('adds up the jobs of a node, whatever of them comes together', () => {
  const of = (jobId: string, jobRevision: number, seconds: number) => ({
    run: { ...nodeRunOf(job), jobId, jobRevision, coreSeconds: seconds, lostCoreSeconds: seconds },
  });
  const facts = [
    of('job_1', 2, 0),
    of('job_1', 4, 5),
    of('job_2', 2, 0),
    of('job_2', 3, 7),
    of('job_3', 1, 0),
  ];
  const take = (batches: readonly (typeof facts)[]): NodeRuns | undefined => {
    let node: NodeRuns | undefined;
    for (const batch of batches)
      for (const { run } of newestOfJobs(batch)) node = nextRuns(node, run) ?? node;
    return node;
  };
  const whole = take([facts]);
  expect(whole).toMatchObject({
    ...{ run: { jobId: 'job_3' }, before: { jobId: 'job_2', jobRevision: 3 } },
    spent: { coreSeconds: 12, lostCoreSeconds: 12 },
  });
  for (const at of [1, 2, 3, 4]) expect(take([facts.slice(0, at), facts.slice(at)])).toEqual(whole);
  // The end of the second job comes after the third.
  expect(take([[...facts.slice(0, 3), ...facts.slice(4)], facts.slice(3, 4)])).toEqual(whole);
  expect(take([facts, facts])).toEqual(whole);
});
