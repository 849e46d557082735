/** Comparison of the times of two kinds of answers by their ranks. */

/**
 * Probability that an answer of the second kind takes longer than one of the first: 0.5 for equal kinds, 1 if
 * each does. It depends on the order of the times only, so that single slow answers count little.
 */
export function probabilityOfLonger(first: readonly number[], second: readonly number[]): number {
  let longer = 0;
  for (const one of first) for (const other of second) longer += other > one ? 1 : other === one ? 0.5 : 0;
  return longer / (first.length * second.length);
}

/** Times of answers in milliseconds. The two kinds take turns, so that both meet the same load. */
export async function timesOf(
  pairs: number,
  ask: (kind: 0 | 1) => Promise<unknown>,
): Promise<readonly [readonly number[], readonly number[]]> {
  const times: [number[], number[]] = [[], []];
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const);
    for (const kind of order) {
      const start = performance.now();
      await ask(kind);
      times[kind].push(performance.now() - start);
    }
  }
  return times;
}
