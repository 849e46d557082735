import { describe, expect, it } from '@jest/globals';
import { type GraphNode, inOrder } from './quantum-graph.js';

const node = (name: string, ...needs: string[]): GraphNode => ({ name, needs });
const order = (...nodes: GraphNode[]) => {
  const found = inOrder(nodes);
  return 'order' in found ? found.order.map(({ name }) => name) : found.circle;
};

describe('order of a quantum graph', () => {
  it('keeps a graph that is already sorted', () => {
    expect(order(node('a'), node('b', 'a'), node('c'), node('d', 'c', 'b'))).toEqual(['a', 'b', 'c', 'd']);
  });

  it('sorts a graph', () => {
    expect(order(node('d', 'c', 'b'), node('b', 'a'), node('a'), node('c'))).toEqual(['c', 'a', 'b', 'd']);
  });

  it('accepts several paths to one node', () => {
    expect(order(node('a'), node('b', 'a'), node('c', 'a'), node('d', 'b', 'c'))).toEqual([
      'a',
      'b',
      'c',
      'd',
    ]);
  });

  it.each([
    [[node('a', 'a')], ['a', 'a']],
    [
      [node('a', 'b'), node('b', 'a')],
      ['a', 'b', 'a'],
    ],
    [
      [node('x'), node('a', 'x', 'b'), node('b', 'c'), node('c', 'b')],
      ['b', 'c', 'b'],
    ],
  ])('rejects a cyclic graph and names the cycle: %#', (nodes, circle) => {
    expect(inOrder(nodes)).toEqual({ circle });
  });

  it('accepts a graph as deep as the largest workflow', () => {
    const deep = Array.from({ length: 10_000 }, (_, at) =>
      node(`q${at}`, ...(at < 9_999 ? [`q${at + 1}`] : [])),
    );
    expect(order(...deep).slice(0, 2)).toEqual(['q9999', 'q9998']);
  });
});
