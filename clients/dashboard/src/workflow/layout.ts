/** Positions of the boxes and arrows of a graph. The library is loaded when the first graph is shown. */
import type { Arrow } from './fold.js';

/** A box to place, with its size in pixels. */
export interface SizedBox {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

/** A point, in pixels from the upper left corner of the graph. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A graph with positions. */
export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  /** Upper left corners of the boxes by id. */
  readonly boxes: ReadonlyMap<string, Point>;
  /** Arrows with the points that they pass. */
  readonly arrows: readonly (Arrow & { readonly points: readonly Point[] })[];
}

const margin = 16;

/** Places boxes in layers from the top, so that few arrows cross. */
export async function layOut(boxes: readonly SizedBox[], arrows: readonly Arrow[]): Promise<GraphLayout> {
  const { Graph, layout } = await import('@dagrejs/dagre');
  const graph = new Graph();
  graph.setGraph({ rankdir: 'TB', nodesep: 24, ranksep: 48, edgesep: 12, marginx: margin, marginy: margin });
  for (const { id, width, height } of boxes) graph.setNode(id, { width, height });
  for (const { from, to } of arrows) graph.setEdge(from, to, {});
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { readonly width?: number; readonly height?: number };
  const placed = boxes.map(({ id, width: wide, height: high }): readonly [string, Point] => {
    const { x, y } = graph.node(id) as unknown as Point;
    return [id, { x: x - wide / 2, y: y - high / 2 }];
  });
  return {
    width,
    height,
    boxes: new Map(placed),
    arrows: arrows.map(({ from, to }) => {
      const { points } = graph.edge(from, to) as unknown as { readonly points: readonly Point[] };
      return { from, to, points };
    }),
  };
}

/** Path of an arrow for SVG: curves from the middle of one line to that of the next. */
export function pathOf(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (!first) return '';
  const middles = rest.slice(0, -1).map(({ x, y }, at) => {
    const next = rest[at + 1] ?? { x, y };
    return `Q ${round(x)} ${round(y)} ${round((x + next.x) / 2)} ${round((y + next.y) / 2)}`;
  });
  const last = rest.at(-1);
  return [
    `M ${round(first.x)} ${round(first.y)}`,
    ...middles,
    ...(last ? [`L ${round(last.x)} ${round(last.y)}`] : []),
  ].join(' ');
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** Direction of a key with an arrow. */
export type Direction = 'up' | 'down' | 'left' | 'right';

/** An element on the screen, by its middle. */
export interface Spot extends Point {
  readonly id: string;
}

/**
 * The element to which an arrow key leads: in its direction, near, and rather straight ahead than to the
 * side. Undefined if there is none.
 */
export function nextSpot(from: Point, spots: readonly Spot[], direction: Direction): Spot | undefined {
  const isVertical = direction === 'up' || direction === 'down';
  const sign = direction === 'down' || direction === 'right' ? 1 : -1;
  let best: { readonly spot: Spot; readonly cost: number } | undefined;
  for (const spot of spots) {
    const ahead = sign * (isVertical ? spot.y - from.y : spot.x - from.x);
    const aside = Math.abs(isVertical ? spot.x - from.x : spot.y - from.y);
    const cost = ahead + 3 * aside;
    if (ahead > 1 && (best === undefined || cost < best.cost)) best = { spot, cost };
  }
  return best?.spot;
}
