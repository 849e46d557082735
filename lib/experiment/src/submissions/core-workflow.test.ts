import { expect, it } from '@jest/globals';
import { partsOf } from './core-workflow.js';

const node = (name: string, size = 0) => ({
  name,
  payload: { command: 'run', arguments: ['x'.repeat(size)] },
});
const sizes = (nodes: Parameters<typeof partsOf>[0]) => partsOf(nodes).map((part) => part.length);

it('puts as many nodes into a part as one call takes', () => {
  expect(sizes([])).toEqual([0]);
  expect(sizes(Array.from({ length: 2500 }, (_, at) => node(`n${at}`)))).toEqual([2500]);
  expect(sizes(Array.from({ length: 5001 }, (_, at) => node(`n${at}`)))).toEqual([2500, 2500, 1]);
});

it('divides nodes with large payloads by their size', () => {
  expect(sizes(Array.from({ length: 5 }, (_, at) => node(`n${at}`, 1_500_000)))).toEqual([2, 2, 1]);
  expect(sizes([node('a', 9_000_000), node('b')])).toEqual([1, 1]);
});
