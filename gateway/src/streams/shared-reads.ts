import { DomainError } from '@rhizome/errors';
import { type CallEnd, Cancellation, type ExecutionText } from '@rhizome/federation';

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
  readonly cancellation: Cancellation;
  waiting: number;
  isOver: boolean;
}

/**
 * Equal reads by equal rights at the same time are one execution; it is aborted when the last of them has gone. Whoever has changed something
 * here reads it afterwards: a read that began before a change ended is joined no more.
 */
export class SharedReads {
  readonly #flights = new Map<string, Map<string, Flight>>();

  /** Reads that run now and can be joined. */
  get size(): number {
    let size = 0;
    for (const ofDocument of this.#flights.values()) size += ofDocument.size;
    return size;
  }

  /**
   * The answer of a read, run here or by an equal one that is on its way, which is what `shared` tells.
   * Rejects with the reason of the reader's end when that comes first.
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

  /** Something was changed: reads that come from now on join none that began before. */
  startAnew(): void {
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
        // Whoever comes while it is cancelled must start anew.
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

/** A read that nobody shares ends with its only reader. */
function alone(end: CallEnd, execute: Execute): Promise<ExecutionText> {
  const cancellation = new Cancellation();
  const leave = end.onCancel((reason) => cancellation.cancel(reason));
  return execute(cancellation).finally(leave);
}
