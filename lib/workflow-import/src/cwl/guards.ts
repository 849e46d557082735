/** Conditions of steps as edges of their nodes. */
import type { DraftEdges, DraftNode } from '../graph/draft.js';
import type { Located } from '../text/located.js';
import type { Conditions } from './condition.js';
import type { CwlContext, Guard } from './context.js';
import type { Given } from './tool.js';
import { isList, producersOf, UnknownValue, type Value } from './values.js';

/**
 * The conditions of a step together with those around it. Results that may not exist are taken out of the
 * inputs. Undefined if this is refused.
 */
export function guardOf(
  when: Located,
  { literals, needed }: Conditions,
  given: Map<string, Given>,
  { outer, isTool, refusals }: { outer: Guard; isTool: boolean; refusals: CwlContext['refusals'] },
): Guard | undefined {
  const edges: DraftEdges[] = literals.map(({ nodes, condition }) => ({ from: nodes, condition }));
  const named = (wanted: string): ReadonlySet<DraftNode> =>
    new Set([...outer.edges, ...edges].flatMap(({ from, condition }) => (condition === wanted ? from : [])));
  const [failed, succeeded] = [named('FAILED'), named('SUCCEEDED')];
  const both = [...failed].find((node) => succeeded.has(node));
  if (both) {
    refusals.refuse(when, `can never hold: it needs both the success and the failure of ${both.label}`);
    return undefined;
  }
  for (const [name, { value, at, after = [] }] of given) {
    const own = [...producersOf(value), ...after];
    if (own.some((node) => failed.has(node))) given.set(name, { value: without(value, failed, null), at });
    else if (needed === 'ONE' && own.some((node) => succeeded.has(node))) {
      const absent = new UnknownValue(undefined, `${at.shown} may not exist, because when has ||`);
      given.set(name, { value: without(value, succeeded, absent), at });
    }
  }
  if (needed === 'ALL') return { edges: [...outer.edges, ...edges] };
  const hasOthers = [...given.values()].some(
    ({ value, after = [] }) => producersOf(value).length + after.length > 0,
  );
  if (isTool && outer.edges.length === 0 && !hasOthers) return { edges, needed: 1 };
  refusals.refuse(
    when,
    '|| over results of steps is supported only for a tool that needs no other results',
    'use && or a step in between',
  );
  return undefined;
}

/** A value in which the results of some nodes are replaced. */
function without(value: Value, nodes: ReadonlySet<DraftNode>, other: Value): Value {
  if (isList(value)) return value.map((entry) => without(entry, nodes, other));
  const [from] = producersOf(value);
  return from && nodes.has(from) ? other : value;
}
