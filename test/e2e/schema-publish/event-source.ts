/** Numbered events that can be followed from any place. */

/** One message of a stream: an event, or the first one, which carries the place alone. */
export interface SourceEvent {
  readonly cursor: string;
  readonly number: number | null;
}

/** Events 1, 2, 3 … */
export class EventSource {
  #last = 0;
  readonly #waiting = new Set<() => void>();

  /** The number of the newest event; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** One more event. */
  append(): void {
    this.#last++;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Everything after a cursor, or from now on. */
  follow(after: string | undefined): AsyncIterableIterator<SourceEvent> {
    let next = after === undefined ? this.#last + 1 : Number(after.slice(1)) + 1;
    let isOpened = false;
    let isOver = false;
    let wake: () => void = () => undefined;
    const stream: AsyncIterableIterator<SourceEvent> = {
      [Symbol.asyncIterator]: () => stream,
      next: async () => {
        if (!isOpened) {
          isOpened = true;
          return { done: false, value: { cursor: `c${next - 1}`, number: null } };
        }
        while (!isOver && next > this.#last) {
          await new Promise<void>((resolve) => this.#waiting.add((wake = resolve)));
        }
        if (isOver) return { done: true, value: undefined };
        const number = next++;
        return { done: false, value: { cursor: `c${number}`, number } };
      },
      return: async () => {
        isOver = true;
        this.#waiting.delete(wake);
        wake();
        return { done: true, value: undefined };
      },
    };
    return stream;
  }
}
