import { setTimeout as delay } from 'node:timers/promises';

/** Options of {@link waitFor}. */
export interface WaitOptions<T> {
  /**
   * Expected time, in milliseconds. A longer wait is printed; it does not fail, since machines differ and are
   * shared.
   */
  readonly deadlineMs: number;
  /** Condition for an item of a stream; by default the first item fits. */
  readonly until?: (item: T) => boolean;
  /**
   * Time after which the wait fails, in milliseconds; by default 120 s, or three times the expected time if
   * that is longer.
   */
  readonly limitMs?: number;
}

/** A promise, a stream of items, or a question that is asked until its answer is not empty. */
export type Awaitable<T> =
  | Promise<T>
  | AsyncIterable<T>
  | (() => T | null | undefined | false | Promise<T | null | undefined | false>);

/**
 * Shortest and longest time between two questions, in milliseconds. In between it is a tenth of the time
 * waited: a question costs the processor time that the awaited event needs, most of all where it goes through
 * a gateway.
 */
const pollMs = { least: 10, most: 100 };
/**
 * Long enough for a machine that is many times slower and busy; short enough to fail before the test's own
 * limit.
 */
const usualLimitMs = 120_000;

/**
 * Waits for a named event and returns its value. A wait that takes longer than expected is printed with its
 * time.
 * @throws Error if the event does not happen within the limit
 */
export async function waitFor<T>(name: string, what: Awaitable<T>, options: WaitOptions<T>): Promise<T> {
  const { deadlineMs, limitMs = Math.max(usualLimitMs, 3 * deadlineMs) } = options;
  const started = performance.now();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), limitMs);
  try {
    const found = await Promise.race([
      settle(what, options, limit.signal),
      refusal(name, limit.signal, limitMs),
    ]);
    const tookMs = performance.now() - started;
    if (tookMs > deadlineMs) {
      process.stderr.write(`measured: ${name} ${tookMs.toFixed(0)} ms (expected ${deadlineMs} ms)\n`);
    }
    return found;
  } finally {
    clearTimeout(timer);
    limit.abort();
  }
}

function refusal(name: string, signal: AbortSignal, limitMs: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () =>
      reject(new Error(`${name} did not happen within ${limitMs / 1000} s`)),
    );
  });
}

async function settle<T>(what: Awaitable<T>, options: WaitOptions<T>, signal: AbortSignal): Promise<T> {
  if (typeof what === 'function') return ask(what, signal);
  if (Symbol.asyncIterator in what) return firstOf(what, options.until ?? (() => true), signal);
  return what;
}

async function ask<T>(question: Extract<Awaitable<T>, () => unknown>, signal: AbortSignal): Promise<T> {
  const started = performance.now();
  while (!signal.aborted) {
    const answer = await question();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    const waitedMs = performance.now() - started;
    await delay(Math.min(pollMs.most, Math.max(pollMs.least, waitedMs / 10)));
  }
  return new Promise(() => undefined);
}

/** The stream stays open: later items are for other readers. */
async function firstOf<T>(
  items: AsyncIterable<T>,
  fits: (item: T) => boolean,
  signal: AbortSignal,
): Promise<T> {
  const iterator = items[Symbol.asyncIterator]();
  while (!signal.aborted) {
    const { value, done } = await iterator.next();
    if (done) throw new Error('the stream ended before the expected item');
    if (fits(value)) return value;
  }
  return new Promise(() => undefined);
}
