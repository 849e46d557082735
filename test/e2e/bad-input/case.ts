/** A wrong input, and what must be said about it. */

/** One line of the table. */
export interface BadInput {
  readonly mutation: string;
  /** What is wrong, in a few words. */
  readonly wrong: string;
  /** What is changed in the mutation's good input: dotted path and value; `undefined` takes the field away. */
  readonly change: readonly (readonly [path: string, value: unknown])[];
  readonly code: string;
  /** The place in the input that is told, dotted; null where the call is refused as a whole, at the door. */
  readonly path: string | null;
  /** What the message must contain. */
  readonly names: string;
  /** A collection in which the answer itself is kept, under its key. */
  readonly keeps: string | undefined;
}

/** What differs from a value that is told at its own place with the usual code. */
export interface Expectation {
  readonly code?: string;
  /** The place that is told, where it is not the one that is changed. */
  readonly at?: string;
  /** What the message contains, where it is not the value itself. */
  readonly names?: string;
  /** Further changes. */
  readonly also?: BadInput['change'];
  readonly keeps?: string;
}

/** A wrong value: in words, its place, the value, and what is unusual about the answer. */
export type Row = readonly [wrong: string, path: string, value: unknown, expectation?: Expectation];

/** Lines of one mutation. */
export function casesOf(mutation: string, usualCode: string, rows: readonly Row[]): readonly BadInput[] {
  return rows.map(([wrong, path, value, { code = usualCode, at = path, names, also = [], keeps } = {}]) => ({
    mutation,
    wrong,
    keeps,
    change: [[path, value], ...also],
    code,
    path: code === 'BAD_USER_INPUT' ? null : at,
    names: names ?? (typeof value === 'string' && code === 'BAD_USER_INPUT' ? value : JSON.stringify(value)),
  }));
}

/** A good input with changes. */
export function changed(good: object, change: BadInput['change']): object {
  const input = structuredClone(good) as Record<string, unknown>;
  for (const [path, value] of change) {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    const parent = keys.reduce<Record<string, unknown>>(
      (at, key) => (at[key] ??= {}) as Record<string, unknown>,
      input,
    );
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  }
  return input;
}
