import { waitFor } from '@rhizome/testkit';
import { WebSocket } from 'ws';

/** One stream of a {@link Watcher}, with everything it has received. */
export interface Watched {
  /** The cursors of its events in order of arrival, starting with the opening message's. */
  readonly cursors: string[];
  /** The payload of the message that ended it; undefined while it is open. */
  ended: unknown;
}

/** A client with many streams on one WebSocket that keeps only the cursors: hundreds fit into a test. */
export class Watcher {
  readonly streams: readonly Watched[];
  readonly #socket: WebSocket;
  #awaited = new Map<string, () => void>();
  #isClosed = false;

  private constructor(socket: WebSocket, streams: readonly Watched[]) {
    this.#socket = socket;
    this.streams = streams;
    socket.on('error', () => undefined);
    socket.once('close', () => (this.#isClosed = true));
    socket.on('message', (data) => this.#receive(String(data)));
  }

  /** Connects with a token and opens the streams; resolves when each has its first message. */
  static async open(
    url: string,
    headers: Readonly<Record<string, string>>,
    queries: readonly { readonly query: string; readonly variables?: Readonly<Record<string, unknown>> }[],
  ): Promise<Watcher> {
    const socket = new WebSocket(url, ['graphql-transport-ws']);
    const watcher = new Watcher(
      socket,
      queries.map(() => ({ cursors: [], ended: undefined })),
    );
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const acknowledged = new Promise<void>((resolve) => watcher.#awaited.set('ack', resolve));
    socket.send(JSON.stringify({ type: 'connection_init', payload: headers }));
    await waitFor('the acknowledgement', acknowledged, { deadlineMs: 10_000 });
    const opened = queries.map(
      (_, id) => new Promise<void>((resolve) => watcher.#awaited.set(String(id), resolve)),
    );
    queries.forEach((payload, id) =>
      socket.send(JSON.stringify({ id: String(id), type: 'subscribe', payload })),
    );
    await waitFor('the first message of each stream', Promise.all(opened), { deadlineMs: 20_000 });
    return watcher;
  }

  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /** True if all streams have reached a cursor. */
  hasSeen(cursor: string): boolean {
    return this.streams.every(({ cursors }) => cursors.at(-1) === cursor);
  }

  drop(): void {
    this.#socket.terminate();
  }

  #receive(text: string): void {
    const { type, id = '', payload } = JSON.parse(text) as { type: string; id?: string; payload?: unknown };
    if (type === 'connection_ack') this.#awaited.get('ack')?.();
    const stream = this.streams[Number(id)];
    if (!stream || type === 'connection_ack' || type === 'ping') return;
    const cursor = /"cursor":"([^"]+)"/.exec(text)?.[1];
    if (type === 'next' && cursor !== undefined) stream.cursors.push(cursor);
    else stream.ended ??= payload ?? type;
    this.#awaited.get(id)?.();
    this.#awaited.delete(id);
  }
}
