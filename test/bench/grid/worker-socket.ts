/**
 * The socket of one worker: its calls, its commands and the renewals of its credential, as the client
 * library of the pilot sends them. It keeps as little as it can: there are thousands in a process.
 */
import type { ProofKey } from '@rhizome/client';
import { WebSocket } from 'ws';

/** Where and how a socket is opened. */
export interface SocketOptions {
  /** `ws://…/graphql` */
  readonly url: string;
  readonly localAddress: string;
  readonly key: ProofKey;
  readonly token: string;
  /** Called with the payload of each message of a stream; undefined at its end. */
  readonly onStream: (payload: Answer | undefined) => void;
  /** Called once when the socket has closed after it was accepted. */
  readonly onClose: () => void;
}

/** An answer as it came. */
export interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly { readonly message: string }[];
}

interface Message {
  readonly id?: string;
  readonly type: string;
  readonly payload?: unknown;
}

interface Call {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** The stream of a worker; calls have numbers. */
const streamId = 'c';
const client = { 'graphql-client-name': 'rhizome-pilot', 'graphql-client-version': 'bench' };

/** An open socket. */
export class WorkerSocket {
  readonly #socket: WebSocket;
  readonly #options: SocketOptions;
  readonly #calls = new Map<string, Call>();
  #next = 0;
  #accepted: Call | undefined;
  #isAccepted = false;
  #renewed: Call | undefined;

  private constructor(options: SocketOptions) {
    const { url, localAddress, token } = options;
    this.#options = options;
    this.#socket = new WebSocket(url, 'graphql-transport-ws', {
      localAddress,
      perMessageDeflate: false,
      handshakeTimeout: 60_000,
      headers: { authorization: `DPoP ${token}` },
    });
    this.#socket.on('open', () =>
      this.#send({ type: 'connection_init', payload: { ...client, ...this.#proven(token) } }),
    );
    this.#socket.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString('utf8')) as Message));
    this.#socket.on('error', () => undefined);
    this.#socket.once('close', (code, reason) => {
      this.#end(new Error(`socket closed: ${code} ${String(reason)}`));
      if (this.#isAccepted) this.#options.onClose();
    });
  }

  /** Opens a socket; resolves when it is accepted. */
  static async open(options: SocketOptions): Promise<WorkerSocket> {
    const opened = new WorkerSocket(options);
    await new Promise<unknown>((resolve, reject) => (opened.#accepted = { resolve, reject }));
    return opened;
  }

  /** Runs a mutation. */
  async call<T>(query: string, variables: object): Promise<T> {
    const id = String((this.#next += 1));
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#send({ id, type: 'subscribe', payload: { query, variables } });
    });
    if (answer.errors?.[0]) throw new Error(answer.errors[0].message);
    return answer.data as T;
  }

  /** Follows a stream, of which a socket has one. */
  follow(query: string, variables: object): void {
    this.#send({ id: streamId, type: 'subscribe', payload: { query, variables } });
  }

  /** Continues with another token of the worker. */
  async renew(token: string): Promise<void> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#renewed = { resolve, reject };
      this.#send({ type: 'ping', payload: this.#proven(token) });
    });
    if (!('expiresAt' in answer)) throw new Error(`token not accepted: ${JSON.stringify(answer)}`);
  }

  close(): void {
    this.#socket.terminate();
  }

  #proven(token: string): Record<string, string> {
    const { key, url } = this.#options;
    return { authorization: `DPoP ${token}`, dpop: key.proof({ method: 'GET', url, token }) };
  }

  #send(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
    else this.#end(new Error('the socket is not open'));
  }

  #take({ id, type, payload }: Message): void {
    if (type === 'connection_ack') {
      this.#isAccepted = true;
      return this.#accepted?.resolve({});
    }
    if (type === 'ping') return this.#send({ type: 'pong' });
    if (type === 'pong') return this.#renewed?.resolve(payload as Answer);
    if (id === undefined) return;
    const answer = type === 'error' ? { errors: payload as Answer['errors'] } : (payload as Answer);
    if (id === streamId) return this.#options.onStream(type === 'next' ? (payload as Answer) : undefined);
    if (type === 'complete') return;
    this.#calls.get(id)?.resolve(answer as Answer);
    this.#calls.delete(id);
  }

  #end(error: Error): void {
    for (const call of [this.#accepted, this.#renewed, ...this.#calls.values()]) call?.reject(error);
    this.#calls.clear();
  }
}
