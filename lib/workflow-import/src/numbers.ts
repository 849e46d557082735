/** Numbers of foreign formats. */
import type { Refusals } from './refusals.js';
import type { Located } from './text/located.js';

/** Largest number of attempts of a job. */
const maxAttempts = 20;
/** Limits of the growth of memory in core. */
const leastMemoryFactor = 1.01;
const largestMemoryFactor = 10;
const maxPriority = 1000;

/** A whole number, also one that is written as a text; undefined if it is absent or refused. */
export function wholeNumber(
  at: Located | undefined,
  refusals: Refusals,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: { readonly min?: number; readonly max?: number } = {},
): number | undefined {
  if (!at) return undefined;
  const { value } = at;
  const number = typeof value === 'string' && /^\s*-?\d+(\.\d+)?\s*$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && number >= min && number <= max) return Math.ceil(number);
  const limit = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `${min} to ${max}`;
  refusals.invalid(at, `a number, ${limit}`);
  return undefined;
}

/** A priority, brought into the range of core. */
export function priorityOf(at: Located | undefined, refusals: Refusals): number | undefined {
  const given = wholeNumber(at, refusals, { min: -1e9, max: 1e9 });
  if (given === undefined || !at) return undefined;
  const priority = Math.max(-maxPriority, Math.min(maxPriority, given));
  if (priority !== given) refusals.note(at, `${given} becomes ${priority}, the end of the range`);
  return priority;
}

/** A number of attempts, brought into the range of core. */
export function attemptsOf(
  at: Located | undefined,
  refusals: Refusals,
  more = 0,
): { readonly maxAttempts: number } | undefined {
  const given = wholeNumber(at, refusals, { max: 1e9 });
  if (given === undefined || !at) return undefined;
  const attempts = Math.max(1, Math.min(maxAttempts, given + more));
  if (attempts !== given + more) refusals.note(at, `${given + more} attempts become ${attempts}`);
  return { maxAttempts: attempts };
}

/** Factor by which memory grows, in the range of core; undefined if it does not grow. */
export function memoryFactorOf(at: Located | undefined, refusals: Refusals): number | undefined {
  if (!at) return undefined;
  const factor = Number(at.value);
  if (!(factor >= 1)) {
    refusals.invalid(at, 'a number, at least 1');
    return undefined;
  }
  if (factor < leastMemoryFactor) return undefined;
  if (factor > largestMemoryFactor) refusals.note(at, `${factor} becomes ${largestMemoryFactor}`);
  return Math.min(factor, largestMemoryFactor);
}
