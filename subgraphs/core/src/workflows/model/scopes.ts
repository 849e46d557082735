/** Sub-graphs: their templates, and the nodes that each iteration of one has in the workflow. */
import type { StoredNodeInput } from '../../jobs/model/job.types.js';
import type { StoredAddedCall, StoredAddition, StoredScope } from './additions.js';
import { noNodes } from './node-rules.js';
import {
  hasEnded,
  type NodeCounts,
  type NodeState,
  shownState,
  type StoredNodeState,
} from './workflow.types.js';

/** Graph that nodes of a workflow stand for. Its nodes are in a collection of their own. */
export interface StoredTemplate {
  readonly name: string;
  readonly nodes: number;
  readonly bytes: number;
  readonly edges: number;
  readonly layers: number;
  /** Labels of its nodes, with their numbers. */
  readonly groups: readonly { readonly label: string; readonly nodes: number }[];
  /** Outputs that nodes outside may read, with the node that stores each. */
  readonly outputs: readonly { readonly node: string; readonly output: string }[];
}

/** Input of a node of a template. */
export interface StoredTemplateInput extends StoredNodeInput {
  /** Name of an input of the sub-graph, instead of `node`. */
  readonly input?: string;
  /** Set if the node is that of the iteration before; the first iteration has no such file. */
  readonly isPrevious?: true;
}

/** Sub-graph that a node stands for, instead of a job. */
export interface StoredSubgraph {
  /** Position of its template in the workflow. */
  readonly template: number;
  readonly maxIterations: number;
  /** Condition in CEL at which no further iteration follows. */
  readonly until?: string;
  /** Position in the template of the node that the condition is about. */
  readonly result: number;
  readonly inputs: readonly StoredTemplateInput[];
}

/** Entry of an open or ended sub-graph. */
export interface ScopedAddition extends StoredAddition {
  readonly scope: StoredScope;
}

/** Place of a node in the iterations of sub-graphs. */
export interface ScopePlace {
  /** Position of the entry, and of the iteration in it. */
  readonly addition: number;
  readonly call: number;
}

/** Node whose state changes, by its position. */
export interface ScopeMove {
  readonly index: number;
  readonly state: StoredNodeState;
  readonly to: NodeState;
}

/** Sums of all that the sub-graphs of a workflow may add. */
export interface StoredNesting {
  readonly nodes: number;
  readonly bytes: number;
  readonly edges: number;
  /** Nodes with sub-graphs, and iterations of these. */
  readonly units: number;
  readonly iterations: number;
}

/** Deepest nesting of sub-graphs. */
export const maxNesting = 8;

type Additions = readonly StoredAddition[];

/** Entries of sub-graphs, with their positions. */
export function scopesOf(additions: Additions = []): readonly (readonly [number, ScopedAddition])[] {
  return additions.flatMap((addition, at) => (isScoped(addition) ? [[at, addition] as const] : []));
}

function isScoped(addition: StoredAddition): addition is ScopedAddition {
  return addition.scope !== undefined;
}

/** Finds the iterations that nodes are part of. */
export class ScopePlaces {
  readonly #additions: Additions;
  readonly #ranges: readonly (ScopePlace & { readonly first: number; readonly end: number })[];

  constructor(additions: Additions = []) {
    this.#additions = additions;
    this.#ranges = scopesOf(additions)
      .flatMap(([addition, { calls }]) =>
        calls.map(({ first = 0, nodes }, call) => ({ addition, call, first, end: first + nodes })),
      )
      .sort((one, other) => one.first - other.first);
  }

  /** Place of a node; undefined outside of sub-graphs. */
  of(node: number): ScopePlace | undefined {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.first ?? 0) <= node) low = middle + 1;
      else high = middle;
    }
    const range = this.#ranges[low - 1];
    return range && node < range.end ? range : undefined;
  }

  /** True for a node of an iteration after which another one has begun, also of one further out. */
  isPast(node: number): boolean {
    const place = this.of(node);
    const addition = place && this.#additions[place.addition];
    if (!place || !addition?.scope) return false;
    return place.call < addition.scope.iteration - 1 || this.isPast(addition.by);
  }

  /** True for a node of a past iteration, or of a sub-graph that was ended by hand. */
  isSettled(node: number): boolean {
    const place = this.of(node);
    const addition = place && this.#additions[place.addition];
    if (!place || !addition?.scope) return false;
    const { isMarked, iteration } = addition.scope;
    return isMarked === true || place.call < iteration - 1 || this.isSettled(addition.by);
  }

  /** Number of nodes that have failed or were cancelled, and are settled. */
  pastFailures(): number {
    let sum = 0;
    for (const { addition, call, first } of this.#ranges) {
      const counts = this.#additions[addition]?.calls[call]?.counts;
      if (counts && this.isSettled(first)) sum += counts.FAILED + counts.CANCELLED;
    }
    return sum;
  }
}

/** Entries after nodes have changed their states. */
export function movedScopes(additions: Additions, moves: Iterable<ScopeMove>): Additions {
  if (!additions.some(isScoped)) return additions;
  const places = new ScopePlaces(additions);
  const units = new Map(scopesOf(additions).map(([at, { by }]) => [by, at]));
  const changed = [...additions];
  for (const { index, state, to } of moves) {
    const place = places.of(index);
    const outer = place && changed[place.addition];
    const call = outer?.calls[place?.call ?? 0];
    if (place && outer && call)
      changed[place.addition] = {
        ...outer,
        calls: outer.calls.with(place.call, { ...call, counts: movedCounts(call, state, to) }),
      };
    const own = units.get(index);
    const unit = own === undefined ? undefined : changed[own];
    if (own !== undefined && unit?.scope && hasEnded(to))
      changed[own] = { ...unit, scope: { ...unit.scope, state: 'ENDED' } };
  }
  return changed;
}

function movedCounts(
  { counts = noNodes }: StoredAddedCall,
  from: StoredNodeState,
  to: NodeState,
): NodeCounts {
  const moved = { ...counts };
  moved[shownState(from)] -= 1;
  moved[to] += 1;
  return moved;
}

/** Positions of the entries of a node, and of all open sub-graphs in its iterations. */
export function openWithin(additions: Additions, unit: number): readonly number[] {
  const places = new ScopePlaces(additions);
  const open = scopesOf(additions).filter(([, { scope }]) => scope.state === 'OPEN');
  const isWithin = (node: number): boolean => {
    if (node === unit) return true;
    const place = places.of(node);
    const outer = place && additions[place.addition];
    return outer !== undefined && isWithin(outer.by);
  };
  return open.flatMap(([at, { by }]) => (isWithin(by) ? [at] : []));
}

/** Beginning of the names of the nodes of an iteration, counted from 1. */
export function namePrefix(
  unit: { readonly name: string },
  { maxIterations }: Pick<StoredSubgraph, 'maxIterations'>,
  iteration: number,
): string {
  return maxIterations === 1 ? `${unit.name}/` : `${unit.name}/${iteration}/`;
}

/** Sums of all that the sub-graphs of a workflow may still add. */
export function stillNested({
  nesting,
  additions,
}: {
  readonly nesting?: StoredNesting;
  readonly additions?: Additions;
}): StoredNesting {
  const left = { nodes: 0, bytes: 0, edges: 0, units: 0, iterations: 0, ...nesting };
  for (const [, { calls }] of scopesOf(additions)) {
    left.units -= 1;
    for (const { nodes, bytes, edges } of calls) {
      left.nodes -= nodes;
      left.bytes -= bytes;
      left.edges -= edges;
      left.iterations -= 1;
    }
  }
  return left;
}
