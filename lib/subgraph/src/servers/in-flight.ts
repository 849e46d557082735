import { fulfilsWithin } from '@rhizome/retry';

/** Counts running work and resolves when there is none. */
export class InFlight {
  #count = 0;
  #idle: (() => void)[] = [];

  /** Number of running pieces of work. */
  get count(): number {
    return this.#count;
  }

  enter(): void {
    this.#count += 1;
  }

  leave(): void {
    this.#count -= 1;
    if (this.#count > 0) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }

  /** Counts until the promise is settled. */
  during<T>(work: Promise<T>): Promise<T> {
    this.enter();
    return work.finally(() => this.leave());
  }

  /** Resolves when nothing runs, or after `withinMs`; true if nothing runs. */
  async idle(withinMs: number): Promise<boolean> {
    if (this.#count === 0) return true;
    await fulfilsWithin(new Promise<void>((resolve) => this.#idle.push(resolve)), withinMs);
    return this.#count === 0;
  }
}
