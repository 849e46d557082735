import type { ClientStream } from './client-stream.js';
import type { StreamEvent, StreamRequest } from './types.js';
import type { Upstream, UpstreamSink } from './upstream.js';

/** Successor of an upstream from the present, once that has received its first cursor. */
export interface Continuation extends UpstreamSink {
  readonly cursor: string;
  readonly isClosed: boolean;
  requests(): Iterable<StreamRequest>;
}

/**
 * One upstream from the present for all clients that begin now, while the shared stream is still catching up
 * itself. It serves them until its first cursor is known.
 */
export class PresentUpstream implements UpstreamSink {
  /** It starts at the present. */
  readonly cursor = undefined;
  readonly #clients = new Set<ClientStream>();
  readonly #proceed: (
    clients: ClientStream[],
    cursor: string,
    upstream: Upstream,
  ) => Continuation | undefined;
  #upstream: Upstream | undefined;
  #continuation: Continuation | undefined;
  #isClosed = false;

  /** `proceed` takes over the clients and the upstream at the first cursor. */
  constructor(
    proceed: (clients: ClientStream[], cursor: string, upstream: Upstream) => Continuation | undefined,
  ) {
    this.#proceed = proceed;
  }

  /** Its successor; undefined before its first cursor. */
  get continuation(): Continuation | undefined {
    return this.#continuation;
  }

  /** True if no client can join it any more. */
  get isClosed(): boolean {
    return this.#isClosed || (this.#continuation?.isClosed ?? false);
  }

  *requests(): Generator<StreamRequest> {
    if (this.#continuation) yield* this.#continuation.requests();
    else for (const { request } of this.#clients) yield request;
  }

  /** The upstream that feeds it; set once. */
  feedBy(upstream: Upstream): void {
    if (this.#isClosed) upstream.close();
    else this.#upstream = upstream;
  }

  /** Adds a client before the first cursor. */
  addClient(client: ClientStream): void {
    this.#clients.add(client);
    const nothing = (): void => undefined;
    client.catchUpBy({ sharedReached: nothing, drained: nothing, close: () => this.#leave(client) });
  }

  event(event: StreamEvent): void | Promise<void> {
    if (this.#continuation) return this.#continuation.event(event);
    if (this.#isClosed) return;
    for (const client of this.#clients) client.addOwn(event);
    if (event.cursor === undefined || !this.#upstream) return;
    const clients = [...this.#clients];
    this.#clients.clear();
    this.#continuation = this.#proceed(clients, event.cursor, this.#upstream);
    this.#isClosed = this.#continuation === undefined;
  }

  end(last: StreamEvent | undefined): void {
    if (this.#continuation) return this.#continuation.end(last);
    this.#isClosed = true;
    for (const client of [...this.#clients]) client.end(last ? 'failed' : 'complete', last);
  }

  #leave(client: ClientStream): void {
    if (!this.#clients.delete(client) || this.#clients.size > 0) return;
    this.#isClosed = true;
    this.#upstream?.close();
  }
}
