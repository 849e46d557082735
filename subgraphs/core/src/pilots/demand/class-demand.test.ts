import { expect, it } from '@jest/globals';
import { byExperiment, comingBy, missingJobs, mostWanted } from './class-demand.js';

const waiting = { classId: 'class_a', isAtLeast: false };
const experimentOf = (share: string): string => share.split('/')[0] ?? '';

it('sums the shares of an experiment, with the oldest of their jobs', () => {
  const kinds = [
    { ...waiting, share: 'alpha/one', jobs: 3, oldestId: 'job_2' },
    { ...waiting, share: 'alpha/two', jobs: 20_000, oldestId: 'job_1', isAtLeast: true },
    { ...waiting, share: 'beta/one', jobs: 1, oldestId: undefined },
  ];
  expect(byExperiment(kinds, experimentOf)).toEqual([
    { classId: 'class_a', experiment: 'alpha', jobs: 20_003, isAtLeast: true, oldestId: 'job_1' },
    { classId: 'class_a', experiment: 'beta', jobs: 1, isAtLeast: false, oldestId: undefined },
  ]);
});

it('leaves out what free workers and pilots on their way will take', () => {
  const pilot = { classId: 'class_a', experiment: 'alpha', jobsPerPilot: 4 };
  const coming = comingBy([pilot, pilot, { ...pilot, experiment: 'beta' }]).get('class_a alpha');
  expect(coming).toEqual({ pilots: 2, jobs: 8 });
  const cover = { freeWorkers: 1, coming: { pilots: 2, jobs: 8 } };
  expect(missingJobs({ jobs: 12 }, cover)).toBe(3);
  expect(missingJobs({ jobs: 5 }, cover)).toBe(0);
});

it('answers for the classes with the most jobs, and for all with pilots of the queue on their way', () => {
  const coming = (jobs: number) => ({ pilots: jobs, jobs });
  const few = { one: { jobs: 1 }, coming: coming(0), isOwn: false };
  const covered = { one: { jobs: 50 }, coming: coming(50), isOwn: true };
  const many = { one: { jobs: 60 }, coming: coming(30), isOwn: false };
  expect(mostWanted([few, covered, many], 1)).toEqual([many, covered]);
});
