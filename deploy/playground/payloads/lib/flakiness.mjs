/** Exit code of an attempt that fails on purpose. */
export const exitFlaky = 3;

/** Ends the program with exit code 3 while the attempt's number (from 1 on) is not above `count`. */
export function failFirstAttempts(count, attempt) {
  if (attempt > count) return;
  console.error(
    `error: attempt ${attempt} fails on purpose, as each of the first ${count} does; the next one may succeed`,
  );
  process.exit(exitFlaky);
}
