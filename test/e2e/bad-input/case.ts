/** A wrong input, and what must be said about it. */

/** One line of the table. */
export interface BadInput {
  readonly mutation: string;
  /** Description of the error, in a few words. */
  readonly wrong: string;
  /** Change of the mutation's good input: dotted path and value; `undefined` removes the field. */
  readonly change: readonly (readonly [path: string, value: unknown])[];
  readonly code: string;
  /** Dotted path in the reported error; null if the gateway refuses the whole call. */
  readonly path: string | null;
  /** Text that the message must contain. */
  readonly names: string;
  /** A collection in which the answer itself is kept, under its key. */
  readonly keeps: string | undefined;
}

/** Differences from the usual case: an error at the changed path with the usual code. */
export interface Expectation {
  readonly code?: string;
  /** Path in the reported error, if it is not the changed one. */
  readonly at?: string;
  /** Text in the message, if it is not the value itself. */
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
