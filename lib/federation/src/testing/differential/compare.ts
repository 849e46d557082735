/** An answer of either side: data as text, and the compared parts of the errors. */
export interface ComparedAnswer {
  /** The text of `data`, byte for byte. */
  readonly dataText: string;
  readonly data: unknown;
  readonly errors: readonly ComparedError[];
}

/** The compared parts of an error. */
export interface ComparedError {
  readonly path: readonly (string | number)[];
  readonly code: string;
}

/** Difference between two answers. */
export type Difference =
  | { readonly kind: 'none' }
  /** Data are equal; each side reports errors that the other does not. */
  | { readonly kind: 'errors'; readonly text: string }
  | { readonly kind: 'fault'; readonly text: string };

/**
 * Compares two answers: data byte for byte, errors as sets of path and code, and each error with a null at or
 * above its path.
 */
export function differenceOf(ours: ComparedAnswer, theirs: ComparedAnswer): Difference {
  if (ours.dataText !== theirs.dataText)
    return fault(`data differ\n  ours   ${ours.dataText}\n  theirs ${theirs.dataText}`);
  const stray = ours.errors.find((error) => nullAbove(ours.data, error) === undefined);
  if (stray) return fault(`an error without a null at or above it: ${JSON.stringify(stray)}`);
  const missing = without(theirs.errors, textsOf(ours.errors));
  const extra = without(ours.errors, textsOf(theirs.errors));
  if (missing.length === 0 && extra.length === 0) return { kind: 'none' };
  const text = `errors differ\n  missing ${JSON.stringify(missing)}\n  extra   ${JSON.stringify(extra)}\n  ours    ${JSON.stringify(ours.errors)}\n  data ${ours.dataText}`;
  return { kind: 'errors', text };
}

function fault(text: string): Difference {
  return { kind: 'fault', text };
}

/** Text by which two errors are equal. */
export function textOfError({ path, code }: ComparedError): string {
  return JSON.stringify([path, code]);
}

function textsOf(errors: readonly ComparedError[]): Set<string> {
  return new Set(errors.map(textOfError));
}

function without(errors: readonly ComparedError[], known: ReadonlySet<string>): ComparedError[] {
  return errors.filter((error) => !known.has(textOfError(error)));
}

/** Path of the null that an error left in the data: its own or one above it. */
export function nullAbove(data: unknown, { path }: ComparedError): readonly (string | number)[] | undefined {
  let value = data;
  for (let length = 0; length <= path.length; length++) {
    if (value === null) return path.slice(0, length);
    const step = path[length];
    if (step === undefined || typeof value !== 'object') return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return undefined;
}
