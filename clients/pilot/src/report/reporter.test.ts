import { describe, expect, it } from '@jest/globals';
import type { CoreProtocol, ReportAnswer, StartReport } from '../protocol/core-protocol.js';
import { Reporter } from './reporter.js';

const { signal } = new AbortController();

describe('Reporter', () => {
  it('sends reports of several jobs together, and answers each for itself', async () => {
    const calls: string[][] = [];
    const startJobs = async (_workerId: string, reports: readonly StartReport[]): Promise<ReportAnswer> => {
      calls.push(reports.map(({ jobId }) => jobId));
      return Promise.resolve({
        refused: new Map([['job_b', { code: 'FENCE_STALE', message: 'it is not yours any more' }]]),
      });
    };
    const reporter = new Reporter({ startJobs } as unknown as CoreProtocol, 'worker_1', signal);
    const start = (jobId: string) => reporter.start({ jobId, fence: 1, phase: 'RUNNING' });
    const results = await Promise.all(['job_a', 'job_b', 'job_c'].map(start));
    expect(results.map(({ accepted }) => accepted)).toEqual([true, false, true]);
    expect(calls).toEqual([['job_a', 'job_b', 'job_c']]);
  });

  it('takes the loss of the worker for no refusal of a job', async () => {
    const startJobs = async (): Promise<ReportAnswer> =>
      Promise.resolve({ refused: new Map([['job_a', { code: 'WORKER_LOST', message: 'it is lost' }]]) });
    const reporter = new Reporter({ startJobs } as unknown as CoreProtocol, 'worker_1', signal);
    await expect(reporter.start({ jobId: 'job_a', fence: 1, phase: 'RUNNING' })).rejects.toMatchObject({
      code: 'WORKER_LOST',
    });
  });
});
