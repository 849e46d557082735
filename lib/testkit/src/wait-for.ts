import { setTimeout as delay } from 'node:timers/promises';

/** How long something may take. */
export interface WaitOptions<T> {
  /** The time it should take, in milliseconds: three times of it fail, half of it is worth a line. */
  readonly deadlineMs: number;
  /** For streams: which item is waited for; default the first. */
  readonly until?: (item: T) => boolean;
}

/** What can be waited for: a promise, a stream of items, or a question that is asked until the answer is not empty. */
export type Awaitable<T> =
  | Promise<T>
  | AsyncIterable<T>
  | (() => T | null | undefined | false | Promise<T | null | undefined | false>);

/** Nothing that is asked for answers faster than this. */
const askAgainMs = 10;

/**
 * Waits for something by name and returns it. It fails at three times the deadline, since machines are shared; what
 * took more than half of the deadline is printed with its measured time.
 */
export async function waitFor<T>(name: string, what: Awaitable<T>, options: WaitOptions<T>): Promise<T> {
  const { deadlineMs } = options;
  const started = performance.now();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), 3 * deadlineMs);
  try {
    const found = await Promise.race([
      settle(what, options, limit.signal),
      refusal(name, limit.signal, deadlineMs),
    ]);
    const tookMs = performance.now() - started;
    if (tookMs > deadlineMs / 2) {
      process.stderr.write(`measured: ${name} ${tookMs.toFixed(0)} ms (deadline ${deadlineMs} ms)\n`);
    }
    return found;
  } finally {
    clearTimeout(timer);
    limit.abort();
  }
}

function refusal(name: string, signal: AbortSignal, deadlineMs: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () =>
      reject(new Error(`${name} did not come within three times its deadline of ${deadlineMs} ms`)),
    );
  });
}

async function settle<T>(what: Awaitable<T>, options: WaitOptions<T>, signal: AbortSignal): Promise<T> {
  if (typeof what === 'function') return ask(what, signal);
  if (Symbol.asyncIterator in what) return firstOf(what, options.until ?? (() => true), signal);
  return what;
}

async function ask<T>(question: Extract<Awaitable<T>, () => unknown>, signal: AbortSignal): Promise<T> {
  while (!signal.aborted) {
    const answer = await question();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    await delay(askAgainMs);
  }
  return new Promise(() => undefined);
}

/** The stream stays open: what comes after is for others. */
async function firstOf<T>(
  items: AsyncIterable<T>,
  fits: (item: T) => boolean,
  signal: AbortSignal,
): Promise<T> {
  const iterator = items[Symbol.asyncIterator]();
  while (!signal.aborted) {
    const { value, done } = await iterator.next();
    if (done) throw new Error('the stream ended before what was waited for');
    if (fits(value)) return value;
  }
  return new Promise(() => undefined);
}
