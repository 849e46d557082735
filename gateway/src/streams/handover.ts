import type { ExecutionText, Subscribing } from '@rhizome/federation';

type Source = AsyncIterator<ExecutionText>;
type Next = Promise<IteratorResult<ExecutionText, unknown>>;

/** A subscription that was opened while its predecessor still runs. */
export interface Prepared {
  readonly turn: AbortController;
  readonly opened: Subscribing;
  /** Messages from it that clients have not received yet. */
  readonly came: ExecutionText[];
  /** The message that was requested last. */
  readonly next?: Next | undefined;
}

/** Milliseconds after which a subscription without messages counts as open. */
const silentMs = 5000;
/** Milliseconds that the old subscription has to bring a message that the new one brought first. */
const graceMs = 250;
/** Number of messages of the old subscription that are compared. */
const compared = 1000;

/**
 * Finds the point at which a new subscription of a field without cursors continues the old one. Both run for
 * a moment. If both bring the same events, the point is the first message that both have brought. If the new
 * one begins with the present state, that state is the point.
 */
export class Handover {
  readonly #incremental: boolean;
  readonly #endOld: () => void;
  readonly #passed: string[] = [];
  readonly #came: ExecutionText[] = [];
  #isFound = false;
  #onFound: () => void = () => undefined;

  /** `endOld` stops the old subscription immediately. */
  constructor(incremental: boolean, endOld: () => void) {
    this.#incremental = incremental;
    this.#endOld = endOld;
  }

  /** Records a message that clients received from the old subscription. */
  passed({ text }: ExecutionText): void {
    const at = this.#came.findIndex((event) => event.text === text);
    if (at >= 0) {
      this.#came.splice(0, at + 1);
      return this.#found();
    }
    this.#passed.push(text);
    if (this.#passed.length > compared) this.#passed.shift();
  }

  /** Reads the new subscription up to the point. */
  async find(events: Source): Promise<Pick<Prepared, 'came' | 'next'>> {
    const found = new Promise<undefined>((resolve) => (this.#onFound = () => resolve(undefined)));
    let timer = setTimeout(() => this.#found(), silentMs);
    let next = events.next();
    while (!this.#isFound) {
      const item = await Promise.race([next, found]);
      // The reader handles the end and errors.
      if (!item || item.done || item.value.lost !== undefined) break;
      next = events.next();
      this.#match(item.value);
      if (this.#came.length !== 1) continue;
      clearTimeout(timer);
      timer = setTimeout(() => this.#found(), graceMs);
    }
    clearTimeout(timer);
    this.#found();
    return { came: this.#came, next };
  }

  #match(event: ExecutionText): void {
    // The point was found while this message was on its way.
    if (this.#isFound) return void this.#came.push(event);
    const at = this.#passed.lastIndexOf(event.text);
    if (at < 0) this.#came.push(event);
    if (at < 0 ? this.#incremental : at === this.#passed.length - 1) this.#found();
  }

  #found(): void {
    if (this.#isFound) return;
    this.#isFound = true;
    this.#endOld();
    this.#onFound();
  }
}
