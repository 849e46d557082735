import { describe, expect, it } from '@jest/globals';
import { pairsTopology } from '../../../testing/gpu-samples/nvidia.js';
import { parseSmiTopology } from './smi-topology.js';

describe('parseTopology', () => {
  it('puts linked devices into one set', () => {
    expect(parseSmiTopology(pairsTopology)).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  const drawn = (count: number, links: readonly (readonly [number, number])[]): string => {
    const all = Array.from({ length: count }, (_, index) => index);
    const isLinked = (a: number, b: number): boolean =>
      links.some(([one, other]) => (one === a && other === b) || (one === b && other === a));
    const cell = (a: number, b: number): string => (a === b ? ' X ' : isLinked(a, b) ? 'NV1' : 'SYS');
    const line = (a: number): string => [`GPU${a}`, ...all.map((b) => cell(a, b))].join('\t');
    return [`\t${all.map((index) => `GPU${index}`).join('\t')}`, ...all.map(line)].join('\n');
  };

  it('separates GPUs that reach each other only over a third', () => {
    expect(
      parseSmiTopology(
        drawn(3, [
          [0, 1],
          [1, 2],
        ]),
      ),
    ).toEqual([[0, 1]]);
    // A set found first must not break up the larger one.
    expect(
      parseSmiTopology(
        drawn(4, [
          [0, 1],
          [1, 2],
          [1, 3],
          [2, 3],
        ]),
      ),
    ).toEqual([[1, 2, 3]]);
  });

  it('splits a cube of two meshes, as of eight V100, into two sets of four', () => {
    const mesh = (from: number): [number, number][] =>
      [
        [0, 1],
        [0, 2],
        [0, 3],
        [1, 2],
        [1, 3],
        [2, 3],
      ].map(([a = 0, b = 0]) => [from + a, from + b]);
    const across = [0, 1, 2, 3].map((index): [number, number] => [index, index + 4]);
    expect(parseSmiTopology(drawn(8, [...mesh(0), ...mesh(4), ...across]))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
  });

  it('puts all GPUs behind a switch into one set', () => {
    const all = Array.from({ length: 16 }, (_, index) => index);
    const links = all.flatMap((a) => all.slice(a + 1).map((b): [number, number] => [a, b]));
    expect(parseSmiTopology(drawn(16, links))).toEqual([all]);
  });

  it('finds no set without links', () => {
    expect(parseSmiTopology(pairsTopology.replaceAll('NV4', 'PHB'))).toEqual([]);
    expect(parseSmiTopology('')).toEqual([]);
  });
});
