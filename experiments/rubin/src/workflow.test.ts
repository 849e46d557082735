import { describe, expect, it } from '@jest/globals';
import type { SubmitRubinWorkflowInput } from './types.generated.js';
import { checkWorkflow, orderedQuanta, placementOf, taskOf, workflowRules } from './workflow.js';

const quantum = (name: string, ...needs: string[]) => ({
  name,
  label: 'isr',
  dataId: `visit=${name}`,
  needs,
});
const input: SubmitRubinWorkflowInput = {
  idempotencyKey: 'k',
  name: 'run7',
  pipeline: 'DRP',
  quanta: [quantum('b', 'a'), quantum('a')],
  command: 'pipetask',
  arguments: ['run'],
};
const faults = (more: Partial<SubmitRubinWorkflowInput>) =>
  checkWorkflow({ ...input, ...more }).map(({ path, code }) => [path.join('.'), code]);

describe('workflow', () => {
  it('becomes a task whose jobs come after those that they depend on', () => {
    const quanta = orderedQuanta(input);
    const task = taskOf({ ...input, arguments: ['run'], memoryMiB: 1, walltimeSeconds: 2 } as never, quanta);
    expect(task.template.payload.arguments).toEqual([
      'run',
      '--label',
      '{{label}}',
      '--data-id',
      '{{dataId}}',
      '--quantum',
      '{{quantum}}',
    ]);
    expect(
      task.jobs.parameterSets?.map(({ parameters, dependsOn }) => [
        parameters.map(({ value }) => value),
        dependsOn,
      ]),
    ).toEqual([
      [['isr', 'visit=a', 'a'], []],
      [['isr', 'visit=b', 'b'], ['#0']],
    ]);
  });

  it('gives the quanta of a label its own resources', () => {
    const { describe: described } = workflowRules(null as never);
    const quanta = [quantum('a'), { ...quantum('b', 'a'), label: 'calibrate' }];
    const labels = [{ label: 'calibrate', cores: 4, memoryMiB: 16_000, diskMiB: null }];
    const workflow = described({ ...input, quanta, labels, memoryMiB: 4000, walltimeSeconds: 7200 });
    const task = taskOf(workflow as never, orderedQuanta({ quanta }));
    expect(task.template.requirements).toEqual({ memoryMiB: 4000, walltimeSeconds: 7200 });
    expect(task.variants).toEqual([{ requirements: { cores: 4, memoryMiB: 16_000, walltimeSeconds: 7200 } }]);
    expect(task.jobs.parameterSets?.map(({ variant }) => variant)).toEqual([undefined, 0]);
  });

  it('is placed on workers with its release, and explains that with the selector of its jobs', () => {
    const { describe: described } = workflowRules(null as never);
    const quanta = [quantum('a'), { ...quantum('b', 'a'), label: 'calibrate' }];
    const labels = [{ label: 'calibrate', cores: 4 }];
    const workflow = described({ ...input, quanta, labels, release: 'w_2030_12' }) as never;
    const rules = placementOf(workflow);
    expect(rules).toEqual([
      {
        text: 'Only workers with the label rubin-release=w_2030_12: the workflow requires this release of the pipelines.',
        selector: 'worker.labels["rubin-release"] == "w_2030_12"',
      },
    ]);
    const { template, variants } = taskOf(workflow, orderedQuanta({ quanta }));
    const selectors = [template, ...(variants ?? [])].map(({ requirements }) => requirements?.selector);
    expect(selectors).toEqual([rules[0]?.selector, rules[0]?.selector]);
    expect(placementOf(described(input) as never)).toEqual([]);
    expect(described(input)).not.toHaveProperty('release');
    expect(faults({ release: '' })).toEqual([['release', 'INVALID_VALUE']]);
  });

  it('stores no resources that nobody set', () => {
    const { describe: described } = workflowRules(null as never);
    expect(described({ ...input, labels: [{ label: 'isr' }] })).not.toHaveProperty('labels');
  });

  it.each([
    [{ labels: [{ label: 'warp' }] }, ['labels.0.label', 'INVALID_VALUE']],
    [{ labels: [{ label: 'isr' }, { label: 'isr' }] }, ['labels.1.label', 'INVALID_VALUE']],
    [{ labels: [{ label: 'isr', cores: 4097 }] }, ['labels.0.cores', 'INVALID_VALUE']],
    [{ quanta: [quantum('a'), quantum('a')] }, ['quanta.1.name', 'INVALID_VALUE']],
    [{ quanta: [quantum('a', 'b')] }, ['quanta.0.needs.0', 'INVALID_VALUE']],
    [{ quanta: [quantum('x'), quantum('a', 'b'), quantum('b', 'a')] }, ['quanta.1.needs', 'GRAPH_CIRCULAR']],
    [{ quanta: Array.from({ length: 10_001 }, (_, at) => quantum(`q${at}`)) }, ['quanta', 'INVALID_VALUE']],
    [{ name: 'x'.repeat(128) }, ['name', 'INVALID_VALUE']],
  ])('reports the input path of an error: %#', (more, fault) => {
    expect(faults(more)).toEqual([fault]);
  });

  it('accepts ten thousand quanta', () => {
    expect(
      faults({
        quanta: Array.from({ length: 10_000 }, (_, at) =>
          quantum(`q${at}`, ...(at > 0 ? [`q${at - 1}`] : [])),
        ),
      }),
    ).toEqual([]);
  });
});
