/** Parses large JSON texts on a thread, so that the event loop only takes over small pieces of the result. */
import { Worker } from 'node:worker_threads';
import { DomainError } from '@rhizome/errors';
import { JsonAssembly, type JsonPiece } from './json-pieces.js';

/** Messages to the thread; a text is named by its number. */
export type ParserCall =
  | { readonly id: number; readonly chunk: Uint8Array }
  | { readonly id: number; readonly next: true }
  | { readonly id: number; readonly dropped: true };

/** Messages of the thread. */
export type ParserAnswer =
  { readonly id: number; readonly piece: JsonPiece } | { readonly id: number; readonly invalid: true };

/** A text on its way to the thread. */
export interface ThreadedText {
  /** Sends the next bytes; they are copied. */
  push(chunk: Uint8Array): void;
  /** The value of the text. @throws DomainError BAD_REQUEST if it is not JSON, SERVICE_UNAVAILABLE */
  parse(): Promise<unknown>;
  /** Forgets the text. */
  drop(): void;
}

interface Pending {
  readonly assembly: JsonAssembly;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Time that an idle thread is kept, in milliseconds: it holds the memory of its largest text. */
const idleMs = 10_000;
/** Heap of the thread in MiB: one large text and its value, several times over. */
const heapMiB = 2048;

/** The parser's thread, which starts with the first text and ends when it is idle. */
export class JsonParser {
  readonly #pending = new Map<number, Pending>();
  readonly #texts = new Set<number>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #id = 0;

  /** Begins a text. */
  begin(): ThreadedText {
    const id = ++this.#id;
    this.#texts.add(id);
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    const send = (call: ParserCall): void => worker.postMessage(call);
    return {
      push: (bytes) => {
        // A chunk is a view of a larger buffer, which a clone would copy whole.
        const chunk = new Uint8Array(bytes);
        worker.postMessage({ id, chunk } satisfies ParserCall, [chunk.buffer]);
      },
      parse: () =>
        new Promise((resolve, reject) => {
          if (this.#worker !== worker) return reject(threadEnded());
          this.#pending.set(id, { assembly: new JsonAssembly(), resolve, reject });
          send({ id, next: true });
        }),
      drop: () => {
        if (!this.#texts.has(id)) return;
        send({ id, dropped: true });
        this.#ended(id);
      },
    };
  }

  /** Ends the thread; texts in flight are rejected. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#fail();
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./json-thread.js', import.meta.url), {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMiB },
    });
    worker.unref();
    const gone = (): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#fail();
    };
    worker.on('message', (answer: ParserAnswer) => this.#onAnswer(worker, answer));
    worker.on('error', gone);
    worker.on('exit', gone);
    return worker;
  }

  /** One piece for each turn of the event loop: the next is requested when this one has been taken over. */
  #onAnswer(worker: Worker, answer: ParserAnswer): void {
    const pending = this.#pending.get(answer.id);
    if (!pending) return;
    if ('invalid' in answer) {
      this.#ended(answer.id);
      pending.reject(notJson());
    } else if (pending.assembly.addPiece(answer.piece)) {
      worker.postMessage({ id: answer.id, dropped: true } satisfies ParserCall);
      this.#ended(answer.id);
      pending.resolve(pending.assembly.value);
    } else worker.postMessage({ id: answer.id, next: true } satisfies ParserCall);
  }

  #ended(id: number): void {
    this.#pending.delete(id);
    this.#texts.delete(id);
    if (this.#texts.size > 0) return;
    this.#idle = setTimeout(() => {
      const worker = this.#worker;
      this.#worker = undefined;
      void worker?.terminate();
    }, idleMs);
    this.#idle.unref();
  }

  #fail(): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#texts.clear();
    for (const { reject } of pending) reject(threadEnded());
  }
}

/** The error for a body that is not JSON. */
export function notJson(): DomainError {
  return new DomainError('BAD_REQUEST', 'body: not JSON; must be a JSON object', {
    field: 'body',
    expected: 'a JSON object',
  });
}

function threadEnded(): DomainError {
  return new DomainError('SERVICE_UNAVAILABLE', 'The parser of large bodies ended; try again');
}
