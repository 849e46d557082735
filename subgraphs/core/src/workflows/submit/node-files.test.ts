import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { InputErrors } from '@rhizome/errors';
import { TimeSlices } from '../../shared/time-slices.js';
import { sourcesIn } from './file-sources.js';
import { planWorkflow } from './graph-input.js';
import {
  checkFileNeeds,
  checkInputs,
  fileNeeds,
  maxNodeFiles,
  storedInputs,
  withFileEdges,
} from './node-files.js';
import type { WorkflowErrorCode } from './workflow-errors.js';
import type { GroupEdgeSpec, NodeInputSpec, NodeLabelSpec, NodeSpec } from './workflow-spec.types.js';

const slices = new TimeSlices(systemClock, 10);
const fit = (name: string, rest: Partial<NodeSpec> = {}): NodeSpec => ({
  name,
  payload: { command: 'fit', outputs: ['fit.root'] },
  ...rest,
});
const reader = (name: string, inputs: readonly NodeInputSpec[], rest: Partial<NodeSpec> = {}): NodeSpec => ({
  ...{ name, inputs, payload: { command: 'merge' } },
  ...rest,
});

async function errorsOf(
  given: readonly NodeSpec[],
  groupEdges: readonly GroupEdgeSpec[] = [],
  nodeLabels: readonly NodeLabelSpec[] = [],
): Promise<readonly string[]> {
  const errors = new InputErrors<WorkflowErrorCode>();
  const labels = new Map(nodeLabels.map((label) => [label.label, label]));
  const nodes = withFileEdges(given, labels);
  const plan = await planWorkflow(nodes, { labels, groupEdges }, errors, slices);
  if (plan) await checkFileNeeds(fileNeeds(nodes, labels), plan, sourcesIn(nodes, labels), errors);
  return errors.all.map(({ code, message }) => `${code} ${message}`);
}

describe('withFileEdges and checkFileNeeds', () => {
  it('adds edges on the success of the nodes that store them, unless there is one with a condition', () => {
    const inputs = [
      { node: 'a', output: 'x' },
      { node: 'a', output: 'y' },
      { node: 'b', output: 'x', as: 'b.x' },
    ];
    const dependsOn = [{ node: 'b', condition: 'ENDED' as const }];
    const [node] = withFileEdges([reader('c', inputs, { dependsOn })], new Map());
    expect(node?.dependsOn).toEqual([...dependsOn, { node: 'a' }]);
  });

  it('takes those of the label for a node that gives none', () => {
    const labels = new Map([['merge', { inputs: [{ node: 'a', output: 'x' }] }]]);
    const nodes = withFileEdges(
      [reader('own', [], { label: 'merge' }), { name: 'b', label: 'merge' }],
      labels,
    );
    expect(nodes.map(({ dependsOn }) => dependsOn)).toEqual([undefined, [{ node: 'a' }]]);
  });

  it('needs an edge between the labels to read from one, except for final nodes', async () => {
    const inputs = [{ label: 'fit', output: 'fit.root' }];
    const nodes = [fit('a', { label: 'fit' }), reader('m', inputs, { label: 'merge' })];
    expect(await errorsOf(nodes)).toEqual([
      'NODE_UNREACHABLE Node "m" reads from label "fit", which does not come before it; must be in `groupEdges`, from "fit" to "merge"',
    ]);
    expect(await errorsOf(nodes, [{ from: 'fit', to: 'merge' }])).toEqual([]);
    expect(await errorsOf([fit('a', { label: 'fit' }), reader('m', inputs, { isFinal: true })])).toEqual([]);
  });

  it.each<[string, readonly NodeSpec[], string]>([
    [
      'an output that the node does not declare',
      [fit('a'), reader('m', [{ node: 'a', output: 'fit.txt' }])],
      'FILE_NOT_DECLARED Node "m" reads output "fit.txt" of node "a", which does not declare it in `payload.outputs`',
    ],
    [
      'an unknown node',
      [reader('m', [{ node: 'z', output: 'x' }])],
      'NODE_NOT_FOUND Node "m" depends on "z", which is not a node of the workflow',
    ],
    [
      'a node that comes after the reader',
      [fit('a', { dependsOn: [{ node: 'm' }] }), reader('m', [{ node: 'a', output: 'fit.root' }])],
      'CYCLE ',
    ],
    [
      'a label without nodes',
      [fit('a'), reader('m', [{ label: 'fit', output: 'fit.root' }], { isFinal: true })],
      'LABEL_NOT_FOUND Node "m" reads from label "fit", which no node has that is not final',
    ],
    [
      'an output that no node with the label declares',
      [fit('a', { label: 'fit' }), reader('m', [{ label: 'fit', output: 'x' }], { isFinal: true })],
      'FILE_NOT_DECLARED Node "m" reads output "x" of label "fit"',
    ],
  ])('refuses %s', async (_what, nodes, message) => {
    const [first, ...others] = await errorsOf(nodes);
    expect(first).toContain(message);
    expect(others).toEqual([]);
  });

  it('refuses more files than a job may read', async () => {
    const many = Array.from({ length: maxNodeFiles }, (_, at) => fit(`a${at}`, { label: 'fit' }));
    const all = [{ label: 'fit', output: 'fit.root' }];
    expect(await errorsOf([...many, reader('m', all, { isFinal: true })])).toEqual([]);
    const [message] = await errorsOf([
      ...many,
      fit('b', { label: 'fit' }),
      reader('m', all, { isFinal: true }),
    ]);
    expect(message).toMatch(/^WORKFLOW_TOO_LARGE Node "m" reads 10001 files/);
  });
});

describe('checkInputs', () => {
  const messages = (inputs: readonly NodeInputSpec[]): readonly string[] => {
    const errors = new InputErrors<'INVALID_VALUE'>();
    checkInputs(inputs, ['nodes', 0], errors as never);
    return errors.all.map(({ path }) => path.join('.'));
  };
  it.each<[string, readonly NodeInputSpec[], string]>([
    ['neither a node nor a label', [{ output: 'x' }], 'nodes.0.inputs.0'],
    ['both', [{ node: 'a', label: 'b', output: 'x' }], 'nodes.0.inputs.0'],
    ['a path as output', [{ node: 'a', output: '../x' }], 'nodes.0.inputs.0.output'],
    ['a path as name', [{ node: 'a', output: 'x', as: 'b/x' }], 'nodes.0.inputs.0.as'],
    [
      'two files of one name',
      [
        { node: 'a', output: 'x' },
        { node: 'b', output: 'x' },
      ],
      'nodes.0.inputs.1',
    ],
  ])('refuses %s', (_what, inputs, path) => {
    expect(messages(inputs)).toEqual([path]);
  });

  it('names files after outputs and folders after labels', () => {
    const inputs = [
      { node: 'a', output: 'x', isOptional: true },
      { label: 'fit', output: 'x' },
    ];
    expect(messages(inputs)).toEqual([]);
    expect(storedInputs('workflow_1', inputs).nodeInputs?.files).toEqual([
      { node: 'a', output: 'x', as: 'x', isOptional: true },
      { label: 'fit', output: 'x', as: 'fit' },
    ]);
  });
});
