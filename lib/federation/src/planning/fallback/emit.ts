import type { OperationDefinitionNode } from 'graphql';
import type { FetchNode, FlattenNode, PlanNode } from '../plan-format.js';
import { type Group, toFetch } from './group.js';

/**
 * Converts the groups of an operation to a plan: each group runs as soon as its dependencies are complete.
 */
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
  const nodes = levels.filter(Boolean).map((level) => parallel(joined(level)));
  const [first] = nodes;
  if (!first) return null;
  return nodes.length === 1 ? first : { kind: 'Sequence', nodes };
}

/** Merges fetches with the same dependencies that differ only in their paths into one for all paths. */
function joined(nodes: readonly PlanNode[]): PlanNode[] {
  const alike = new Map<string, FlattenNode[]>();
  for (const node of nodes) {
    if (node.kind !== 'Flatten' || !node.node.requires) continue;
    const id = JSON.stringify(node.node);
    alike.set(id, [...(alike.get(id) ?? []), node]);
  }
  return nodes.flatMap((node) => {
    const group = node.kind === 'Flatten' ? alike.get(JSON.stringify(node.node)) : undefined;
    if (node.kind !== 'Flatten' || !group || group.length === 1) return [node];
    return node === group[0] ? [batchOf(node.node, group)] : [];
  });
}

function batchOf(fetch: FetchNode, places: readonly FlattenNode[]): PlanNode {
  const { requires = [], inputRewrites, outputRewrites, kind: _kind, ...base } = fetch;
  return {
    ...base,
    kind: 'BatchFetch',
    entityBatch: {
      aliases: [
        {
          alias: '_entities',
          representationsVariableName: 'representations',
          paths: places.map(({ path }) => path),
          requires,
          inputRewrites,
          outputRewrites,
        },
      ],
    },
  };
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
