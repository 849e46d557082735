/** Nodes that become of the quanta of an input. */
import type { RubinLabelInput, RubinQuantumInput, SubmitRubinWorkflowInput } from '../types.generated.js';
import { type Clustered, type ClusterNode, clustersOf } from './clusters.js';
import { inOrder } from './quantum-graph.js';

/** Nodes in order, or quanta or clusters that need each other: names, the first of them again at the end. */
export type PlannedNodes =
  | { readonly nodes: readonly ClusterNode<RubinQuantumInput>[] }
  | { readonly circle: readonly string[]; readonly areClusters: boolean };

type Labels = readonly RubinLabelInput[] | null | undefined;

/** By the list of quanta: the input is checked, described and stored, and each of them needs the nodes. */
const planned = new WeakMap<object, { readonly labels: Labels; readonly nodes: PlannedNodes }>();

/** Puts quanta in order and into nodes, once for the lists of an input. */
export function plannedNodes({
  quanta,
  labels,
}: Pick<SubmitRubinWorkflowInput, 'quanta' | 'labels'>): PlannedNodes {
  const known = planned.get(quanta);
  if (known && known.labels === labels) return known.nodes;
  const nodes = planNodes(quanta, labels);
  planned.set(quanta, { labels, nodes });
  return nodes;
}

function planNodes(quanta: readonly RubinQuantumInput[], labels: Labels): PlannedNodes {
  const ordered = inOrder(quanta);
  if ('circle' in ordered) return { ...ordered, areClusters: false };
  const clustered: Clustered<RubinQuantumInput> = clustersOf(ordered.order, labels ?? []);
  return 'circle' in clustered ? { ...clustered, areClusters: true } : clustered;
}
