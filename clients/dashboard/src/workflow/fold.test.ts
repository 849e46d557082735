import { describe, expect, it } from '@jest/globals';
import {
  countsOf,
  foldLayers,
  graphOfNodes,
  type GraphNode,
  type LabelLayer,
  layersText,
  titleOf,
} from './fold.js';

const noNodes = { waiting: 0, submitted: 0, succeeded: 0, failed: 0, skipped: 0, cancelled: 0 };

const layer = (
  label: string | null,
  depth: number,
  dependents: readonly number[],
  rest: Partial<LabelLayer> = {},
): LabelLayer => ({
  ...{ label, depth, dependents, isFinal: false, counts: { ...noNodes, total: 2, waiting: 2 } },
  ...rest,
});

/** A chain of layers, each with nodes of two labels. */
const chain = (depth: number): readonly LabelLayer[] =>
  Array.from({ length: depth }, (_, at) => [
    layer('a', at, at + 1 < depth ? [2 * at + 2, 2 * at + 3] : []),
    layer('b', at, at + 1 < depth ? [2 * at + 3] : []),
  ]).flat();

describe('foldLayers', () => {
  it('shows a box for each label and depth, with an arrow for each pair', () => {
    const { boxes, arrows, layersPerBox } = foldLayers([
      layer('isr', 0, [1, 2]),
      layer('coadd', 1, []),
      layer(null, 1, []),
    ]);
    expect(boxes.map((box) => [titleOf(box), layersText(box)])).toEqual([
      ['isr', 'layer 1'],
      ['coadd', 'layer 2'],
      ['no label', 'layer 2'],
    ]);
    const [isr, coadd, none] = boxes.map(({ id }) => id);
    expect(arrows).toEqual([
      { from: isr, to: coadd },
      { from: isr, to: none },
    ]);
    expect(layersPerBox).toBe(1);
  });

  it('joins layers of a long chain, and keeps its labels apart', () => {
    const layers = chain(400);
    const { boxes, arrows, layersPerBox } = foldLayers(layers);
    expect(boxes).toHaveLength(100);
    expect(layersPerBox).toBe(8);
    expect(new Set(boxes.map(titleOf))).toEqual(new Set(['a', 'b']));
    expect(layersText(boxes[0] ?? { minDepth: 0, maxDepth: 0 })).toBe('layers 1–8');
    expect(boxes.flatMap((box) => box.layers).sort((one, other) => one - other)).toEqual(
      layers.map((_, at) => at),
    );
    expect(arrows.every(({ from, to }) => from !== to)).toBe(true);
    expect(new Set(arrows.map(({ from, to }) => `${from} ${to}`)).size).toBe(arrows.length);
  });

  it('joins labels if there are too many of them', () => {
    const many = Array.from({ length: 500 }, (_, at) =>
      layer(`label-${at}`, at % 2, at % 2 === 0 ? [at + 1] : []),
    );
    const { boxes, arrows } = foldLayers(many);
    expect(boxes.map(titleOf)).toEqual(['250 labels', '250 labels']);
    expect(arrows).toHaveLength(1);
  });

  it('joins layers if there are too many arrows', () => {
    const { boxes, arrows } = foldLayers(chain(10), { boxes: 100, arrows: 5 });
    expect(boxes).toHaveLength(4);
    expect(arrows.length).toBeLessThanOrEqual(5);
  });

  it('draws arrows to final nodes from the ends only, and keeps them apart', () => {
    const { boxes, arrows } = foldLayers([
      layer('a', 0, [1, 2, 3]),
      layer('b', 1, [3]),
      layer('c', 1, [3]),
      layer('c', 2, [], { isFinal: true }),
    ]);
    const ids = boxes.map(({ id }) => id);
    expect(arrows.map(({ from, to }) => [ids.indexOf(from), ids.indexOf(to)])).toEqual([
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 3],
    ]);
  });

  it('shows nothing of a workflow without nodes', () => {
    expect(foldLayers([])).toEqual({ boxes: [], arrows: [], layersPerBox: 1 });
  });
});

describe('countsOf', () => {
  it('adds the numbers of the sets of a box', () => {
    const failed = { ...noNodes, total: 3, failed: 3 };
    const layers = [layer('a', 0, []), layer('a', 1, [], { counts: failed }), layer('b', 2, [])];
    expect(countsOf({ layers: [0, 1] }, layers)).toEqual({ ...noNodes, total: 5, waiting: 2, failed: 3 });
  });
});

describe('graphOfNodes', () => {
  const node = (id: string, rest: Partial<GraphNode> = {}, ...to: readonly string[]): GraphNode => ({
    ...{ id, name: id, label: null, isFinal: false, depth: 0, state: 'WAITING', addedBy: null },
    dependents: { nodes: to.map((one) => ({ node: { id: one } })) },
    ...rest,
  });
  const pairs = (graph: ReturnType<typeof graphOfNodes>) =>
    graph?.arrows.map(({ from, to }) => `${from} ${to}`);

  it('shows edges of nodes, edges between labels, and those to final nodes from the ends', () => {
    const nodes = [
      node('a1', { label: 'a' }, 'x'),
      node('a2', { label: 'a' }),
      node('b', { label: 'b' }),
      node('x'),
      node('end', { isFinal: true }),
    ];
    const edges = [
      { from: 'a', to: 'b' },
      { from: null, to: null },
    ];
    expect(pairs(graphOfNodes(nodes, edges))).toEqual(['a1 x', 'a1 b', 'a2 b', 'b end', 'x end']);
  });

  it('shows the first nodes of each iteration behind the node with the sub-graph', () => {
    const addedBy = { id: 'fit' };
    const nodes = [
      node('fit', {}, 'plot'),
      node('fit/1/x', { addedBy }, 'fit/1/y'),
      node('fit/1/y', { addedBy }),
      node('fit/2/x', { addedBy }),
      node('plot'),
    ];
    const arrows = ['fit plot', 'fit/1/x fit/1/y', 'fit fit/1/x', 'fit fit/2/x'];
    expect(pairs(graphOfNodes(nodes, []))).toEqual(arrows);
  });

  it('is null if there are more arrows than a person can follow', () => {
    const all = Array.from({ length: 40 }, (_, at) => node(`n${at}`, { label: at < 20 ? 'a' : 'b' }));
    expect(graphOfNodes(all, [{ from: 'a', to: 'b' }])).toBeNull();
    expect(graphOfNodes(all, [])?.boxes).toHaveLength(40);
  });
});
