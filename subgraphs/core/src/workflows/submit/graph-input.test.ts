import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { InputErrors } from '@rhizome/errors';
import { TimeSlices } from '../../shared/time-slices.js';
import { planWorkflow } from './graph-input.js';
import { checkGroupEdges } from './group-edges.js';
import type { WorkflowErrorCode } from './workflow-errors.js';
import type { GroupEdgeSpec, NodeSpec } from './workflow-spec.types.js';

const slices = new TimeSlices(systemClock, 10);

async function planOf(nodes: readonly NodeSpec[], groupEdges: readonly GroupEdgeSpec[] = []) {
  const errors = new InputErrors<WorkflowErrorCode>();
  const plan = await planWorkflow(nodes, { labels: new Map(), groupEdges }, errors, slices);
  return { plan, messages: errors.all.map(({ code, message }) => `${code} ${message}`) };
}

const node = (name: string, ...parents: readonly string[]): NodeSpec => ({
  name,
  dependsOn: parents.map((parent) => ({ node: parent })),
});

describe('planWorkflow', () => {
  it('counts layers and edges', async () => {
    const { plan } = await planOf([
      node('a'),
      node('b', 'a'),
      node('c', 'a', 'b'),
      { name: 'end', isFinal: true },
    ]);
    expect(plan?.nodes.map(({ depth, total }) => [depth, total])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 1],
    ]);
    expect(plan?.layers).toBe(4);
  });

  it('takes an edge between labels as one', async () => {
    const many = (label: string): NodeSpec[] =>
      Array.from({ length: 2000 }, (_, at) => ({ name: `${label}${at}`, label }));
    const { plan } = await planOf([...many('a'), ...many('b')], [{ from: 'a', to: 'b' }]);
    expect(plan?.nodes[2000]).toMatchObject({ depth: 1, total: 1, needed: 1 });
    expect(plan?.edges.targets).toHaveLength(0);
  });

  it('names the nodes of a cycle', async () => {
    expect((await planOf([node('a', 'c'), node('b', 'a'), node('c', 'b'), node('d', 'c')])).messages).toEqual(
      [expect.stringMatching(/^CYCLE nodes: (a → b → c → a|b → c → a → b|c → a → b → c) is a cycle/)],
    );
  });

  it('names the labels of a cycle', async () => {
    const nodes = [
      { ...node('a', 'b'), label: 'x' },
      { ...node('b'), label: 'y' },
    ];
    const [message] = (await planOf(nodes, [{ from: 'x', to: 'y' }])).messages;
    expect(message).toMatch(/\(label x before y\)/);
    expect(message).toMatch(/^CYCLE/);
  });

  it.each<[string, readonly NodeSpec[], readonly GroupEdgeSpec[], string]>([
    ['an unknown parent', [node('a', 'z')], [], 'NODE_NOT_FOUND Node "a" depends on "z"'],
    [
      'a name that occurs twice',
      [node('a'), node('a')],
      [],
      'NODE_NAME_TAKEN Node "a" occurs at positions 0 and 1',
    ],
    [
      'a node behind a final one',
      [{ name: 'f', isFinal: true }, node('a', 'f')],
      [],
      'NODE_UNREACHABLE Node "a"',
    ],
    [
      'too high a number of edges',
      [{ ...node('a'), needed: 1 }],
      [],
      'NODE_UNREACHABLE Node "a" can never run',
    ],
    [
      'an unknown label',
      [{ ...node('a'), label: 'x' }],
      [{ from: 'x', to: 'z' }],
      'LABEL_NOT_FOUND groupEdges.0.to',
    ],
  ])('refuses %s', async (_what, nodes, groupEdges, message) => {
    const { plan, messages } = await planOf(nodes, groupEdges);
    expect(plan).toBeUndefined();
    expect(messages[0]).toContain(message);
  });
});

describe('planWorkflow of final nodes with needed edges', () => {
  it('counts them among its own, and needs the end of all other nodes in addition', async () => {
    const { plan } = await planOf([
      node('a'),
      node('b'),
      { ...node('end', 'a', 'b'), isFinal: true, needed: 1 },
    ]);
    expect(plan?.nodes[2]).toMatchObject({ total: 3, needed: 2 });
    const { messages } = await planOf([node('a'), { ...node('end', 'a'), isFinal: true, needed: 2 }]);
    expect(messages[0]).toContain('it needs 2 edges, and 1 lead to it');
  });
});

describe('labels', () => {
  it('must have nodes, and an edge between two occurs once', async () => {
    const errors = new InputErrors<WorkflowErrorCode>();
    const labels = new Map([['x', { label: 'x', maxSubmitted: 1 }]]);
    await planWorkflow([node('a')], { labels, groupEdges: [] }, errors, slices);
    expect(errors.all.map(({ code, path }) => [code, path])).toEqual([
      ['LABEL_NOT_FOUND', ['nodeLabels', '0', 'label']],
    ]);
    const nodes = [
      { ...node('a'), label: 'x' },
      { ...node('b'), label: 'y' },
    ];
    const edge = { from: 'x', to: 'y' };
    expect((await planOf(nodes, [edge, edge])).messages[0]).toContain('occurs twice');
    expect((await planOf(nodes, [edge, { ...edge, condition: 'ENDED' }])).messages).toEqual([]);
  });
});

describe('checkGroupEdges', () => {
  const errorsOf = async (...edges: readonly GroupEdgeSpec[]) => {
    const errors = new InputErrors<WorkflowErrorCode>();
    await checkGroupEdges(edges, errors, slices);
    return errors.all.map(({ path, message }) => `${path.join('.')} ${message}`);
  };

  it('accepts labels of which no node is known yet', async () => {
    expect(await errorsOf({ from: 'x', to: 'y', needed: 7 }, { from: 'y', to: 'z' })).toEqual([]);
  });

  it.each<[string, readonly GroupEdgeSpec[], string]>([
    [
      'a pair that occurs twice',
      [
        { from: 'x', to: 'y' },
        { from: 'x', to: 'y' },
      ],
      'groupEdges.1 ',
    ],
    ['a label of another form', [{ from: '', to: 'y' }], 'groupEdges.0.from '],
    ['no edge that is needed', [{ from: 'x', to: 'y', needed: 0 }], 'groupEdges.0.needed '],
    [
      'a cycle',
      [
        { from: 'x', to: 'y' },
        { from: 'y', to: 'x' },
      ],
      'groupEdges groupEdges: (label ',
    ],
  ])('refuses %s', async (_what, edges, message) => {
    const errors = await errorsOf(...edges);
    expect(errors).toHaveLength(1);
    expect(errors[0]?.startsWith(message)).toBe(true);
  });
});
