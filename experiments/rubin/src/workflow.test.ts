import { describe, expect, it } from '@jest/globals';
import type { SubmitRubinWorkflowInput } from './types.generated.js';
import type { WorkflowDocument } from './workflow.document.js';
import { orderedQuanta, placementOf, quantaAt, workflowOf, workflowRules } from './workflow.js';
import { checkWorkflow } from './workflow-input.js';

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
const described = (more: Partial<SubmitRubinWorkflowInput> = {}) =>
  workflowRules(null as never).describe({ ...input, ...more }) as WorkflowDocument;
const coreOf = (more: Partial<SubmitRubinWorkflowInput> = {}) =>
  workflowOf(described(more), orderedQuanta({ ...input, ...more }));

describe('workflow', () => {
  it('becomes a workflow of core whose nodes come after those that they depend on', () => {
    const { nodes, nodeLabels } = coreOf();
    expect(nodes.map(({ name, dependsOn, payload }) => [name, dependsOn, payload?.arguments])).toEqual([
      ['a', [], ['run', '--label', 'isr', '--data-id', 'visit=a', '--quantum', 'a']],
      ['b', [{ node: 'a' }], ['run', '--label', 'isr', '--data-id', 'visit=b', '--quantum', 'b']],
    ]);
    expect(nodeLabels).toEqual([{ label: 'isr', requirements: { memoryMiB: 4000, walltimeSeconds: 7200 } }]);
  });

  it('gives the quanta of a label its own resources and its own growth of memory', () => {
    const quanta = [quantum('a'), { ...quantum('b', 'a'), label: 'calibrate' }];
    const growth = { maxAttempts: 4, memoryFactor: 2, maxMemoryMiB: 64_000 };
    const labels = [{ label: 'calibrate', cores: 4, memoryMiB: 16_000, diskMiB: null, ...growth }];
    expect(coreOf({ quanta, labels }).nodeLabels).toEqual([
      { label: 'isr', requirements: { memoryMiB: 4000, walltimeSeconds: 7200 } },
      {
        label: 'calibrate',
        requirements: { cores: 4, memoryMiB: 16_000, walltimeSeconds: 7200 },
        retry: growth,
      },
    ]);
  });

  it('makes the text of a data id from its dimensions', () => {
    const dimensions = [
      { dimension: 'visit', value: '903334' },
      { dimension: 'detector', value: '22' },
    ];
    const [only] = orderedQuanta({ quanta: [{ name: 'a', label: 'isr', dimensions }] });
    expect(only).toMatchObject({ dataId: 'visit=903334, detector=22', dimensions });
    expect(faults({ quanta: [{ name: 'a', label: 'isr' }] })).toEqual([['quanta.0.dataId', 'INVALID_VALUE']]);
  });

  it('runs a final job after all others', () => {
    const finalJob = { command: 'merge', arguments: ['all'] };
    const workflow = described({ finalJob });
    expect(coreOf({ finalJob }).nodes.at(-1)).toEqual({
      name: '~final',
      isFinal: true,
      requirements: { memoryMiB: 4000, walltimeSeconds: 7200 },
      payload: { command: 'merge', arguments: ['all'] },
    });
    expect([workflow.totalJobs, workflow.totalQuanta]).toEqual([3, 2]);
    expect([0, 1, 2].map((index) => quantaAt(workflow, index))).toEqual([1, 1, 0]);
  });

  it('runs quanta of a label in one job, up to its number and with the same dimensions', () => {
    const of = (name: string, visit: string, ...needs: string[]) => ({
      ...quantum(name, ...needs),
      dimensions: [{ dimension: 'visit', value: visit }],
    });
    const last = { ...quantum('last', 'a', 'b', 'c', 'd'), label: 'coadd' };
    const quanta = [of('a', '1'), of('b', '2'), of('c', '1'), of('d', '1'), last];
    const labels = [{ label: 'isr', quantaPerJob: 2, clusterBy: ['visit'] }];
    expect(faults({ quanta, labels })).toEqual([]);
    const { nodes } = coreOf({ quanta, labels });
    const all = ['isr~0001', 'isr~0002', 'isr~0003'];
    expect(nodes.map(({ name, dependsOn }) => [name, dependsOn?.map(({ node }) => node)])).toEqual([
      ...all.map((name) => [name, []]),
      ['last', ['isr~0001', 'isr~0002', 'isr~0003']],
    ]);
    expect(nodes[0]?.payload?.arguments).toEqual(
      ['run', '--label', 'isr', '--data-id', 'visit=a', '--quantum', 'a'].concat([
        '--data-id',
        'visit=c',
        '--quantum',
        'c',
      ]),
    );
    const workflow = described({ quanta, labels });
    expect(workflow.nodeSizes).toEqual([2, 1, 1, 1]);
    expect(orderedQuanta({ quanta, labels }).map(({ name, node }) => [name, node])).toEqual([
      ['a', 0],
      ['c', 0],
      ['b', 1],
      ['d', 2],
      ['last', 3],
    ]);
  });

  it('runs the quanta with the same dimensions in one job, also without a number', () => {
    const of = (name: string, visit: string) => ({
      ...quantum(name),
      dimensions: [{ dimension: 'visit', value: visit }],
    });
    const quanta = [of('a', '1'), of('b', '2'), of('c', '1')];
    const labels = [{ label: 'isr', clusterBy: ['visit'] }];
    expect(faults({ quanta, labels })).toEqual([]);
    expect(described({ quanta, labels }).nodeSizes).toEqual([2, 1]);
    const many = Array.from({ length: 201 }, (_, at) => of(`q${at}`, '1'));
    expect(faults({ quanta: many, labels })).toEqual([]);
    expect(described({ quanta: many, labels }).nodeSizes).toEqual([200, 1]);
  });

  it('refuses to cluster by a dimension that a quantum of the label does not have', () => {
    const visit = [{ dimension: 'visit', value: '1' }];
    const quanta = [{ ...quantum('a'), dimensions: visit }, quantum('b')];
    const [fault] = checkWorkflow({ ...input, quanta, labels: [{ label: 'isr', clusterBy: ['visit'] }] });
    expect(fault).toMatchObject({ path: ['labels', '0', 'clusterBy', '0'], code: 'INVALID_VALUE' });
    expect(fault?.message).toContain('"b" has none of this name');
  });

  it('refuses clusters that need each other', () => {
    const between = { ...quantum('between', 'a'), label: 'calibrate' };
    const quanta = [quantum('a'), between, quantum('b', 'between')];
    const labels = [{ label: 'isr', quantaPerJob: 2 }];
    expect(faults({ quanta, labels })).toEqual([['labels', 'GRAPH_CIRCULAR']]);
  });

  it('is placed on workers with its release, and explains that with the selector of its jobs', () => {
    const quanta = [quantum('a'), { ...quantum('b', 'a'), label: 'calibrate' }];
    const rules = placementOf(described({ quanta, release: 'w_2030_12' }));
    expect(rules).toEqual([
      {
        text: 'Only workers with the label rubin-release=w_2030_12: the workflow requires this release of the pipelines.',
        selector: 'worker.labels["rubin-release"] == "w_2030_12"',
      },
    ]);
    const { nodeLabels } = coreOf({ quanta, release: 'w_2030_12' });
    const selectors = (nodeLabels ?? []).map(({ requirements }) => requirements?.selector);
    expect(selectors).toEqual([rules[0]?.selector, rules[0]?.selector]);
    expect(placementOf(described())).toEqual([]);
    expect(described()).not.toHaveProperty('release');
    expect(faults({ release: '' })).toEqual([['release', 'INVALID_VALUE']]);
  });

  it('stores nothing of a label that nobody set', () => {
    expect(described({ labels: [{ label: 'isr' }] })).not.toHaveProperty('labels');
  });

  it.each([
    [{ labels: [{ label: 'warp' }] }, ['labels.0.label', 'INVALID_VALUE']],
    [{ labels: [{ label: 'isr' }, { label: 'isr' }] }, ['labels.1.label', 'INVALID_VALUE']],
    [{ labels: [{ label: 'isr', cores: 4097 }] }, ['labels.0.cores', 'INVALID_VALUE']],
    [{ labels: [{ label: 'isr', memoryFactor: 1 }] }, ['labels.0.memoryFactor', 'INVALID_VALUE']],
    [{ labels: [{ label: 'isr', maxMemoryMiB: 1 }] }, ['labels.0.maxMemoryMiB', 'INVALID_VALUE']],
    [
      { labels: [{ label: 'isr', memoryFactor: 2, maxMemoryMiB: 4000 }] },
      ['labels.0.maxMemoryMiB', 'INVALID_VALUE'],
    ],
    [
      { labels: [{ label: 'isr', memoryFactor: 2, maxAttempts: 1 }] },
      ['labels.0.maxAttempts', 'INVALID_VALUE'],
    ],
    [{ labels: [{ label: 'isr', quantaPerJob: 0 }] }, ['labels.0.quantaPerJob', 'INVALID_VALUE']],
    [{ finalJob: { command: '' } }, ['finalJob.command', 'INVALID_VALUE']],
    [{ quanta: [quantum('a'), quantum('a')] }, ['quanta.1.name', 'INVALID_VALUE']],
    [{ quanta: [quantum('a', 'b')] }, ['quanta.0.needs.0', 'INVALID_VALUE']],
    [{ quanta: [quantum('x'), quantum('a', 'b'), quantum('b', 'a')] }, ['quanta.1.needs', 'GRAPH_CIRCULAR']],
    [{ quanta: Array.from({ length: 20_001 }, (_, at) => quantum(`q${at}`)) }, ['quanta', 'INVALID_VALUE']],
    [{ name: 'x'.repeat(128) }, ['name', 'INVALID_VALUE']],
  ] as const)('reports the input path of an error: %#', (more, fault) => {
    expect(faults(more as Partial<SubmitRubinWorkflowInput>)).toEqual([fault]);
  });

  it('refuses clusters whose jobs would have too many arguments', () => {
    const quanta = Array.from({ length: 250 }, (_, at) => quantum(`q${at}`));
    const labels = [{ label: 'isr', quantaPerJob: 250 }];
    expect(faults({ quanta, labels })).toEqual([['labels.0.quantaPerJob', 'INVALID_VALUE']]);
  });

  it('accepts twenty thousand quanta', () => {
    const quanta = Array.from({ length: 20_000 }, (_, at) =>
      quantum(`q${at}`, ...(at > 0 ? [`q${at - 1}`] : [])),
    );
    expect(faults({ quanta })).toEqual([]);
  });
});
