import type { ClientSource, ClientStream } from './client-stream.js';
import { StreamHistory } from './stream-history.js';
import type { StreamPlan, Variables } from './stream-plan.js';
import type { CatchUp, StreamEnd, StreamEvent, StreamRequest } from './types.js';
import type { Upstream, UpstreamSink } from './upstream.js';

/** Options of {@link SharedStream}. */
export interface SharedStreamOptions {
  readonly key: string;
  readonly plan: StreamPlan;
  readonly variables: Variables;
  readonly scope: string;
  /** True if the scope names a subject. */
  readonly perPrincipal: boolean;
  /** True if only the first message of the upstream is complete. */
  readonly incremental: boolean;
  /** True if a client that has fallen off the buffer continues from its cursor instead of being ended. */
  readonly resumesSlowConsumers: boolean;
  readonly bufferedEvents: number;
  readonly bufferedCharacters: number;
  /** Cursor to start after; undefined: the present. */
  readonly cursor: string | undefined;
  readonly openUpstream: (shared: SharedStream, sink: UpstreamSink, cursor: string | undefined) => Upstream;
  readonly openCatchUp: (shared: SharedStream, client: ClientStream, cursor: string | undefined) => void;
  readonly delivered: (listeners: number) => void;
  /** Called once, when the last client has left or the upstream has ended. */
  readonly gone: (shared: SharedStream) => void;
}

/**
 * One upstream for all clients with the same subscription and the same permissions. Clients join and leave at
 * any time; it ends with the last of them.
 */
export class SharedStream implements UpstreamSink, ClientSource {
  readonly options: SharedStreamOptions;
  readonly history: StreamHistory;
  readonly #clients = new Set<ClientStream>();
  readonly #expected = new Map<string, Set<CatchUp>>();
  readonly #upstream: Upstream;
  readonly #waiting = new Set<ClientStream>();
  #cursor: string | undefined;
  /**
   * True if the end of the history is the present; a stream that was opened after an old cursor may still be
   * catching up.
   */
  isLive: boolean;
  #ended: { why: StreamEnd; last: StreamEvent | undefined } | undefined;

  constructor(options: SharedStreamOptions) {
    this.options = options;
    this.isLive = options.cursor === undefined;
    this.history = new StreamHistory(options.bufferedEvents, options.bufferedCharacters, options.cursor);
    this.#upstream = options.openUpstream(this, this, options.cursor);
  }

  get resumesSlowConsumers(): boolean {
    return this.options.resumesSlowConsumers;
  }

  openCatchUp(client: ClientStream, cursor: string): void {
    this.options.openCatchUp(this, client, cursor);
  }

  /** Set when the upstream has ended; the events in the history may still be read. */
  get ended(): { readonly why: StreamEnd; readonly last: StreamEvent | undefined } | undefined {
    return this.#ended;
  }

  /** True if the upstream has brought a message. */
  get hasBegun(): boolean {
    return this.history.end > 0;
  }

  get clients(): ReadonlySet<ClientStream> {
    return this.#clients;
  }

  get upstream(): Upstream {
    return this.#upstream;
  }

  /** Adds a client, after its cursor if it has one. */
  join(client: ClientStream, cursor: string | undefined): void {
    this.#clients.add(client);
    client.belongTo(this);
    if (cursor === undefined) this.#joinNow(client);
    else this.#joinAfter(client, cursor);
  }

  /** Removes the client; the stream ends with its last one. */
  leave(client: ClientStream): void {
    this.#clients.delete(client);
    this.#waiting.delete(client);
    if (this.#clients.size > 0) return;
    this.#upstream.close();
    this.options.gone(this);
  }

  /** Notifies the client of the next event. */
  wait(client: ClientStream): void {
    this.#waiting.add(client);
  }

  /** Notifies a client that is catching up as soon as this stream comes to a cursor. */
  expect(catchUp: CatchUp, cursor: string): void {
    let those = this.#expected.get(cursor);
    if (!those) this.#expected.set(cursor, (those = new Set()));
    those.add(catchUp);
  }

  forget(catchUp: CatchUp, cursor: string | undefined): void {
    if (cursor === undefined) return;
    const those = this.#expected.get(cursor);
    if (those?.delete(catchUp) && those.size === 0) this.#expected.delete(cursor);
  }

  event(event: StreamEvent): void {
    this.history.push(event);
    if (event.cursor !== undefined) this.#cursor = event.cursor;
    const { end } = this.history;
    this.options.delivered(this.#waiting.size);
    for (const client of this.#waiting) if (!client.wake(event, end)) this.#waiting.delete(client);
    const those = event.cursor === undefined ? undefined : this.#expected.get(event.cursor);
    for (const catchUp of [...(those ?? [])]) catchUp.sharedReached();
  }

  end(last: StreamEvent | undefined): void {
    this.#ended = { why: last ? 'failed' : 'complete', last };
    this.options.gone(this);
    this.#waiting.clear();
    for (const client of [...this.#clients]) if (client.hasReadAll) client.end(this.#ended.why, last);
  }

  #joinNow(client: ClientStream): void {
    const { plan, openCatchUp, variables } = this.options;
    if (!this.hasBegun && this.isLive) return client.continueAt(0);
    // Each message is complete: the newest one is the present state.
    if (!plan.resumable) return client.continueAt(Math.max(this.history.first, this.history.end - 1));
    if (!this.isLive || this.#cursor === undefined) return openCatchUp(this, client, undefined);
    const opening = plan.openingMessage(variables, this.#cursor);
    if (opening !== undefined) client.addOwn({ text: opening, cursor: this.#cursor, codes: [] });
    client.continueAt(this.history.end);
  }

  #joinAfter(client: ClientStream, cursor: string): void {
    const position = this.history.after(cursor);
    if (position === undefined) this.options.openCatchUp(this, client, cursor);
    else client.continueAt(position);
  }
}

/** The client whose token is valid for longest opens the upstream, so that it is reopened least often. */
export function longestLasting(requests: Iterable<StreamRequest>): StreamRequest | undefined {
  let best: StreamRequest | undefined;
  for (const request of requests) {
    if (!best || expiry(request) > expiry(best)) best = request;
  }
  return best;
}

/** Expiry of a request's token, in milliseconds since 1970; never without a token. */
export function expiry({ principal }: StreamRequest): number {
  return principal?.expiresAt.getTime() ?? Infinity;
}
