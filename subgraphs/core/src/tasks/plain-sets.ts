/**
 * Parameter sets that are well-formed at a glance: a task may have a million of them, and to fill each one in only to look at what becomes of
 * it takes a hundred times as long. What is not plain is looked at in full. Pure.
 */
import type { JobSpec } from '../jobs/submit/submit.types.js';
import { indexParameter, textsOf } from './template.js';
import type { ParameterSetSpec } from './task-spec.types.js';

/** Says whether a set is plain; false only means that it has to be looked at. */
export type IsPlain = (set: ParameterSetSpec) => boolean;

const placeholder = /\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}/g;
/**
 * Nothing that any rule for names, variables, locations or arguments forbids, so that only lengths are left to count. A blank at an end
 * might become one of a job's name.
 */
const harmless = /^[A-Za-z0-9.,:;_+=@()-](?:[A-Za-z0-9 .,:;_+=@()-]*[A-Za-z0-9.,:;_+=@()-])?$/;
/** A location with a parameter before its `//`: values themselves have no `/`. */
const filledScheme = /^[^/]*\{\{[^/]*\/\//;
/** Characters of a parameter's name at most. */
const longestName = 63;
/** Names of parameters, as the full look at a set has them. */
export const parameterName = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
/** Digits of the largest position. */
const indexLength = 7;
/** Sets with more parameters are looked at in full. */
const fewParameters = 16;

/** The rule for the sets of one shape of job. @param needed the parameters that its texts use */
export function plainSets(spec: JobSpec, needed: readonly string[]): IsPlain {
  const longest = longestValue(spec);
  if (longest < 1) return () => false;
  if (needed.some((name) => name.length > longestName)) return () => false;
  const names = new Set(needed);
  const isName = (name: string): boolean =>
    names.has(name) || (parameterName.test(name) && name !== indexParameter);
  return ({ parameters, dependsOn }) => {
    if (parameters.length > fewParameters || (dependsOn && dependsOn.length > 0)) return false;
    let found = 0;
    for (const [at, { name, value }] of parameters.entries()) {
      if (!isName(name) || value.length > longest || !harmless.test(value)) return false;
      for (let before = 0; before < at; before += 1) if (parameters[before]?.name === name) return false;
      if (names.has(name)) found += 1;
    }
    return found === names.size;
  };
}

/** How long each value may be so that every text keeps its limit, whichever values come together; 0 where lengths are not all that counts. */
function longestValue(spec: JobSpec): number {
  const { name, payload } = textsOf(spec);
  // Names of files must differ from each other, and must be none of those that folders have.
  if (payload.outputs.some((text) => placeholdersIn(text) > 0)) return 0;
  // A value may complete a scheme, and only some schemes are accepted.
  if (payload.inputs.some(({ location }) => filledScheme.test(location))) return 0;
  // The position may be put behind the name.
  if (name.length + 1 + indexLength > 255) return 0;
  const each = [
    spareLength(`${name} `, 255 - indexLength),
    ...payload.environment.map(({ value }) => spareLength(value, 32_768)),
    ...payload.inputs.map(({ location }) => spareLength(location, 4096)),
    // Texts together: of what is harmless, a character is a byte.
    spareLengthTogether(payload.arguments, 131_072, (text) => Buffer.byteLength(text) + 1),
    spareLengthTogether(
      payload.environment.map(({ value }) => value),
      1_048_576 - payload.environment.reduce((sum, variable) => sum + variable.name.length, 0),
      (text) => text.length,
    ),
    4096,
  ];
  const length = Math.min(...each);
  return length < indexLength ? 0 : length;
}

function spareLength(text: string, limit: number): number {
  const holes = placeholdersIn(text);
  return holes === 0 ? Infinity : Math.floor((limit - text.length) / holes);
}

function spareLengthTogether(
  texts: readonly string[],
  limit: number,
  sizeOf: (text: string) => number,
): number {
  const holes = texts.reduce((sum, text) => sum + placeholdersIn(text), 0);
  const size = texts.reduce((sum, text) => sum + sizeOf(text), 0);
  return holes === 0 ? Infinity : Math.floor((limit - size) / holes);
}

function placeholdersIn(text: string): number {
  return [...text.matchAll(placeholder)].length;
}

/** The position is no parameter of a set. */
export function neededOf(names: Iterable<string>): readonly string[] {
  return [...names].filter((name) => name !== indexParameter);
}
