/**
 * Fast check of parameter sets. A task may have a million of them, and filling in each one to check the
 * result takes a hundred times as long. Sets that are not plain get the full check. Pure.
 */
import type { JobSpec } from '../jobs/submit/submit.types.js';
import { mostLocationBytes } from '../jobs/submit/file-input.js';
import { isInStorage, locationsOf } from '../storages/places.js';
import { indexParameter, textsOf } from './template.js';
import type { ParameterSetSpec } from './task-spec.types.js';

/** Returns true if a set is plain; false only means that it needs the full check. */
export type IsPlain = (set: ParameterSetSpec) => boolean;

const placeholder = /\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}/g;
/**
 * Characters that no rule for names, variables, locations or arguments forbids, so that only lengths must be
 * checked. A blank at an end could become a blank at the end of a job's name.
 */
const harmless = /^[A-Za-z0-9.,:;_+=@()-](?:[A-Za-z0-9 .,:;_+=@()-]*[A-Za-z0-9.,:;_+=@()-])?$/;
/** Location with a parameter before its `//`; values themselves have no `/`. */
const filledScheme = /^[^/]*\{\{[^/]*\/\//;
/** Maximum length of a parameter name. */
const longestName = 63;
/** Parameter names as in the full check. */
export const parameterName = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
/** Number of digits of the largest position. */
const indexLength = 7;
/** Sets with more parameters get the full check. */
const fewParameters = 16;

/** Rule for the sets of one shape of job. @param needed parameters that its texts use */
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

/**
 * Maximum length of each value with which every text keeps its limit in any combination; 0 if lengths are not
 * the only rule.
 */
function longestValue(spec: JobSpec): number {
  const { name, payload } = textsOf(spec);
  // File names must be unique and must not be those of folders.
  if (payload.outputs.some((text) => placeholdersIn(text) > 0)) return 0;
  // A value may complete a scheme, and only some schemes are accepted.
  const locations = payload.inputs.flatMap(locationsOf);
  if (locations.some((location) => filledScheme.test(location))) return 0;
  // A value may name the place of another owner.
  if (locations.some((location) => isInStorage(location) && placeholdersIn(location) > 0)) return 0;
  // Places of one input must differ.
  if (payload.inputs.some(({ otherLocations }) => otherLocations?.some((one) => placeholdersIn(one) > 0)))
    return 0;
  // The position may be appended to the name.
  if (name.length + 1 + indexLength > 255) return 0;
  const each = [
    spareLength(`${name} `, 255 - indexLength),
    ...payload.environment.map(({ value }) => spareLength(value, 32_768)),
    ...locations.map((location) => spareLength(location, 4096)),
    spareLengthTogether(locations, mostLocationBytes, Buffer.byteLength),
    // Texts together: harmless characters are one byte each.
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

/** The position is not a parameter of a set. */
export function neededOf(names: Iterable<string>): readonly string[] {
  return [...names].filter((name) => name !== indexParameter);
}
