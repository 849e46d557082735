import type { Engine } from '@rhizome/federation';

/** Holds the current engine. Long-running work borrows it, so that a swap waits until the work ends. */
export class EngineHolder {
  #current: Held;
  readonly #retiring = new Set<Promise<void>>();

  constructor(engine: Engine) {
    this.#current = new Held(engine);
  }

  /** The engine for new work. */
  get current(): Engine {
    return this.#current.engine;
  }

  /** Runs work on the current engine, which is closed only after the work. */
  async borrow<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const held = this.#current;
    held.enter();
    try {
      return await work(held.engine);
    } finally {
      held.leave();
    }
  }

  /**
   * Replaces the current engine. `moved` runs after that and before the old engine is closed: it moves the
   * work that is left on it. Resolves when the old engine has ended its work and is closed.
   */
  async swap(engine: Engine, moved: () => void | Promise<void>): Promise<void> {
    const old = this.#current;
    this.#current = new Held(engine);
    await this.#retire(old, moved());
  }

  /** Closes the current engine, after those that are still retiring. */
  async close(): Promise<void> {
    await Promise.all([...this.#retiring, this.#retire(this.#current, undefined)]);
  }

  #retire(held: Held, moved: void | Promise<void>): Promise<void> {
    const retired = Promise.resolve(moved)
      .then(() => held.idle())
      .then(() => held.engine.close());
    this.#retiring.add(retired);
    return retired.finally(() => this.#retiring.delete(retired));
  }
}

class Held {
  readonly engine: Engine;
  #borrowed = 0;
  #onIdle: (() => void) | undefined;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  enter(): void {
    this.#borrowed++;
  }

  leave(): void {
    this.#borrowed--;
    if (this.#borrowed === 0) this.#onIdle?.();
  }

  idle(): Promise<void> {
    return this.#borrowed === 0 ? Promise.resolve() : new Promise((resolve) => (this.#onIdle = resolve));
  }
}
