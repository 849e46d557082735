/** Cycles of a graph. */
import type { DraftNode } from './draft.js';

/** Nodes of a cycle, in the order of the edges; undefined if there is none. */
export function cycleOf(nodes: readonly DraftNode[]): readonly DraftNode[] | undefined {
  const state = new Map<DraftNode, 'OPEN' | 'DONE'>();
  // Nodes share arrays of parents: each array is followed once.
  const followed = new WeakSet<readonly DraftNode[]>();
  for (const start of nodes) {
    if (state.has(start)) continue;
    // A stack of its own: a chain may be longer than the stack of calls.
    const stack = [{ node: start, parents: parentsOf(start, followed) }];
    state.set(start, 'OPEN');
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const { value: next } = top.parents.next();
      if (next === undefined) {
        state.set(top.node, 'DONE');
        stack.pop();
      } else if (state.get(next) === 'OPEN') {
        const path = stack.map(({ node }) => node);
        return path.slice(path.indexOf(next)).reverse();
      } else if (!state.has(next)) {
        state.set(next, 'OPEN');
        stack.push({ node: next, parents: parentsOf(next, followed) });
      }
    }
  }
  return undefined;
}

function* parentsOf(
  { edges }: DraftNode,
  followed: WeakSet<readonly DraftNode[]>,
): Generator<DraftNode, undefined> {
  for (const { from } of edges) {
    if (followed.has(from)) continue;
    yield* from;
    followed.add(from);
  }
  return undefined;
}
