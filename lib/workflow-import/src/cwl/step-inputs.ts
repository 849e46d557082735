/** Inputs of steps: what their sources give, merged and chosen from. */
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import type { CwlContext, Guard } from './context.js';
import { Evaluator } from './evaluate.js';
import { type Named, refuseOthers } from './fields.js';
import { valueAt } from './job-order.js';
import { type Given, refuseMaybeNull } from './tool.js';
import { isList, producersOf, UnknownValue, type Value } from './values.js';

const inputFields = new Set([
  ...['source', 'linkMerge', 'pickValue', 'default', 'valueFrom', 'loadContents', 'loadListing'],
]);

/** Places of the sources of an input or output: none, one, or several. */
export function sourcesOf(at: Located, key: 'source' | 'outputSource'): readonly Located[] {
  const given = at.isMap ? at.member(key) : at;
  if (!given) return [];
  return given.isList ? given.entries() : [given];
}

/**
 * The name by which a source is known in its workflow: `input` or `step/output`. Packed documents put the id
 * of the workflow before it.
 */
export function sourceName(text: string, workflow: string): string {
  const parts = text.replace(/^[^#]*#/, '').split('/');
  // Without a `#`, the first of two parts is a step, whose name may be that of the workflow.
  const isWhole = parts[0] === workflow && parts.length > (text.includes('#') ? 1 : 2);
  return (isWhole ? parts.slice(1) : parts).join('/');
}

/** Values that a workflow knows, by source. */
export interface KnownValues {
  readonly values: ReadonlyMap<string, Value>;
  /** Id of the workflow. */
  readonly workflow: string;
  /** Conditions under which the workflow runs. */
  readonly guard: Guard;
}

/** Value of an input of a step, before `scatter` and `valueFrom`. */
export function sourceValue({ at }: Named, known: KnownValues, context: CwlContext): Value {
  const { refusals } = context;
  if (at.isMap) refuseOthers(at, inputFields, refusals);
  const contents = at.member('loadContents');
  if (contents?.value === true) refusals.refuse(contents, 'contents of files are not read on import');
  const value = linked(at, 'source', known, context);
  const byDefault = at.member('default');
  if (byDefault && context.conditional.hasAnyBeyond(producersOf(value), known.guard)) {
    refuseMaybeNull(byDefault, refusals);
    return new UnknownValue();
  }
  if (value !== null) return value;
  return byDefault ? (valueAt(byDefault, context) ?? new UnknownValue()) : null;
}

/** Value that the sources of an input or output give, merged, and chosen from. */
export function linked(
  at: Located,
  key: 'source' | 'outputSource',
  known: KnownValues,
  context: CwlContext,
): Value {
  const { refusals } = context;
  const sources = sourcesOf(at, key);
  const values = sources.map((source) => {
    const value = known.values.get(sourceName(source.text ?? '', known.workflow));
    if (value !== undefined) return value;
    refusals.refuse(source, `${JSON.stringify(source.value)} is neither an input nor the output of a step`);
    return new UnknownValue();
  });
  const merge = at.member('linkMerge');
  const isMany = (at.isMap ? at.member(key) : at)?.isList === true;
  const [first = null] = values;
  const isMerged = merge !== undefined && (isMany || values.length === 1);
  let value: Value = values.length > 1 || isMerged ? values : first;
  if (merge?.text === 'merge_flattened') value = flattened(values);
  else if (merge && merge.text !== 'merge_nested') refusals.invalid(merge, 'merge_nested or merge_flattened');
  const pick = at.member('pickValue');
  return pick ? picked(pick, value, known, context) : value;
}

function flattened(values: readonly Value[]): Value {
  return values.flatMap((value) => (isList(value) ? [...value] : [value]));
}

function picked(
  pick: Located,
  value: Value,
  { guard }: KnownValues,
  { refusals, conditional }: CwlContext,
): Value {
  const all = isList(value) ? value : [value];
  if (all.some((entry) => conditional.hasAnyBeyond(producersOf(entry), guard))) {
    refusals.refuse(
      pick,
      'chooses from results of steps of which it is not known on import whether they run',
      'use an input for each of them',
    );
    return new UnknownValue();
  }
  const present = all.filter((entry) => entry !== null);
  if (pick.text === 'all_non_null') return present;
  const isOnly = pick.text === 'the_only_non_null';
  if (!isOnly && pick.text !== 'first_non_null')
    refusals.invalid(pick, 'first_non_null, the_only_non_null or all_non_null');
  const [first] = present;
  if (first !== undefined && !(isOnly && present.length > 1)) return first;
  refusals.refuse(pick, `chooses from ${present.length} values that are not null`);
  return new UnknownValue();
}

/** Values of the inputs of one instance of a step, after `valueFrom`. */
export function withValueFrom(
  ins: readonly Named[],
  values: ReadonlyMap<string, Value>,
  refusals: Refusals,
): Map<string, Given> {
  const evaluator = new Evaluator(refusals, { inputs: values });
  return new Map(
    ins.map(({ name, at }) => {
      const value = values.get(name) ?? null;
      const from = at.member('valueFrom');
      if (!from) return [name, { value, at }];
      const evaluated = evaluator.with(value).valueOf(from) ?? new UnknownValue();
      return [name, { value: evaluated, at: from, after: producersOf(value) }];
    }),
  );
}
