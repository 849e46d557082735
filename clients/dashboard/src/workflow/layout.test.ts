import { describe, expect, it } from '@jest/globals';
import { layOut, nextSpot, pathOf } from './layout.js';

const box = (id: string, height = 40) => ({ id, width: 100, height });

describe('layOut', () => {
  it('places boxes below those that arrows come from, without overlaps', async () => {
    const arrows = [
      { from: 'a', to: 'b' },
      { from: 'a', to: 'c' },
      { from: 'b', to: 'd' },
      { from: 'c', to: 'd' },
    ];
    const {
      boxes,
      width,
      height,
      arrows: drawn,
    } = await layOut([box('a'), box('b', 200), box('c'), box('d')], arrows);
    const at = (id: string) => boxes.get(id) ?? { x: Number.NaN, y: Number.NaN };
    expect(at('b').y).toBeGreaterThan(at('a').y + 40);
    expect(at('d').y).toBeGreaterThan(at('b').y + 200);
    expect(Math.abs(at('b').x - at('c').x)).toBeGreaterThanOrEqual(100);
    for (const { x, y } of boxes.values()) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(x + 100).toBeLessThanOrEqual(width);
    }
    expect(at('d').y + 40).toBeLessThanOrEqual(height);
    expect(drawn.map(({ from, to }) => ({ from, to }))).toEqual(arrows);
    expect(drawn.every(({ points }) => points.length >= 2)).toBe(true);
  });

  it('accepts boxes that depend on each other, as joined layers may', async () => {
    const { boxes } = await layOut(
      [box('a'), box('b')],
      [
        { from: 'a', to: 'b' },
        { from: 'b', to: 'a' },
      ],
    );
    expect(boxes.size).toBe(2);
  });
});

describe('pathOf', () => {
  it('begins and ends at the ends, with curves between', () => {
    const points = [0, 10, 20].map((at) => ({ x: at, y: at }));
    expect(pathOf(points)).toBe('M 0 0 Q 10 10 15 15 L 20 20');
    expect(pathOf([])).toBe('');
  });
});

describe('nextSpot', () => {
  const spots = [
    { id: 'left', x: 0, y: 100 },
    { id: 'below', x: 105, y: 100 },
    { id: 'right', x: 250, y: 100 },
    { id: 'far below', x: 100, y: 300 },
  ];

  it.each([
    ['down', { x: 100, y: 0 }, 'below'],
    ['down', { x: 105, y: 100 }, 'far below'],
    ['right', { x: 105, y: 100 }, 'right'],
    ['left', { x: 105, y: 100 }, 'left'],
    ['up', { x: 100, y: 300 }, 'below'],
    ['up', { x: 105, y: 100 }, undefined],
  ] as const)('leads %s from %j to %s', (direction, from, id) => {
    expect(nextSpot(from, spots, direction)?.id).toBe(id);
  });
});
