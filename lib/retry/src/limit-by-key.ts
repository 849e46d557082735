interface Line {
  running: number;
  /** Actions that wait, in the order of the calls. */
  readonly waiting: Set<() => void>;
}

/** Runs a limited number of actions with the same key at once; the others wait, in the order of the calls. */
export class LimitByKey {
  readonly #most: number;
  /** Keys with running actions. */
  readonly #lines = new Map<string, Line>();

  /** @param most actions with the same key that run at once, at least 1 */
  constructor(most: number) {
    this.#most = most;
  }

  /** @throws the signal's reason, if it aborts before the action begins */
  async run<T>(key: string, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
    await this.#enter(key, signal);
    try {
      return await action();
    } finally {
      this.#leave(key);
    }
  }

  async #enter(key: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const line = this.#lines.get(key) ?? { running: 0, waiting: new Set() };
    this.#lines.set(key, line);
    if (line.running < this.#most) {
      line.running += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        line.waiting.delete(begin);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      line.waiting.add(begin);
    });
  }

  /** The next one takes the place, so that nobody overtakes it. */
  #leave(key: string): void {
    const line = this.#lines.get(key);
    if (!line) return;
    const [next] = line.waiting;
    if (next) {
      line.waiting.delete(next);
      next();
      return;
    }
    line.running -= 1;
    if (line.running === 0) this.#lines.delete(key);
  }
}
