/**
 * Queue for pieces of work that take a millisecond or more. Each round of the event loop runs one of them,
 * and everything else that is ready runs in between: many new operations at once delay others by at most the
 * time of one piece.
 */
class EventLoopQueue {
  readonly #waiting: (() => void)[] = [];

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(this.#runNext);
    });
  }

  readonly #runNext = (): void => {
    const resolve = this.#waiting.shift();
    // An immediate that is set by an immediate runs in the next round of the loop.
    if (this.#waiting.length > 0) setImmediate(this.#runNext);
    resolve?.();
  };
}

/** Single queue of the process, which has one event loop. */
const queue = new EventLoopQueue();

/** Resolves in a later round of the event loop, which no other caller shares. */
export function yieldToEventLoop(): Promise<void> {
  return queue.next();
}

/** Work in many small steps that yields to the event loop after some time. */
export class SteppedWork {
  readonly #sliceMs: number;
  #started = performance.now();

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  /** Called between two steps; yields if the current slice has lasted long enough. */
  async step(): Promise<void> {
    if (performance.now() - this.#started < this.#sliceMs) return;
    await yieldToEventLoop();
    this.#started = performance.now();
  }
}
