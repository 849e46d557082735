/** Nodes that a payload adds: what they may be, their names in the workflow, edges from their adder. */
import type { InputErrors } from '@rhizome/errors';
import {
  addedEdges,
  maxAdders,
  maxCalls,
  maxCallsPerAttempt,
  pendingTotals,
  type StoredAddition,
} from '../model/additions.js';
import { stillNested } from '../model/scopes.js';
import type { NodeFacts } from '../model/node.document.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { StoredGroupEdge } from '../model/workflow.types.js';
import { checkTotals } from '../submit/graph-input.js';
import type { EdgeSpec, NodeInputSpec, NodeSpec } from '../submit/workflow-spec.types.js';
import { checkNodeName, maxErrors, nodeText } from '../submit/workflow-input.js';
import type { AddErrorCode } from './add-errors.js';

/** Most nodes of one call. */
export const maxNodesPerCall = 5000;
/** Most labels of the nodes of one call. */
const maxLabels = 20;

type Errors = InputErrors<AddErrorCode>;
/** Node that adds others. */
type Adder = Pick<NodeFacts, 'name'>;

/** Checks what only nodes that were submitted may have. */
export function checkAdded(
  nodes: readonly NodeSpec[],
  adder: Adder,
  groupEdges: readonly StoredGroupEdge[],
  errors: Errors,
): void {
  const labels = new Set(nodes.flatMap(({ label }) => label ?? []));
  if (labels.size > maxLabels)
    errors.add(['nodes'], `${labels.size} labels`, `at most ${maxLabels} labels in one call`);
  const open = new Map(
    groupEdges.flatMap(({ from, to, outcome }) =>
      to !== undefined && outcome !== 'MET' ? [[to, from]] : [],
    ),
  );
  for (const [at, node] of nodes.entries()) {
    if (errors.all.length >= maxErrors) return;
    const path = ['nodes', String(at)];
    const refuse = (field: string, problem: string): void =>
      errors.report('INVALID_VALUE', [...path, field], `${nodeText(node)} ${problem}`);
    checkNodeName([...path, 'name'], nameIn(adder, node.name), errors);
    if (node.name.includes('/')) refuse('name', 'has a name with "/"; must be without');
    if (node.isFinal === true) refuse('isFinal', 'is final; must be a node that is not');
    if (node.payload?.secrets?.length) refuse('payload', 'names secrets; added nodes receive none');
    if (node.inputs?.some(({ label }) => label != null))
      refuse('inputs', 'reads from a label; must be from the adding node, or a node of the same call');
    const from = node.label == null ? undefined : open.get(node.label);
    if (from !== undefined)
      refuse(
        'label',
        `has the label "${node.label}", to which an open edge leads from "${from}"; must be another label`,
      );
    const edges = node.dependsOn?.length ?? 0;
    if (node.needed != null && (node.needed < 1 || node.needed > edges))
      refuse('needed', `needs ${node.needed} edges; must be 1 to ${edges}, the number in \`dependsOn\``);
    const failed = node.dependsOn?.find((edge) => edge.node === adder.name && edge.condition === 'FAILED');
    if (failed)
      errors.report(
        'NODE_UNREACHABLE',
        [...path, 'dependsOn'],
        `${nodeText(node)} can never run: it depends on a failure of ${JSON.stringify(adder.name)}, which must succeed to add it`,
      );
  }
}

/** Name of an added node in the workflow. */
export function nameIn({ name: adder }: Adder, name: string): string {
  return `${adder}/${name}`;
}

/**
 * Nodes as the workflow has them: their names begin with that of the adding node, and edges from it are left
 * out, because it has succeeded when they are added.
 */
export function nodesIn(adder: Adder, nodes: readonly NodeSpec[]): readonly NodeSpec[] {
  const known = new Set(nodes.map(({ name }) => name));
  const full = (name: string): string => (known.has(name) ? nameIn(adder, name) : name);
  return nodes.map((node) => {
    const dependsOn = (node.dependsOn ?? []).map((edge): EdgeSpec => ({ ...edge, node: full(edge.node) }));
    const others = dependsOn.filter((edge) => edge.node !== adder.name);
    // The edge from the adding node is met already.
    const needed = node.needed == null ? undefined : node.needed - (dependsOn.length - others.length);
    const isMet = needed !== undefined && needed < 1;
    return {
      ...node,
      name: nameIn(adder, node.name),
      dependsOn: isMet ? [] : others,
      ...(needed === undefined ? {} : { needed: isMet ? undefined : needed }),
      ...(node.inputs
        ? { inputs: node.inputs.map((input): NodeInputSpec => ({ ...input, node: full(input.node ?? '') })) }
        : {}),
    };
  });
}

/** Refuses a call with which its node would add too many, or the workflow would be too large. */
export function checkAdditions(
  { nodes, bytes = 0, groups, nesting }: Pick<WorkflowDocument, 'nodes' | 'bytes' | 'groups' | 'nesting'>,
  {
    node,
    addition,
    additions,
  }: {
    readonly node: Pick<NodeFacts, 'name' | 'maxAdded'>;
    readonly addition: StoredAddition;
    readonly additions: readonly StoredAddition[];
  },
  errors: Errors,
): void {
  const pending = pendingTotals(additions);
  const left = stillNested({ additions, ...(nesting ? { nesting } : {}) });
  const own = pendingTotals([addition]).nodes;
  const calls = additions.flatMap((one) => one.calls);
  const tooMany = (count: number, most: number, what: string): void => {
    if (count > most)
      errors.report('WORKFLOW_TOO_LARGE', ['nodes'], `nodes: ${count} ${what}; must be at most ${most}`);
  };
  if (node.maxAdded !== undefined && own > node.maxAdded)
    errors.report(
      'NODE_LIMIT_EXCEEDED',
      ['nodes'],
      `nodes: node ${JSON.stringify(node.name)} would add ${own} nodes; must be at most ${node.maxAdded}, its \`maxAddedNodes\``,
    );
  tooMany(addition.calls.length, maxCallsPerAttempt, 'calls of the attempt');
  tooMany(additions.length + left.units, maxAdders, 'nodes that add others, or have sub-graphs');
  tooMany(calls.length + left.iterations, maxCalls, 'calls that add nodes, and iterations of sub-graphs');
  const labels = new Set(groups.flatMap(({ label, isFinal }) => (isFinal ? [] : [label])));
  const finalGroups = groups.length - labels.size;
  for (const call of calls) for (const { label } of call.groups) labels.add(label);
  const totals = {
    ...{ nodes: nodes + pending.nodes + left.nodes, bytes: bytes + pending.bytes + left.bytes },
    ...{ edges: addedEdges(additions) + left.edges, groups: finalGroups + labels.size },
  };
  checkTotals(totals, errors);
}
