import type { ExecutionText } from '../engine/index.js';

/** Longest text of variables by which a read is recognised; longer ones are not shared. */
const longestVariables = 64 * 1024;

/** What a read is recognised by. */
export interface ReadKey {
  /** The document, normalised. */
  readonly document: string;
  /** The variables as they came. */
  readonly variables: Readonly<Record<string, unknown>> | null | undefined;
  /** What its principal may see. */
  readonly scope: string;
}

interface Flight {
  readonly answer: Promise<ExecutionText>;
  readonly controller: AbortController;
  waiting: number;
  isOver: boolean;
}

/** Equal reads by equal rights at the same time are one execution; it is aborted when the last of them has gone. */
export class SharedReads {
  readonly #flights = new Map<string, Map<string, Flight>>();

  /** Reads that run now. */
  get size(): number {
    let size = 0;
    for (const ofDocument of this.#flights.values()) size += ofDocument.size;
    return size;
  }

  /**
   * The answer of a read, run here or by an equal one that is on its way.
   * Rejects with the signal's reason when it aborts first.
   */
  async read(
    { document, variables, scope }: ReadKey,
    signal: AbortSignal | undefined,
    execute: (signal: AbortSignal) => Promise<ExecutionText>,
  ): Promise<{ readonly answer: ExecutionText; readonly shared: boolean }> {
    const text = variables ? JSON.stringify(variables) : '';
    const key = `${scope}\n${text}`;
    if (text.length > longestVariables) {
      return { answer: await execute(signal ?? new AbortController().signal), shared: false };
    }
    const running = this.#flights.get(document)?.get(key);
    const flight = running ?? this.#start(document, key, execute);
    return { answer: await this.#wait(flight, signal), shared: running !== undefined };
  }

  #start(document: string, key: string, execute: (signal: AbortSignal) => Promise<ExecutionText>): Flight {
    const controller = new AbortController();
    const answer = execute(controller.signal);
    const flight: Flight = { answer, controller, waiting: 0, isOver: false };
    let ofDocument = this.#flights.get(document);
    if (!ofDocument) this.#flights.set(document, (ofDocument = new Map()));
    ofDocument.set(key, flight);
    const land = (): void => {
      flight.isOver = true;
      this.#forget(document, key, flight);
    };
    // Whoever comes while it is aborted must start anew.
    controller.signal.addEventListener('abort', land, { once: true });
    answer.then(land, land);
    return flight;
  }

  #forget(document: string, key: string, flight: Flight): void {
    const ofDocument = this.#flights.get(document);
    if (ofDocument?.get(key) !== flight) return;
    ofDocument.delete(key);
    if (ofDocument.size === 0) this.#flights.delete(document);
  }

  async #wait(flight: Flight, signal: AbortSignal | undefined): Promise<ExecutionText> {
    flight.waiting++;
    if (!signal) return flight.answer;
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(signal.reason as Error);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([flight.answer, aborted]);
    } finally {
      if (onAbort) signal.removeEventListener('abort', onAbort);
      flight.waiting--;
      if (flight.waiting === 0 && !flight.isOver) flight.controller.abort();
    }
  }
}
