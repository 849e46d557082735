/** Nodes of core's workflow: quanta, or clusters of quanta that one job runs. Pure. */
import { inOrder, type GraphNode } from './quantum-graph.js';
import type { DimensionValue } from '../workflow.document.js';

/** A quantum to put into a node. */
interface ClusteredQuantum extends GraphNode {
  readonly label: string;
  readonly dimensions?: readonly DimensionValue[] | null | undefined;
}

/** Rule by which the quanta of a label share jobs. */
export interface Clustering {
  readonly label: string;
  /** 1 unless given, or {@link byDimensions} if there are dimensions. */
  readonly quantaPerJob?: number | null | undefined;
  readonly clusterBy?: readonly string[] | null | undefined;
}

/** Quanta of a job at most, if only dimensions say which share one: its arguments can name as many. */
const byDimensions = 200;

/** A node: one quantum, or a cluster with a name of its own. */
export interface ClusterNode<Q> {
  readonly name: string;
  readonly label: string;
  readonly isCluster: boolean;
  /** In order. */
  readonly quanta: readonly Q[];
  /** Names of nodes. */
  readonly needs: readonly string[];
}

/** Nodes in order, or clusters that need each other: names, the first of them again at the end. */
export type Clustered<Q> =
  { readonly nodes: readonly ClusterNode<Q>[] } | { readonly circle: readonly string[] };

/**
 * Puts quanta into nodes: those of a label with the same values of its dimensions together, in their order,
 * up to the number that a job runs. @param quanta in order
 */
export function clustersOf<Q extends ClusteredQuantum>(
  quanta: readonly Q[],
  clusterings: readonly Clustering[],
): Clustered<Q> {
  const byLabel = new Map(clusterings.map((clustering) => [clustering.label, clustering]));
  const nodes: { name: string; label: string; isCluster: boolean; quanta: Q[] }[] = [];
  const open = new Map<string, (typeof nodes)[number]>();
  const clusters = new Map<string, number>();
  const nodeOf = new Map<string, string>();
  for (const quantum of quanta) {
    const { label, name } = quantum;
    const clustering = byLabel.get(label);
    const dimensions = clustering?.clusterBy ?? [];
    const size = clustering?.quantaPerJob ?? (dimensions.length > 0 ? byDimensions : 1);
    const key = JSON.stringify([label, ...valuesOf(quantum, dimensions)]);
    let node = size > 1 ? open.get(key) : undefined;
    if (!node || node.quanta.length >= size) {
      const number = (clusters.get(label) ?? 0) + 1;
      clusters.set(label, number);
      // Names of quanta have no tilde.
      const own = size > 1 ? `${label}~${String(number).padStart(4, '0')}` : name;
      node = { name: own, label, isCluster: size > 1, quanta: [] };
      nodes.push(node);
      open.set(key, node);
    }
    node.quanta.push(quantum);
    nodeOf.set(name, node.name);
  }
  const ordered = inOrder(
    nodes.map((node) => {
      const needed = node.quanta.flatMap(({ needs }) =>
        (needs ?? []).map((need) => nodeOf.get(need) ?? need),
      );
      return { ...node, needs: [...new Set(needed)].filter((name) => name !== node.name) };
    }),
  );
  return 'circle' in ordered ? ordered : { nodes: ordered.order };
}

function valuesOf({ dimensions }: ClusteredQuantum, names: readonly string[]): readonly (string | null)[] {
  return names.map((name) => dimensions?.find(({ dimension }) => dimension === name)?.value ?? null);
}
