/** Conditions of steps as edges of their nodes. */
import type { DraftEdges } from '../graph/draft.js';
import type { Located } from '../text/located.js';
import type { Decision } from './condition.js';
import type { CwlContext, Guard } from './context.js';
import type { Given } from './tool.js';
import { producersOf, UnknownValue } from './values.js';

/** Conditions on results of steps. */
type Conditions = Extract<Decision, { readonly literals: unknown }>;

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
  const failed = new Set(literals.flatMap(({ nodes, condition }) => (condition === 'FAILED' ? nodes : [])));
  const named = new Set(literals.flatMap(({ nodes }) => nodes));
  for (const [name, { value, at }] of given) {
    const [from, ...more] = producersOf(value);
    if (from === undefined || more.length > 0) continue;
    if (failed.has(from)) given.set(name, { value: null, at });
    else if (needed === 'ONE' && named.has(from)) {
      const reason = `${at.shown} may not exist, because when has ||`;
      given.set(name, { value: new UnknownValue(undefined, reason), at });
    }
  }
  if (needed === 'ALL') return { edges: [...outer.edges, ...edges], ...neededOf(outer) };
  const hasOthers = [...given.values()].some(({ value }) => producersOf(value).length > 0);
  if (isTool && outer.edges.length === 0 && !hasOthers) return { edges, needed: 1 };
  refusals.refuse(
    when,
    '|| over results of steps is supported only for a tool that needs no other results',
    'use && or a step in between',
  );
  return undefined;
}

function neededOf({ needed }: Guard): Pick<Guard, 'needed'> {
  return needed === undefined ? {} : { needed };
}
