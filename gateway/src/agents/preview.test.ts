import { describe, expect, it } from '@jest/globals';
import { hoursOfJobs, hoursOfSubmission, submittedJobs } from './preview.js';

const job = { cores: 8, walltimeSeconds: 1800, gpu: { count: 2 } };

describe('hoursOfJobs', () => {
  it('adds up cores and GPUs times the longest walltime', () => {
    expect(hoursOfJobs([job, { ...job, gpu: null }], {})).toEqual({ coreHours: 8, gpuHours: 1 });
  });

  it('counts the changes of a retry', () => {
    const of = (requirements: object) => hoursOfJobs([job], { changes: { requirements } });
    expect(of({ cores: 4 })).toEqual({ coreHours: 2, gpuHours: 1 });
    expect(of({ walltime: { factor: 3 } })).toEqual({ coreHours: 12, gpuHours: 3 });
    expect(of({ walltime: { seconds: 3600 } })).toEqual({ coreHours: 8, gpuHours: 2 });
  });

  it('is unknown if the resources of a job are', () => {
    expect(hoursOfJobs([job, null], {})).toEqual({ coreHours: null, gpuHours: null });
  });
});

describe('submittedJobs', () => {
  it.each([
    [[{}, {}], 2],
    [{ count: 1_000_000 }, 1_000_000],
    [{ parameterSets: [{}, {}, {}] }, 3],
    [{ dataset: { datasetId: 'dataset_1' } }, undefined],
    [undefined, undefined],
  ])('reads the jobs of %j as %s', (jobs, count) => {
    expect(submittedJobs({ jobs })).toBe(count);
  });
});

describe('hoursOfSubmission', () => {
  it('is known if each job states its resources', () => {
    const jobs = [{ requirements: { cores: 2, walltimeSeconds: 3600 } }, { requirements: job }];
    expect(hoursOfSubmission('submitJobs', { jobs })).toEqual({ coreHours: 6, gpuHours: 1 });
    expect(hoursOfSubmission('submitJobs', { jobs: [{}] })).toEqual({ coreHours: null, gpuHours: null });
    expect(hoursOfSubmission('submitTask', { jobs: { count: 2 } })).toEqual({
      coreHours: null,
      gpuHours: null,
    });
  });
});
