/**
 * Quantum graphs, pure: an order in which each quantum stands after those it needs, or the circle that
 * forbids one.
 */

/** A node of a graph that names those it needs. */
export interface GraphNode {
  readonly name: string;
  readonly needs?: readonly string[] | null | undefined;
}

/** An order, or a circle: names, the first of them again at the end. */
export type Ordered<T> = { readonly order: readonly T[] } | { readonly circle: readonly string[] };

/**
 * Puts nodes in order. What is in order already stays as it is: each node comes as early as its place in the
 * list allows. Names must be unique and needs must be there.
 */
export function inOrder<T extends GraphNode>(nodes: readonly T[]): Ordered<T> {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const placed = new Set<string>();
  const order: T[] = [];
  for (const node of nodes) {
    const circle = place(node, byName, placed, order);
    if (circle) return { circle };
  }
  return { order };
}

/**
 * Places a node behind all that it needs, without recursion: graphs may be deep. @returns a circle, if there
 * is one
 */
function place<T extends GraphNode>(
  start: T,
  byName: ReadonlyMap<string, T>,
  placed: Set<string>,
  order: T[],
): readonly string[] | undefined {
  const way: { readonly node: T; next: number }[] = [];
  const onWay = new Set<string>();
  const enter = (node: T): void => {
    way.push({ node, next: 0 });
    onWay.add(node.name);
  };
  if (!placed.has(start.name)) enter(start);
  for (let top = way.at(-1); top; top = way.at(-1)) {
    const need = top.node.needs?.[top.next];
    top.next += 1;
    if (need === undefined) {
      way.pop();
      onWay.delete(top.node.name);
      placed.add(top.node.name);
      order.push(top.node);
      continue;
    }
    if (onWay.has(need))
      return circleFrom(
        way.map(({ node }) => node.name),
        need,
      );
    const needed = byName.get(need);
    if (needed && !placed.has(need)) enter(needed);
  }
  return undefined;
}

function circleFrom(way: readonly string[], closing: string): readonly string[] {
  return [...way.slice(way.indexOf(closing)), closing];
}
