import { describe, expect, it } from '@jest/globals';
import { amountsOf, checkRun, framesOf, groupCount, phaseOf, placementOf, runRules } from './run.js';
import type { RunDocument } from './run.document.js';
import type { SubmitEpicRunInput } from './types.generated.js';

const input: SubmitEpicRunInput = {
  idempotencyKey: 'k',
  runNumber: 101,
  detectorConfiguration: 'epic_craterlake_18x275',
  superTimeFrames: 25,
  framesPerGroup: 10,
  command: 'frames',
};
const run = (more: Partial<SubmitEpicRunInput> = {}, stored: Partial<RunDocument> = {}): RunDocument => ({
  _id: 'epicRun_1',
  schemaVersion: 1,
  revision: 1,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  submittedBy: 'somebody',
  idempotencyKey: 'k',
  digest: '',
  stage: 'OPEN',
  taskId: 'task_1',
  finishedJobs: 0,
  lostJobs: 0,
  amounts: {},
  ...runRules.describe({ ...input, ...more }),
  ...stored,
});

describe('run', () => {
  it.each([
    [1, 1, 1, 1],
    [25, 10, 3, 5],
    [30, 10, 3, 10],
    [5, 10, 1, 5],
  ])(
    'splits %d frames by %d into %d groups, the last of %d',
    (superTimeFrames, framesPerGroup, groups, last) => {
      const shape = { superTimeFrames, framesPerGroup };
      expect(groupCount(shape)).toBe(groups);
      expect(framesOf(shape, groups - 1).frames).toBe(last);
      const all = Array.from({ length: groups }, (_, group) => framesOf(shape, group).frames);
      expect(all.reduce((sum, frames) => sum + frames)).toBe(superTimeFrames);
    },
  );

  it('creates a job per group, and a merge job on request', async () => {
    const plain = await runRules.toTask(run());
    expect(plain.variants).toBeUndefined();
    expect(plain.jobs.parameterSets?.length).toBe(3);
    expect(plain.template.payload.arguments).toEqual([
      '--run',
      '101',
      '--first-frame',
      '{{firstFrame}}',
      '--frames',
      '{{frames}}',
    ]);
    const merged = run({ mergeCommand: ['merge', '-a'], mergeOutputs: ['m'], isDetectorLabelRequired: true });
    const task = await runRules.toTask(merged);
    expect(merged.totalJobs).toBe(4);
    expect(task.variants?.[0]?.payload).toEqual({ command: 'merge', arguments: ['-a'], outputs: ['m'] });
    expect(task.jobs.parameterSets?.at(-1)).toEqual({
      parameters: [],
      dependsOn: ['#0', '#1', '#2'],
      variant: 0,
    });
    expect(task.template.requirements?.selector).toBe(
      'worker.labels["epic-detector"] == "epic_craterlake_18x275"',
    );
  });

  it('explains the placement of its jobs by their selector', async () => {
    const required = run({ isDetectorLabelRequired: true });
    const { template } = await runRules.toTask(required);
    expect(placementOf(required)).toEqual([
      { text: expect.stringContaining('epic_craterlake_18x275'), selector: template.requirements?.selector },
    ]);
    expect(placementOf(run({}))).toEqual([]);
  });

  it.each([
    ['STARTING', { taskId: undefined }],
    ['PROCESSING', { amounts: { processedGroups: 2 } }],
    ['COMPLETE', { amounts: { processedGroups: 3 } }],
    ['PARTIAL', { amounts: { processedGroups: 2, lostGroups: 1 } }],
  ] as const)('is %s if its groups say so', (phase, stored) => {
    expect(phaseOf(run({}, stored as Partial<RunDocument>))).toBe(phase);
  });

  it('counts frames and groups by the jobs of groups, not by the merge', () => {
    const merged = run({ mergeCommand: ['merge'] });
    expect([0, 2, 3].map((index) => amountsOf(merged, index, 'FINISHED'))).toEqual([
      { processedGroups: 1, processedFrames: 10 },
      { processedGroups: 1, processedFrames: 5 },
      {},
    ]);
    expect([0, 3].map((index) => amountsOf(merged, index, 'LOST'))).toEqual([{ lostGroups: 1 }, {}]);
  });

  it.each([
    [{ superTimeFrames: 10_000, framesPerGroup: 1 }, []],
    [{ superTimeFrames: 10_001, framesPerGroup: 1 }, ['framesPerGroup']],
    [{ superTimeFrames: 1000, framesPerGroup: 1, mergeCommand: ['m'] }, []],
    [{ superTimeFrames: 1001, framesPerGroup: 1, mergeCommand: ['m'] }, ['framesPerGroup']],
    [{ mergeOutputs: ['m'] }, ['mergeOutputs']],
    [{ runNumber: 0, cores: 0 }, ['cores', 'runNumber']],
  ])('reports, with %j, the errors %j', (more, paths) => {
    expect(checkRun({ ...input, ...more }).map(({ path }) => path.join('.'))).toEqual(paths);
  });
});
