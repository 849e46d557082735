import type { ComparedError } from './compare.js';
import { Random } from './random.js';

// The specification leaves open which of several faults below one null is told, and graphql-js tells the one that
// happens first. So the reference is run once more, its resolvers in the order in which the engine's faults come first:
// then both must tell exactly the same.

/** Holds a field's resolver back, or lets it go on at once. */
export type Before = (path: readonly (string | number)[]) => Promise<void> | undefined;

/** Longest time in milliseconds that a fault is held back which everything waits for. */
const longestMs = 2_000;

/** An order of resolvers: `end` lets everything go that is still held back. */
export interface Schedule {
  readonly before: Before;
  /** Turns of the event loop after which all that is not held back has happened. */
  readonly turns: number;
  end(): void;
}

/** How many orders are tried: the first two by depth, then others by chance. */
export const orders = 30;

/** Lets the faults that are told happen in the n-th order, and holds all others back; `faults` are all that there are. */
export function scheduleOf(
  faults: readonly ComparedError[],
  told: readonly ComparedError[],
  order: number,
): Schedule {
  const groups = groupsOf(told, order);
  const turnOf = new Map<string, number>();
  for (const fault of faults) {
    const field = textOfField(fault.path);
    const index = groups.findIndex((group) => group.has(textOf(fault)));
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

/** The faults that happen together, in order: those of one depth, or each alone in an order by chance. */
function groupsOf(told: readonly ComparedError[], order: number): Set<string>[] {
  if (order > 1) return new Random(`order:${order}`).shuffled(told).map((error) => new Set([textOf(error)]));
  const depths = [...new Set(told.map(({ path }) => path.length))].sort((a, b) =>
    order === 0 ? b - a : a - b,
  );
  return depths.map((depth) => new Set(told.filter(({ path }) => path.length === depth).map(textOf)));
}

/** Lets the event loop turn some times. */
export async function waitForTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function textOf({ path, code }: ComparedError): string {
  return JSON.stringify([path, code]);
}

/** The path of the field that a fault belongs to: without the indices of its own lists. */
function textOfField(path: readonly (string | number)[]): string {
  let length = path.length;
  while (typeof path[length - 1] === 'number') length--;
  return JSON.stringify(path.slice(0, length));
}
