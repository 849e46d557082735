import { describe, expect, it } from '@jest/globals';
import {
  amountsOf,
  checkProductionTask,
  placementOf,
  productionTaskPathRules,
  productionTaskRules,
  stateOf,
} from './production-task.js';
import type { ProductionTaskDocument } from './production-task.document.js';
import type { SubmitAtlasTaskInput } from './types.generated.js';

const transform = (step: 'EVGEN' | 'SIMUL' | 'RECO' | 'MERGE') => ({
  step,
  command: [step, '{{events}}'],
  output: `${step}.root`,
});
const input: SubmitAtlasTaskInput = {
  idempotencyKey: 'k',
  campaign: 'mc23e',
  requestId: 1,
  physicsShort: 'Zmumu',
  totalEvents: 25,
  eventsPerJob: 10,
  transforms: [transform('EVGEN'), transform('RECO'), transform('MERGE')],
};
const task = (
  more: Partial<SubmitAtlasTaskInput> = {},
  stored: Partial<ProductionTaskDocument> = {},
): ProductionTaskDocument => ({
  _id: 'atlasTask_1',
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
  ...productionTaskRules.describe({ ...input, ...more }),
  ...stored,
});

describe('ProductionTask', () => {
  it('explains the placement of its jobs by their selector', async () => {
    const released = task({ release: '25.0' });
    const { template } = await productionTaskRules.toTask(released);
    expect(placementOf(released)).toEqual([
      { text: expect.stringContaining('25.0'), selector: template.requirements?.selector },
    ]);
    expect(placementOf(task({}))).toEqual([]);
  });

  it('lets core scout its jobs if it asks for that', async () => {
    expect((await productionTaskRules.toTask(task({ scouts: 5 }))).scouts).toEqual({ count: 5 });
    expect(checkProductionTask({ ...input, scouts: 0 })).toMatchObject([{ path: ['scouts'] }]);
  });

  it('becomes one core task with a variant for each further step', async () => {
    const core = await productionTaskRules.toTask(
      task({ seed: 100, release: '25.0', share: 'production', cores: 4 }),
    );
    expect(core.template).toMatchObject({
      name: 'Zmumu evgen {{index}}',
      share: 'production',
      requirements: {
        cores: 4,
        memoryMiB: 2000,
        walltimeSeconds: 43_200,
        selector: 'worker.labels["atlas-release"] == "25.0"',
      },
      payload: { command: 'EVGEN', arguments: ['{{events}}'], outputs: ['EVGEN.root'] },
      retry: { maxAttempts: 3 },
    });
    expect(core.scouts).toBeUndefined();
    expect(core.variants?.map(({ payload }) => payload?.command)).toEqual(['RECO', 'MERGE']);
    expect(core.jobs.parameterSets?.map(({ variant, dependsOn }) => [variant, dependsOn])).toEqual([
      ...[0, 1, 2].map(() => [undefined, []]),
      ...['#0', '#1', '#2'].map((parent) => [0, [parent]]),
      [1, ['#3', '#4', '#5']],
    ]);
    const values = core.jobs.parameterSets?.map(({ parameters }) =>
      parameters.map(({ value }) => value).join(' '),
    );
    expect(values).toEqual([
      '10 0 100',
      '10 10 101',
      '5 20 102',
      '10 0 103',
      '10 10 104',
      '5 20 105',
      '25 0 106',
    ]);
  });

  it('gives the jobs of a step its own resources, and those of the other steps the resources of the task', async () => {
    const resources = { cores: 8, memoryMiB: 16_000, walltimeSeconds: null };
    const transforms = [
      transform('EVGEN'),
      { ...transform('RECO'), resources },
      { ...transform('MERGE'), resources: { diskMiB: 9000 } },
    ];
    const { template, variants } = await productionTaskRules.toTask(task({ transforms, release: '25.0' }));
    const usual = {
      ...{ cores: 1, memoryMiB: 2000, walltimeSeconds: 43_200 },
      selector: 'worker.labels["atlas-release"] == "25.0"',
    };
    expect(template.requirements).toEqual(usual);
    expect(variants?.map(({ requirements }) => requirements)).toEqual([
      { ...usual, cores: 8, memoryMiB: 16_000 },
      { ...usual, diskMiB: 9000 },
    ]);
  });

  it('gives no step the resources of the first one', async () => {
    const evgen = { ...transform('EVGEN'), resources: { memoryMiB: 900 } };
    const transforms = [evgen, transform('RECO'), transform('MERGE')];
    const { template, variants } = await productionTaskRules.toTask(task({ transforms }));
    expect(template.requirements?.memoryMiB).toBe(900);
    expect(variants?.map(({ requirements }) => requirements?.memoryMiB)).toEqual([2000, 2000]);
  });

  it('names the resource of a step that is out of range, also if core refuses it', () => {
    const reco = { ...transform('RECO'), resources: { memoryMiB: 0 } };
    const transforms = [transform('EVGEN'), reco];
    expect(checkProductionTask({ ...input, transforms }).map(({ path }) => path.join('.'))).toEqual([
      'transforms.1.resources.memoryMiB',
    ]);
    const own = new Map(productionTaskPathRules).get('variants') as (rest: readonly string[]) => unknown;
    expect(own(['0', 'requirements', 'memoryMiB'])).toEqual(['transforms', '1', 'resources', 'memoryMiB']);
    expect(own(['0', 'requirements', 'selector'])).toEqual(['transforms', '1']);
  });

  it.each([
    ['REGISTERED', { taskId: undefined, stage: 'SUBMITTING' }],
    ['RUNNING', { finishedJobs: 6 }],
    ['DONE', { finishedJobs: 7 }],
    ['FINISHED', { finishedJobs: 5, lostJobs: 2 }],
    ['FAILED', { lostJobs: 7 }],
  ] as const)('is %s if its jobs say so', (state, jobs) => {
    expect(stateOf(task({}, jobs as Partial<ProductionTaskDocument>))).toBe(state);
  });

  it('counts events by the last step before the merge', () => {
    const counted = Array.from(
      { length: 7 },
      (_, index) => amountsOf(task(), index, 'FINISHED')['processedEvents'] ?? 0,
    );
    expect(counted).toEqual([0, 0, 0, 10, 10, 5, 0]);
    expect(amountsOf(task(), 3, 'LOST')).toEqual({});
  });

  it.each([
    [1000, ['EVGEN', 'MERGE'], []],
    [1001, ['EVGEN', 'MERGE'], ['eventsPerJob']],
    [10_000, ['EVGEN', 'RECO'], []],
    [10_001, ['EVGEN', 'RECO'], ['eventsPerJob']],
  ] as const)('reports, for %d jobs and a step of %j, the errors %j', (width, steps, paths) => {
    const faults = checkProductionTask({
      ...input,
      totalEvents: width,
      eventsPerJob: 1,
      transforms: steps.map(transform),
    });
    expect(faults.map(({ path }) => path.join('.'))).toEqual(paths);
  });

  it('accepts missing steps, but no other order and no repetition', () => {
    const faults = (...steps: ('EVGEN' | 'SIMUL' | 'RECO' | 'MERGE')[]) =>
      checkProductionTask({ ...input, transforms: steps.map(transform) }).map(({ code }) => code);
    expect(faults('SIMUL', 'MERGE')).toEqual([]);
    expect(faults('RECO', 'SIMUL')).toEqual(['CHAIN_INVALID']);
    expect(faults('RECO', 'RECO')).toEqual(['CHAIN_INVALID']);
    expect(faults('MERGE')).toEqual(['CHAIN_INVALID']);
  });
});
