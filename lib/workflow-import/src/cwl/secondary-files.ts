/** Files that belong to others, such as indexes: they have the same name with another suffix. */
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import { FileValue, isList, type Value } from './values.js';

/** A suffix, before which each `^` removes an extension. */
export interface Pattern {
  readonly text: string;
  readonly isOptional: boolean;
}

/** Patterns of the files that belong to an input, which must exist, or to an output. */
export function patternsOf(at: Located, refusals: Refusals, isOfOutput = false): readonly Pattern[] {
  const given = at.member('secondaryFiles');
  if (!given) return [];
  return (given.isList ? given.entries() : [given]).flatMap((entry) => {
    const pattern = entry.text ?? entry.member('pattern')?.text ?? '$';
    const text = pattern.replace(/\?$/, '');
    const required = entry.member('required')?.value ?? true;
    const isOptional = text !== pattern || required === false;
    if (!text.includes('$') && typeof required === 'boolean' && (isOfOutput || !isOptional))
      return [{ text, isOptional }];
    const advice = `use a suffix such as .bai or ^.dict${isOfOutput ? '' : ', which must exist'}`;
    refusals.refuse(entry, 'is not supported', advice);
    return [];
  });
}

/** The text with the suffix of a pattern. */
export function suffixed(text: string, { text: pattern }: Pattern): string {
  const carets = /^\^*/.exec(pattern)?.[0].length ?? 0;
  let stem = text;
  for (let left = carets; left > 0; left -= 1) stem = stem.replace(/\.[^./]*$/, '');
  return stem + pattern.slice(carets);
}

/**
 * The value whose files have those that belong to them, where a worker fetches them. Files in folders lie
 * next to each other.
 * @param given place that the value comes from
 */
export function withSecondary(
  value: Value,
  patterns: readonly Pattern[],
  given: Located,
  refusals: Refusals,
): Value {
  if (patterns.length === 0) return value;
  if (isList(value)) return value.map((entry) => withSecondary(entry, patterns, given, refusals));
  if (!(value instanceof FileValue) || value.location === undefined) return value;
  const secondary = [...value.secondary];
  for (const pattern of patterns) {
    const basename = suffixed(value.basename, pattern);
    if (secondary.some((one) => one.basename === basename)) continue;
    if (/[?#]/.test(value.location)) {
      const problem = `the address of ${JSON.stringify(value.basename)} does not show that of its ${pattern.text}`;
      refusals.refuse(given, problem, 'give both, with secondaryFiles');
      continue;
    }
    const location = suffixed(value.location, pattern);
    secondary.push(new FileValue({ kind: 'File', basename, path: basename, location }));
  }
  return new FileValue({ ...value, secondary });
}
