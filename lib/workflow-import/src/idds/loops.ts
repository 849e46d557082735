/** Loops of iDDS: a workflow that is repeated while its condition holds. */
import type { DraftLoop, DraftNode } from '../graph/draft.js';
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import type { IddsPart } from './conditions.js';

/** Most iterations of a loop; iDDS has no limit. */
export const mostIterations = 100;

/** End of a work at which no further turn follows, by the method that asks for another one. */
const endConditions: ReadonlyMap<string, string> = new Map([
  ['is_finished', 'result.state != "SUCCEEDED"'],
  ['is_failed', 'result.state != "FAILED"'],
]);

/** The condition of a loop; undefined for a workflow that is not repeated. */
export function loopConditionOf(template: Located): Located | undefined {
  const given = template.member('_loop_condition') ?? template.member('loop_condition');
  return given && !given.isEmpty ? given : undefined;
}

/**
 * Makes a loop of the works of a workflow; undefined if it is refused.
 * @param parts works of the workflow by their ids
 */
export function loopOf(
  condition: Located,
  {
    name,
    at,
    parts,
  }: { readonly name: string; readonly at: Located; readonly parts: ReadonlyMap<string, IddsPart> },
  refusals: Refusals,
): DraftLoop | undefined {
  const conditions = condition.member('attributes')?.member('_conditions')?.entries() ?? [];
  const [only] = conditions;
  if (!only || conditions.length > 1) {
    const advice = 'one condition about one work is';
    refusals.refuse(condition, `a loop with ${conditions.length} conditions is not supported`, advice);
    return undefined;
  }
  const method = only.member('idds_method');
  const until = endConditions.get(method?.text ?? '');
  const result = parts.get(only.member('idds_method_internal_id')?.text ?? '');
  if (until === undefined || !result) {
    const what = method ? `${String(method.value)} of a loop` : 'this condition';
    refusals.refuse(method ?? only, `${what} is not supported`, 'is_finished and is_failed of a work are');
    return undefined;
  }
  const [node] = result.nodes;
  if (!node || result.nodes.length > 1) {
    refusals.refuse(
      method ?? only,
      `is about the end of ${result.nodes.length} jobs`,
      'the condition of a loop can be about one job',
    );
    return undefined;
  }
  refusals.note(condition, `repeated at most ${mostIterations} times`);
  const nodes: readonly DraftNode[] = [...parts.values()].flatMap((part) => part.nodes);
  return { at, name, nodes, until, result: node, maxIterations: mostIterations };
}
