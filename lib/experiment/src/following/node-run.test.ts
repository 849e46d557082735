import { expect, it } from '@jest/globals';
import type { ExperimentNodeJobFragment } from '../operations.generated.js';
import { isNewerRun, nodeRunOf } from './node-run.js';

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
