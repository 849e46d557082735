import type { OperationDefinitionNode } from 'graphql';
import type { PlanNode } from '../plan-format.js';
import { type Group, toFetch } from './group.js';

/** The groups of an operation as a plan: each runs as soon as all that it needs is there. */
export function emitPlan(
  groups: readonly Group[],
  operation: OperationDefinitionNode,
  serviceNames: ReadonlyMap<string, string>,
): PlanNode | null {
  const levels: PlanNode[][] = [];
  const levelOf = new Map<Group, number>();
  const level = (group: Group): number => {
    const known = levelOf.get(group);
    if (known !== undefined) return known;
    const own = Math.max(-1, ...[...group.needs].map(level)) + 1;
    levelOf.set(group, own);
    return own;
  };
  for (const group of groups) {
    if (group.builder.isEmpty && !group.path) continue;
    (levels[level(group)] ??= []).push(toNode(group, operation, serviceNames));
  }
  const nodes = levels.filter(Boolean).map(parallel);
  const [first] = nodes;
  if (!first) return null;
  return nodes.length === 1 ? first : { kind: 'Sequence', nodes };
}

function toNode(
  group: Group,
  operation: OperationDefinitionNode,
  serviceNames: ReadonlyMap<string, string>,
): PlanNode {
  const fetch = toFetch(group, operation, serviceNames.get(group.vertex.graph) ?? group.vertex.graph);
  if (group.path) return { kind: 'Flatten', path: group.path, node: fetch };
  return operation.operation === 'subscription' ? { kind: 'Subscription', primary: fetch } : fetch;
}

function parallel(nodes: readonly PlanNode[]): PlanNode {
  const [only] = nodes;
  return only && nodes.length === 1 ? only : { kind: 'Parallel', nodes };
}
