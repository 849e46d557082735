/** Order of the nodes of a workflow: their depths, or the cycle because of which they have none. */
import type { TimeSlices } from '../../shared/time-slices.js';
import { childOf, type EdgeBlock, edgesFrom } from './edges.js';
import { leadsFrom, leadsTo, membersOf, type NodePlace, placeKey } from './node-rules.js';
import type { StoredGroupEdge } from './workflow.types.js';

/** Depths by position, or the positions of the nodes of a cycle, in order; -1 - n is an edge of groups. */
export type Layers = { readonly depths: Uint32Array } | { readonly cycle: readonly number[] };

/** Successors of all vertices: nodes, then edges of groups. */
interface Vertices {
  readonly count: number;
  readonly nodes: number;
  readonly each: (vertex: number, visit: (next: number) => void) => void;
}

/** Nodes between two looks at the clock; an edge of groups may have as many targets as there are nodes. */
const nodesPerStep = 500;

/**
 * Computes the layers, in slices of time. An edge of groups is a vertex of its own, so that it costs the sum
 * of its groups.
 */
export async function layersOf(
  nodes: readonly NodePlace[],
  edges: EdgeBlock,
  groupEdges: readonly StoredGroupEdge[],
  slices: TimeSlices,
): Promise<Layers> {
  const vertices = verticesOf(nodes, edges, groupEdges);
  const waiting = new Uint32Array(vertices.count);
  const depths = new Uint32Array(vertices.count);
  const queue = new Uint32Array(vertices.count);
  let queued = 0;
  for (let vertex = 0; vertex < vertices.count; vertex += 1) {
    if (isStep(vertex, vertices)) await slices.next();
    vertices.each(vertex, (next) => (waiting[next] = (waiting[next] ?? 0) + 1));
  }
  for (let vertex = 0; vertex < vertices.count; vertex += 1)
    if (waiting[vertex] === 0) queue[queued++] = vertex;
  for (let head = 0; head < queued; head += 1) {
    const vertex = queue[head] ?? 0;
    if (head % nodesPerStep === 0 || vertex >= nodes.length) await slices.next();
    const below = (depths[vertex] ?? 0) + (vertex < nodes.length ? 1 : 0);
    vertices.each(vertex, (next) => {
      if (below > (depths[next] ?? 0)) depths[next] = below;
      const left = (waiting[next] ?? 0) - 1;
      waiting[next] = left;
      if (left === 0) queue[queued++] = next;
    });
  }
  if (queued < vertices.count) return { cycle: await cycleIn(vertices, waiting, slices) };
  return { depths: depths.slice(0, nodes.length) };
}

function verticesOf(
  nodes: readonly NodePlace[],
  edges: EdgeBlock,
  groupEdges: readonly StoredGroupEdge[],
): Vertices {
  const members = [...membersOf(nodes)];
  const targets = groupEdges.map((edge) => members.filter(([place]) => leadsTo(edge, place)));
  const leaving = new Map(
    members.map(([place]) => [
      placeKey(place),
      groupEdges.flatMap((edge, at) => (leadsFrom(edge, place) ? [nodes.length + at] : [])),
    ]),
  );
  const each: Vertices['each'] = (vertex, visit) => {
    const node = nodes[vertex];
    if (node) {
      for (const target of edgesFrom(edges, vertex)) visit(childOf(target));
      for (const edge of leaving.get(placeKey(node)) ?? []) visit(edge);
    } else for (const [, group] of targets[vertex - nodes.length] ?? []) group.forEach(visit);
  };
  return { count: nodes.length + groupEdges.length, nodes: nodes.length, each };
}

function isStep(vertex: number, { nodes }: Vertices): boolean {
  return vertex % nodesPerStep === 0 || vertex >= nodes;
}

/** Each vertex that still waits has a parent that waits; following them leads into a cycle. */
async function cycleIn(
  vertices: Vertices,
  waiting: Uint32Array,
  slices: TimeSlices,
): Promise<readonly number[]> {
  const { count, nodes, each } = vertices;
  const parent = new Int32Array(count).fill(-1);
  for (let vertex = 0; vertex < count; vertex += 1) {
    if (isStep(vertex, vertices)) await slices.next();
    if ((waiting[vertex] ?? 0) === 0) continue;
    each(vertex, (next) => {
      if ((waiting[next] ?? 0) > 0) parent[next] = vertex;
    });
  }
  let at = waiting.findIndex((left) => left > 0);
  const seen = new Set<number>();
  while (!seen.has(at)) {
    seen.add(at);
    at = parent[at] ?? 0;
  }
  const cycle = [at];
  for (let next = parent[at] ?? 0; next !== at; next = parent[next] ?? 0) cycle.push(next);
  return cycle.reverse().map((vertex) => (vertex < nodes ? vertex : nodes - 1 - vertex));
}
