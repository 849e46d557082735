import type { Engine } from '@rhizome/federation';

/** Holds the engine of now. Who needs it for longer than a moment borrows it, so that a swap waits for the end. */
export class EngineHolder {
  #current: Held;
  readonly #retiring = new Set<Promise<void>>();

  constructor(engine: Engine) {
    this.#current = new Held(engine);
  }

  /** The engine that new work goes to. */
  get current(): Engine {
    return this.#current.engine;
  }

  /** Runs work on the engine of now; that is closed after the work only. */
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
   * Makes another engine the one of now. `moved` runs after that and before the old one is closed: it takes away what
   * has been left on it. Resolves when the old engine has ended its work and is closed.
   */
  async swap(engine: Engine, moved: () => void | Promise<void>): Promise<void> {
    const old = this.#current;
    this.#current = new Held(engine);
    await this.#retire(old, moved());
  }

  /** Closes the engine of now, after those that are still retiring. */
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
