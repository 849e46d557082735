/** Conditions between tasks of iDDS. */
import type { DraftEdges, DraftNode } from '../graph/draft.js';
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import type { EdgeCondition } from '../workflow.types.js';

/** A task or a workflow that conditions name by its id. */
export interface IddsPart {
  readonly nodes: readonly DraftNode[];
}

/** Ends of tasks that edges know. */
const ends: ReadonlyMap<string, EdgeCondition> = new Map([
  ['is_finished', 'SUCCEEDED'],
  ['is_terminated', 'ENDED'],
  ['is_failed', 'FAILED'],
]);

/** The opposite, for works that run if a condition is false. */
const opposites: ReadonlyMap<EdgeCondition, EdgeCondition> = new Map([
  ['SUCCEEDED', 'FAILED'],
  ['FAILED', 'SUCCEEDED'],
]);

/** Adds the edges of the conditions of a workflow. */
export function addConditions(
  workflow: Located,
  parts: ReadonlyMap<string, IddsPart>,
  refusals: Refusals,
): void {
  const started = new Map<string, Located>();
  const conditions = workflow.member('_conditions') ?? workflow.member('conditions');
  for (const condition of conditions?.isList === true
    ? conditions.entries()
    : (conditions?.members() ?? [])) {
    const at = condition.member('attributes');
    if (!at) {
      refusals.invalid(condition, 'a condition');
      continue;
    }
    for (const [key, isTrue] of [
      ['_true_works', true],
      ['_false_works', false],
    ] as const)
      for (const target of at.member(key)?.entries() ?? []) {
        const part = parts.get(target.text ?? '');
        if (!part) refusals.refuse(target, 'is not a work of the workflow');
        else if (started.has(target.text ?? ''))
          refusals.refuse(target, 'is started by several conditions', 'join them by an OrCondition');
        else if (isTrue || isSingle(at, refusals)) addEdges(at, part, { isTrue, parts, refusals });
        started.set(target.text ?? '', target);
      }
  }
}

/** The opposite of several conditions cannot be expressed. */
function isSingle(at: Located, refusals: Refusals): boolean {
  const list = at.place('_conditions');
  if (list.entries().length === 1) return true;
  refusals.refuse(at.place('_false_works'), 'are not supported for several conditions');
  return false;
}

interface Given {
  readonly isTrue: boolean;
  readonly parts: ReadonlyMap<string, IddsPart>;
  readonly refusals: Refusals;
}

function addEdges(at: Located, { nodes }: IddsPart, { isTrue, parts, refusals }: Given): void {
  const conditions = at.member('_conditions')?.entries() ?? [];
  const edges = conditions.map((one) => edgeOf(one, { isTrue, parts, refusals }));
  if (edges.length === 0) refusals.refuse(at.place('_conditions'), 'has no conditions', 'name a work');
  const known = edges.filter((edge) => edge !== undefined);
  if (known.length === 0 || known.length < edges.length || !namesOnce(known, at, refusals)) return;
  const operator = at.member('operator')?.member('attributes')?.member('_name_')?.text;
  const isOr = operator === 'Or' && known.length > 1;
  if (isOr && known.some(({ from }) => from.length !== 1)) {
    refusals.refuse(at, 'Or over tasks of several jobs is not supported', 'use AndCondition');
    return;
  }
  const includes = membership();
  for (const node of nodes) {
    if (node.needed !== undefined || (isOr && node.edges.length > 0)) {
      refusals.refuse(at, `Or is not supported for jobs with dependencies, such as ${node.name}`);
      return;
    }
    const never = contradiction([...node.edges, ...known], includes);
    if (never)
      refusals.refuse(at, `can never hold for ${node.name}, which needs the success of ${never.name}`);
    if (never) return;
    node.edges.push(...known);
    if (isOr) node.needed = 1;
  }
}

/** A job can have one edge to another: two different conditions on its end would become one. */
function namesOnce(edges: readonly DraftEdges[], at: Located, refusals: Refusals): boolean {
  const conditions = new Map<DraftNode, EdgeCondition>();
  for (const { from, condition } of edges)
    for (const node of from) {
      const before = conditions.get(node);
      if (before !== undefined && before !== condition) {
        refusals.refuse(at, `has two conditions on ${node.name}`, 'name each work once');
        return false;
      }
      conditions.set(node, condition);
    }
  return true;
}

type Includes = (from: readonly DraftNode[], node: DraftNode) => boolean;

/** Lists are shared by many nodes: a set of each is made once. */
function membership(): Includes {
  const sets = new Map<readonly DraftNode[], ReadonlySet<DraftNode>>();
  return (from, node) => {
    const known = sets.get(from) ?? new Set(from);
    sets.set(from, known);
    return known.has(node);
  };
}

/** The node whose success and failure are both needed; undefined if there is none. */
function contradiction(edges: readonly DraftEdges[], includes: Includes): DraftNode | undefined {
  const failed = edges.flatMap(({ from, condition }) => (condition === 'FAILED' ? from : []));
  return failed.find((node) =>
    edges.some(({ from, condition }) => condition === 'SUCCEEDED' && includes(from, node)),
  );
}

function edgeOf(at: Located, { isTrue, parts, refusals }: Given): DraftEdges | undefined {
  const method = at.member('idds_method');
  const part = parts.get(at.member('idds_method_internal_id')?.text ?? '');
  const end = ends.get(method?.text ?? '');
  const condition = end && (isTrue ? end : opposites.get(end));
  if (!part || !condition) {
    const advice = 'is_finished, is_terminated and is_failed of a work are';
    const what = method ? `${String(method.value)}${isTrue ? '' : ' being false'}` : 'this condition';
    refusals.refuse(method ?? at, `${what} is not supported`, advice);
    return undefined;
  }
  if (condition === 'FAILED' && part.nodes.length !== 1) {
    refusals.refuse(
      method ?? at,
      `is about the failure of ${part.nodes.length} jobs`,
      'a condition on failure can be about one job',
    );
    return undefined;
  }
  return { from: part.nodes, condition };
}
