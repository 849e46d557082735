import { describe, expect, it } from '@jest/globals';
import { amountsOf, checkObservation, observationRules, stateOf, stepAt } from './observation.js';
import type { ObservationDocument } from './observation.document.js';

const observation = (more: Partial<ObservationDocument> = {}): ObservationDocument => ({
  _id: 'larkspurObservation_1',
  schemaVersion: 1,
  revision: 1,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  submittedBy: 'somebody',
  idempotencyKey: 'k',
  digest: '',
  stage: 'OPEN',
  taskId: 'task_1',
  totalJobs: 3,
  finishedJobs: 0,
  lostJobs: 0,
  amounts: {},
  field: 'LK-042',
  band: 'RED',
  exposures: 2,
  exposureSeconds: 30,
  command: 'calibrate',
  arguments: ['-v'],
  ...more,
});
const input = {
  idempotencyKey: 'k',
  field: 'LK-042',
  band: 'RED',
  exposures: 2,
  exposureSeconds: 30,
  command: 'c',
} as const;

describe('observation', () => {
  it('creates a job per exposure, and one that depends on all of them', async () => {
    const { template, variants, jobs } = await observationRules.toTask(observation({ calibration: '2030a' }));
    expect(template.payload).toEqual({
      command: 'calibrate',
      arguments: ['-v', '--step', 'calibrate', '--exposure', '{{exposure}}', '--field', 'LK-042'],
    });
    expect(template.requirements).toEqual({ selector: 'worker.labels["larkspur-calibration"] == "2030a"' });
    expect(variants?.[0]?.payload?.arguments).toEqual(['-v', '--step', 'stack', '--field', 'LK-042']);
    expect(jobs.parameterSets).toEqual([
      { parameters: [{ name: 'exposure', value: '0' }] },
      { parameters: [{ name: 'exposure', value: '1' }] },
      { parameters: [], dependsOn: ['#0', '#1'], variant: 0 },
    ]);
  });

  it('gives the same task on every call', async () => {
    expect(await observationRules.toTask(observation())).toEqual(
      await observationRules.toTask(observation({ revision: 9, finishedJobs: 2 })),
    );
  });

  it('has the same number of jobs in its description and in its task', async () => {
    const described = observationRules.describe(input);
    const { jobs } = await observationRules.toTask(observation(described));
    expect(jobs.parameterSets?.length).toBe(described.totalJobs);
  });

  it.each([
    ['SUBMITTING', { stage: 'SUBMITTING', taskId: undefined }],
    ['PROCESSING', { finishedJobs: 2 }],
    ['COMPLETE', { finishedJobs: 3 }],
    ['INCOMPLETE', { finishedJobs: 2, lostJobs: 1 }],
  ] as const)('is %s if its jobs say so', (state, jobs) => {
    expect(stateOf(observation(jobs as Partial<ObservationDocument>))).toBe(state);
  });

  it('counts exposures by the calibration jobs, and not by the stack', () => {
    expect([0, 1, 2].map((index) => stepAt(observation(), index))).toEqual([
      'CALIBRATE',
      'CALIBRATE',
      'STACK',
    ]);
    expect(
      [0, 1, 2].map((index) => amountsOf(observation(), index, 'FINISHED')['calibratedExposures'] ?? 0),
    ).toEqual([1, 1, 0]);
    expect(amountsOf(observation(), 0, 'LOST')).toEqual({});
  });

  it('reports all input errors together', () => {
    const faults = checkObservation({ ...input, field: 'x', exposures: 0, exposureSeconds: Number.NaN });
    expect(faults.map(({ path }) => path.join('.'))).toEqual(['field', 'exposures', 'exposureSeconds']);
    expect(checkObservation(input)).toEqual([]);
  });
});
