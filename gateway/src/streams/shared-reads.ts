import { DomainError } from '@rhizome/errors';
import { type CallEnd, Cancellation, type ExecutionText } from '@rhizome/federation';

/** Maximum number of characters of variables for a read to be shared. */
const longestVariables = 64 * 1024;

/** Identity of a read. */
export interface ReadKey {
  /** The document, normalised. */
  readonly document: string;
  /** The variables as received. */
  readonly variables: Readonly<Record<string, unknown>> | null | undefined;
  /** Permission scope of the principal. */
  readonly scope: string;
}

interface Flight {
  readonly answer: Promise<ExecutionText>;
  readonly cancellation: Cancellation;
  waiting: number;
  isOver: boolean;
}

/**
 * Executes concurrent equal reads with equal permissions once, and aborts the execution when its last reader
 * has gone. A client that has changed something reads its change: a read that began before a change ended
 * accepts no new readers.
 */
export class SharedReads {
  readonly #flights = new Map<string, Map<string, Flight>>();

  /** Running reads that accept new readers. */
  get size(): number {
    let size = 0;
    for (const ofDocument of this.#flights.values()) size += ofDocument.size;
    return size;
  }

  /**
   * Executes a read, or joins an equal one that is running; `shared` says which.
   * Rejects with the reason of the reader's end if that comes first.
   */
  read(
    { document, variables, scope }: ReadKey,
    end: CallEnd,
    execute: Execute,
  ): { readonly answer: Promise<ExecutionText>; readonly shared: boolean } {
    const text = variables ? JSON.stringify(variables) : '';
    const key = `${scope}\n${text}`;
    if (text.length > longestVariables) return { answer: alone(end, execute), shared: false };
    const running = this.#flights.get(document)?.get(key);
    const flight = running ?? this.#start(document, key, execute);
    return { answer: this.#wait(flight, end, document, key), shared: running !== undefined };
  }

  /** Closes the running reads to new readers, because something was changed. */
  closeToNewReaders(): void {
    this.#flights.clear();
  }

  #start(document: string, key: string, execute: Execute): Flight {
    const cancellation = new Cancellation();
    const flight: Flight = { answer: execute(cancellation), cancellation, waiting: 0, isOver: false };
    let ofDocument = this.#flights.get(document);
    if (!ofDocument) this.#flights.set(document, (ofDocument = new Map()));
    ofDocument.set(key, flight);
    const land = (): void => this.#land(document, key, flight);
    flight.answer.then(land, land);
    return flight;
  }

  #land(document: string, key: string, flight: Flight): void {
    flight.isOver = true;
    const ofDocument = this.#flights.get(document);
    if (ofDocument?.get(key) !== flight) return;
    ofDocument.delete(key);
    if (ofDocument.size === 0) this.#flights.delete(document);
  }

  #wait(flight: Flight, end: CallEnd, document: string, key: string): Promise<ExecutionText> {
    flight.waiting++;
    return new Promise((resolve, reject) => {
      const leave = end.onCancel((reason) => {
        reject(reason as Error);
        flight.waiting--;
        if (flight.waiting > 0 || flight.isOver) return;
        // A reader that comes during the cancellation must start a new execution.
        this.#land(document, key, flight);
        flight.cancellation.cancel(
          new DomainError('REQUEST_CANCELLED', 'The request was cancelled; no client waits for it'),
        );
      });
      if (end.isCancelled) return;
      flight.answer.then(
        (answer) => {
          leave();
          resolve(answer);
        },
        (error: unknown) => {
          leave();
          reject(error as Error);
        },
      );
    });
  }
}

type Execute = (cancellation: Cancellation) => Promise<ExecutionText>;

/** A read that is not shared ends with its only reader. */
function alone(end: CallEnd, execute: Execute): Promise<ExecutionText> {
  const cancellation = new Cancellation();
  const leave = end.onCancel((reason) => cancellation.cancel(reason));
  return execute(cancellation).finally(leave);
}
