/**
 * Turns of the event loop for pieces of work that take a millisecond or more. Each turn is given to one of those who wait, and everything
 * else that is ready goes between: many new operations at once then hold up nobody for longer than one of their pieces.
 */
class Turns {
  readonly #waiting: (() => void)[] = [];

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(this.#give);
    });
  }

  readonly #give = (): void => {
    const turn = this.#waiting.shift();
    // What is set up by an immediate runs after the loop has gone round once.
    if (this.#waiting.length > 0) setImmediate(this.#give);
    turn?.();
  };
}

/** There is one event loop. */
export const turns = new Turns();

/** Work in many small steps, that goes on for a moment before it lets others in. */
export class SteppedWork {
  readonly #turnMs: number;
  #started = performance.now();

  constructor(turnMs: number) {
    this.#turnMs = turnMs;
  }

  /** Between two steps: waits for another turn where this one has lasted long enough. */
  async step(): Promise<void> {
    if (performance.now() - this.#started < this.#turnMs) return;
    await turns.next();
    this.#started = performance.now();
  }
}
