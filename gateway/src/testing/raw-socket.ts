import { waitFor } from '@rhizome/testkit';
import { WebSocket } from 'ws';

/** A message of graphql-transport-ws. */
export interface RawMessage {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** A WebSocket on which a test speaks the protocol by hand. */
export class RawSocket {
  readonly #socket: WebSocket;
  readonly messages: RawMessage[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #arrived: () => void = () => undefined;
  #isOpen = true;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        this.#isOpen = false;
        this.#arrived();
        resolve({ code, reason: String(reason) });
      });
    });
    socket.on('error', () => undefined);
    socket.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)) as RawMessage);
      this.#arrived();
    });
  }

  static async open(
    url: string,
    options: { readonly protocol?: string | null; readonly headers?: Record<string, string> } = {},
  ): Promise<RawSocket> {
    const { protocol = 'graphql-transport-ws', headers } = options;
    const socket = new WebSocket(url, protocol === null ? [] : [protocol], { headers });
    const raw = new RawSocket(socket);
    await waitFor(
      'an open socket',
      new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject)),
      { deadlineMs: 2000 },
    );
    return raw;
  }

  /** Opens a socket and sends `connection_init`. */
  static async ready(url: string, headers: Record<string, string>): Promise<RawSocket> {
    const raw = await RawSocket.open(url);
    raw.send({ type: 'connection_init', payload: headers });
    await raw.next('connection_ack');
    return raw;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  send(message: RawMessage | string): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables?: Record<string, unknown>): void {
    this.send({ id, type: 'subscribe', payload: { query, ...(variables ? { variables } : {}) } });
  }

  /** The next unread message, of a type or for an operation if those are given. */
  async next(type?: string, id?: string): Promise<RawMessage> {
    const fits = (message: RawMessage): boolean =>
      (type === undefined || message.type === type) && (id === undefined || message.id === id);
    const arrived = async (): Promise<RawMessage> => {
      for (;;) {
        const at = this.messages.findIndex(fits);
        if (at >= 0) return this.messages.splice(at, 1)[0] as RawMessage;
        if (!this.#isOpen) throw new Error(`Socket closed before a message of type ${type ?? 'any'} arrived`);
        await new Promise<void>((resolve) => (this.#arrived = resolve));
      }
    };
    return waitFor(`a message of type ${type ?? 'any'}`, arrived(), { deadlineMs: 2000 });
  }

  /** Stops reading from the network, like a client that hangs. */
  stall(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Drops the TCP connection. */
  drop(): void {
    this.#socket.terminate();
  }

  close(): void {
    this.#socket.close();
  }
}
