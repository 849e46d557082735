/** Wrong workflows, and wrong commands to them. */
import { casesOf } from '../case.js';
import { noExperiment } from './rows.js';

const noWorkflow = [
  ...(['a workflow that is not there', 'workflowId', 'workflow_nowhere'] as const),
  { code: 'WORKFLOW_NOT_FOUND' },
] as const;

/** Cases of workflows. */
export const workflows = [
  ...casesOf('submitWorkflow', 'INVALID_VALUE', [
    noExperiment,
    ['an empty name', 'name', ''],
    ['no node', 'nodes', [], { names: '0 nodes' }],
    ['an empty name of a node', 'nodes.0.name', ''],
    ['a label with a blank', 'nodes.0.label', 'a b'],
    ['no payload', 'nodes.0.payload', undefined, { names: 'null' }],
    ['no core', 'nodes.0.requirements', { cores: 0 }, { at: 'nodes.0.requirements.cores', names: '0' }],
    ['a priority that is too high', 'nodes.0.priority', 1001],
    ['no edge of none', 'nodes.0.needed', 1, { code: 'NODE_UNREACHABLE' }],
    [
      ...(['a template without nodes', 'templates', [{ name: 'x', nodes: [] }]] as const),
      { at: 'templates.0.nodes', names: '0 entries' },
    ],
    [
      ...(['an unknown parent', 'nodes.0.dependsOn', [{ node: 'nobody' }]] as const),
      { at: 'nodes.0.dependsOn.0.node', code: 'NODE_NOT_FOUND', names: 'nobody' },
    ],
    [
      ...(['a node that depends on itself', 'nodes.0.dependsOn', [{ node: 'a node' }]] as const),
      { at: 'nodes', code: 'CYCLE', names: 'a node' },
    ],
    [
      ...(['an unknown label', 'groupEdges', [{ from: 'x', to: 'a' }]] as const),
      { at: 'groupEdges.0.from', code: 'LABEL_NOT_FOUND', names: '"x"' },
    ],
  ]),
  ...casesOf('appendWorkflowNodes', 'INVALID_VALUE', [
    noWorkflow,
    ['part 0', 'part', 0],
    ['a part too many', 'part', 201],
    ['a part that is not the next', 'part', 2, { code: 'PART_OUT_OF_ORDER', names: '2' }],
    ['no node', 'nodes', [], { names: '0 nodes' }],
    ['an empty name of a node', 'nodes.0.name', ''],
    ['no payload', 'nodes.0.payload', undefined, { names: 'null' }],
    ['no edge of none', 'nodes.0.needed', 1, { code: 'NODE_UNREACHABLE' }],
    [
      ...(['one parent twice', 'nodes.0.dependsOn', [{ node: 'x' }, { node: 'x' }]] as const),
      { at: 'nodes.0.dependsOn.1.node', names: '"x"' },
    ],
  ]),
  ...['sealWorkflow', 'pauseWorkflow', 'resumeWorkflow', 'cancelWorkflow', 'retryWorkflow'].flatMap(
    (mutation) => casesOf(mutation, 'WORKFLOW_NOT_FOUND', [noWorkflow]),
  ),
  ...casesOf('retryWorkflow', 'INVALID_VALUE', [
    ['no core', 'requirements', { cores: 0 }, { at: 'requirements.cores', names: '0' }],
    ['an empty key', 'idempotencyKey', ''],
    [
      ...(['an unknown queue', 'requirements', { queue: 'nowhere' }] as const),
      { at: 'requirements.queue', code: 'QUEUE_NOT_FOUND', names: '"nowhere"' },
    ],
  ]),
  ...casesOf('cloneWorkflow', 'INVALID_VALUE', [
    noWorkflow,
    ['no name', 'name', ''],
    ['too high a priority', 'priority', 1001, { names: '1001' }],
    [
      ...(['a label of no node', 'nodeLabels', [{ label: 'nobody' }]] as const),
      { at: 'nodeLabels.0.label', code: 'LABEL_NOT_FOUND', names: '"nobody"' },
    ],
  ]),
  ...casesOf('markWorkflowNodes', 'INVALID_VALUE', [
    noWorkflow,
    ['no node', 'nodes', [], { names: '0 entries' }],
    ['an unknown node', 'nodes', ['nobody'], { at: 'nodes.0', code: 'NODE_NOT_FOUND', names: 'nobody' }],
    ['an empty reason', 'reason', ''],
  ]),
];
