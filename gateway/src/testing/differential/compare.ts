/** An answer of either side: data as text, errors as far as they are compared. */
export interface ComparedAnswer {
  /** The text of `data`, byte for byte. */
  readonly dataText: string;
  readonly data: unknown;
  readonly errors: readonly ComparedError[];
}

/** An error as far as it is compared. */
export interface ComparedError {
  readonly path: readonly (string | number)[];
  readonly code: string;
}

/**
 * Allowed differences, each with its reason. Every use is counted; a run fails if one is used more often than in one
 * of a thousand operations.
 */
export const allowedDifferences = {} as const satisfies Record<string, string>;

/** The first difference of two answers, in words; undefined if there is none. */
export function differenceOf(ours: ComparedAnswer, theirs: ComparedAnswer): string | undefined {
  if (ours.dataText !== theirs.dataText)
    return `data differ\n  ours   ${ours.dataText}\n  theirs ${theirs.dataText}`;
  const stray = ours.errors.find((error) => landing(ours.data, error) === undefined);
  if (stray) return `an error without a null at or above it: ${JSON.stringify(stray)}`;
  const mine = landings(ours);
  const other = landings(theirs);
  const missing = [...other].filter((entry) => !mine.has(entry));
  const extra = [...mine].filter((entry) => !other.has(entry));
  if (missing.length === 0 && extra.length === 0) return undefined;
  return `errors differ\n  missing ${missing.join(' ')}\n  extra   ${extra.join(' ')}\n  ours ${JSON.stringify(ours.errors)}\n  theirs ${JSON.stringify(theirs.errors)}`;
}

/**
 * Where errors are felt, as a set of texts: the null that an error left in the data, and its code where that null is
 * the failed field itself. Which of several faults below one null is told first depends on who runs what in which
 * order, in graphql-js too; that there is one is what counts.
 */
function landings({ data, errors }: ComparedAnswer): Set<string> {
  const set = new Set<string>();
  for (const error of errors) {
    const place = landing(data, error);
    if (place === undefined) continue;
    const isItself = place.length === error.path.length;
    set.add(`${place.join('.')}|${isItself ? error.code : '*'}`);
  }
  return set;
}

function landing(data: unknown, { path }: ComparedError): readonly (string | number)[] | undefined {
  let value = data;
  for (let length = 0; length <= path.length; length++) {
    if (value === null) return path.slice(0, length);
    const step = path[length];
    if (step === undefined || typeof value !== 'object') return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return undefined;
}
