import { describe, expect, it } from '@jest/globals';
import { isNews, type JobFact, newestOf, outcomeOf } from './job-fact.js';

const fact = (jobId: string, revision: number, state: JobFact['state']): JobFact => ({
  submissionId: 's',
  coreId: 't',
  index: 0,
  jobId,
  revision,
  state,
});
const known = (jobId: string, jobRevision: number, state: JobFact['state']) => ({
  jobId,
  jobRevision,
  outcome: outcomeOf(state),
});

describe('isNews', () => {
  it.each([
    ['an end, where nothing is known', fact('job_1', 4, 'FINISHED'), undefined, true],
    ['a beginning, where nothing is known', fact('job_1', 1, 'ACTIVATED'), undefined, false],
    ['the same again', fact('job_1', 4, 'FINISHED'), known('job_1', 4, 'FINISHED'), false],
    ['an older one', fact('job_1', 3, 'ACTIVATED'), known('job_1', 4, 'FAILED'), false],
    ['a newer one', fact('job_1', 5, 'FAILED'), known('job_1', 4, 'ACTIVATED'), true],
    ['the job that repeats it', fact('job_2', 1, 'ACTIVATED'), known('job_1', 9, 'FAILED'), true],
    ['the repeated job, reported late', fact('job_1', 9, 'FAILED'), known('job_2', 1, 'ACTIVATED'), false],
  ])('is news or not: %s', (_name, received, before, news) => {
    expect(isNews(received, before)).toBe(news);
  });

  it('uses the newest fact of each position, in any order', () => {
    const facts = [
      fact('job_1', 4, 'FAILED'),
      fact('job_2', 1, 'ACTIVATED'),
      fact('job_2', 4, 'FINISHED'),
      fact('job_1', 1, 'ACTIVATED'),
    ];
    for (const order of [facts, [...facts].reverse(), [2, 0, 3, 1].map((at) => facts[at] as JobFact)]) {
      expect(newestOf(order, () => 'position').get('position')).toBe(facts[2]);
    }
  });
});
