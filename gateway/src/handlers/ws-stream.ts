import type { ExecutionText } from '@rhizome/federation';
import type { ClientStream, StreamEvent, StreamListener } from '../streams/index.js';
import type { SocketLine } from './ws-sockets.js';

/** Options of {@link StreamMessages}. */
export interface StreamMessagesOptions {
  readonly line: SocketLine;
  readonly id: string;
  /** Creates the error by which the library learns that the stream has failed. */
  readonly refused: (answer: Pick<ExecutionText, 'text'>) => Error;
  /** Called when the stream has ended. */
  readonly ended: (stream: ClientStream) => void;
}

/**
 * A stream as the protocol library follows it: to the library it has no item, only an end. Its events go to
 * the socket in the call that produces them: a promise for each event and each of thousands of clients would
 * dominate the cost.
 */
export class StreamMessages implements AsyncIterableIterator<never>, StreamListener {
  readonly #stream: ClientStream;
  readonly #line: SocketLine;
  /** As JSON. */
  readonly #id: string;
  readonly #refused: (answer: Pick<ExecutionText, 'text'>) => Error;
  readonly #ended: (stream: ClientStream) => void;
  #resolve: ((end: IteratorResult<never, undefined>) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(stream: ClientStream, { line, id, refused, ended }: StreamMessagesOptions) {
    this.#stream = stream;
    this.#line = line;
    this.#id = JSON.stringify(id);
    this.#refused = refused;
    this.#ended = ended;
  }

  event(event: StreamEvent): boolean {
    if (event.last) {
      this.#reject?.(this.#refused(event));
      return true;
    }
    try {
      const drained = this.#line.sendNext(this.#id, event.text);
      if (!drained) return true;
      void drained.then(() => this.#stream.resume());
    } catch (error) {
      this.#reject?.(error);
      void this.#stream.return();
    }
    return false;
  }

  end(): void {
    this.#ended(this.#stream);
    this.#resolve?.({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<never, undefined>> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#stream.listen(this);
    });
  }

  /** A client that leaves with thousands of streams ends them in turn with the work of others. */
  return(): Promise<IteratorResult<never, undefined>> {
    return new Promise((resolve, reject) => {
      this.#line.inTurn(() => {
        this.#stream.return().then(() => resolve({ done: true, value: undefined }), reject);
      });
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
