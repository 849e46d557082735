import { type ComparedError, textOfError } from './compare.js';
import { Random } from './random.js';

// The specification does not say which of several errors below one null is reported, and graphql-js reports
// the one that occurs first. So the reference runs again, with its resolvers in the order in which the
// engine's errors come first: then both must report exactly the same.

/** Delays a field's resolver, or runs it immediately. */
export type Before = (path: readonly (string | number)[]) => Promise<void> | undefined;

/** Maximum time in milliseconds for which an error is delayed while all others wait for it. */
const longestMs = 2_000;

/** An order of resolvers: `end` runs all that are still delayed. */
export interface Schedule {
  readonly before: Before;
  /** Turns of the event loop after which all resolvers that are not delayed have run. */
  readonly turns: number;
  end(): void;
}

/** Number of orders that are tried: the first two by depth, then random ones. */
export const orders = 30;

/**
 * Lets the reported errors occur in the n-th order, and delays all others; `faults` are all existing errors.
 */
export function scheduleOf(
  faults: readonly ComparedError[],
  reported: readonly ComparedError[],
  order: number,
): Schedule {
  const groups = groupsOf(reported, order);
  const turnOf = new Map<string, number>();
  for (const fault of faults) {
    const field = textOfField(fault.path);
    const index = groups.findIndex((group) => group.has(textOfError(fault)));
    turnOf.set(field, Math.min(index < 0 ? Infinity : index, turnOf.get(field) ?? Infinity));
  }
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  const last = groups.length + 1;
  const timer = setTimeout(() => end(), longestMs);
  return {
    turns: last,
    before: (path) => {
      const turn = turnOf.get(textOfField(path));
      if (turn === undefined || turn === 0) return undefined;
      return turn === Infinity ? ended : waitForTurns(turn);
    },
    end: () => {
      clearTimeout(timer);
      end();
    },
  };
}

/** Errors that occur together, in order: those of one depth, or one each in a random order. */
function groupsOf(reported: readonly ComparedError[], order: number): Set<string>[] {
  if (order > 1)
    return new Random(`order:${order}`).shuffled(reported).map((error) => new Set([textOfError(error)]));
  const depths = [...new Set(reported.map(({ path }) => path.length))].sort((a, b) =>
    order === 0 ? b - a : a - b,
  );
  return depths.map(
    (depth) => new Set(reported.filter(({ path }) => path.length === depth).map(textOfError)),
  );
}

/** Waits for some turns of the event loop. */
export async function waitForTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Path of the field that an error belongs to: without the indices of its own lists. */
function textOfField(path: readonly (string | number)[]): string {
  let length = path.length;
  while (typeof path[length - 1] === 'number') length--;
  return JSON.stringify(path.slice(0, length));
}
