import { DomainError } from '@rhizome/errors';
import { type Client, CloseCode, createClient, type SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { SubgraphRequest, SubgraphResult, SubgraphStream, Transport } from '@rhizome/federation';
import { PushQueue } from '@rhizome/subgraph';
import { tokenOf, type TokenFor } from './call-token.js';
import type { EndpointPolicy } from './endpoint-policy.js';
import { readSubgraphErrors, readSubgraphResult } from './answer.js';

/** WebSocket settings for the subscriptions of one subgraph. */
export interface WebSocketOptions {
  readonly subgraph: string;
  /** A ws: or wss: address. */
  readonly url: string;
  /** Milliseconds between pings. Default 10,000. */
  readonly pingIntervalMs?: number | undefined;
  /** Milliseconds that a pong may take before the socket counts as dead. Default 5,000. */
  readonly pongTimeoutMs?: number | undefined;
  /** Milliseconds that an unused socket is kept. Default 1,000. */
  readonly idleMs?: number | undefined;
  /** Events held for a stream that is slower than its upstream. Default 1,024. */
  readonly queueBound?: number | undefined;
  /** Streams of all scopes together for which one socket is used before another is opened. Default 1,000. */
  readonly streamsPerSocket?: number | undefined;
  /** Gives the call token for a principal, when a socket is opened; without it sockets carry none. */
  readonly tokenFor?: TokenFor | undefined;
  /** Addresses that may be called; default: all. */
  readonly endpoints?: EndpointPolicy | undefined;
}

/** The WebSocket half of a transport. */
export interface WebSocketSubscriptions extends Pick<Transport, 'subscribe' | 'close'> {
  /** Number of open sockets. */
  readonly sockets: number;
}

/**
 * Subscriptions by graphql-transport-ws. A subgraph that accepts a token for each operation gets the streams
 * of many scopes over one socket, any other one a socket for each scope. Pings detect dead sockets. When a
 * socket is lost its streams fail with a retryable DomainError, and the next subscription opens another:
 * only the owner of a stream knows the cursor to continue from.
 */
export function createWebSocketSubscriptions(options: WebSocketOptions): WebSocketSubscriptions {
  const pool = new SocketPool(withDefaults(options));
  return {
    get sockets() {
      return pool.size;
    },
    subscribe: (request) => pool.socketFor(request.scope).subscribe(request),
    close: () => pool.close(),
  };
}

/** The sockets to one subgraph. */
class SocketPool {
  readonly #options: Settings;
  readonly #sockets = new Set<SubgraphSocket>();
  readonly #byScope = new Map<string, SubgraphSocket>();
  /** True if the subgraph accepted a token for each operation when it was connected last. */
  #accepts = false;
  /** The socket that takes further streams of all scopes. */
  #shared: SubgraphSocket | undefined;

  constructor(options: Settings) {
    this.#options = options;
  }

  get size(): number {
    return this.#sockets.size;
  }

  socketFor(scope: string): SubgraphSocket {
    const own = this.#byScope.get(scope);
    if (own) return own;
    if (!this.#accepts) return this.#make(scope);
    const isFull = this.#shared && this.#shared.size >= this.#options.streamsPerSocket;
    if (!this.#shared || isFull) this.#shared = this.#make(undefined);
    return this.#shared;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sockets].map((socket) => socket.close()));
  }

  /** @param scope the only one of the socket; undefined for all */
  #make(scope: string | undefined): SubgraphSocket {
    const made = new SubgraphSocket(this.#options, {
      isShared: scope === undefined,
      onAck: (accepts) => (this.#accepts = accepts),
      onUnused: () => {
        this.#sockets.delete(made);
        if (scope !== undefined && this.#byScope.get(scope) === made) this.#byScope.delete(scope);
        if (this.#shared === made) this.#shared = undefined;
      },
    });
    this.#sockets.add(made);
    if (scope !== undefined) this.#byScope.set(scope, made);
    return made;
  }
}

/** Ports of a socket in its pool. */
interface SocketUse {
  /** True for a socket whose operations carry a token each. */
  readonly isShared: boolean;
  /** Called with each `connection_ack`: true if the subgraph accepts a token for each operation. */
  readonly onAck: (acceptsOperationTokens: boolean) => void;
  readonly onUnused: () => void;
}

const defaults = {
  pingIntervalMs: 10_000,
  pongTimeoutMs: 5_000,
  idleMs: 1_000,
  queueBound: 1_024,
  streamsPerSocket: 1_000,
};
const ackTimeoutMs = 10_000;

type Settings = WebSocketOptions & typeof defaults;

function withDefaults(options: WebSocketOptions): Settings {
  return {
    ...options,
    pingIntervalMs: options.pingIntervalMs ?? defaults.pingIntervalMs,
    pongTimeoutMs: options.pongTimeoutMs ?? defaults.pongTimeoutMs,
    idleMs: options.idleMs ?? defaults.idleMs,
    queueBound: options.queueBound ?? defaults.queueBound,
    streamsPerSocket: options.streamsPerSocket ?? defaults.streamsPerSocket,
  };
}

/** One socket and the streams on it. */
class SubgraphSocket {
  readonly #options: Settings;
  readonly #client: Client;
  readonly #use: SocketUse;
  /** Open streams, each with the function that forgets it. */
  readonly #streams = new Map<PushQueue<SubgraphResult>, () => void>();
  /** The newest request, whose principal opens the next socket. */
  #newest: SubgraphRequest | undefined;
  #isConnected = false;
  /** Called when the socket is open. */
  readonly #onConnected = new Set<() => void>();

  constructor(options: Settings, use: SocketUse) {
    this.#options = options;
    this.#use = use;
    this.#client = this.#connect();
  }

  /** Number of open streams. */
  get size(): number {
    return this.#streams.size;
  }

  subscribe(request: SubgraphRequest): SubgraphStream {
    const stream = this.#open(request);
    const opened = this.#isConnected
      ? Promise.resolve()
      : new Promise<void>((resolve) => this.#onConnected.add(resolve));
    return Object.assign(stream, { opened });
  }

  #open(request: SubgraphRequest): PushQueue<SubgraphResult> {
    const { signal } = request;
    if (request.principal) this.#newest = request;
    let dispose = (): void => {};
    const onAbort = (): void => void stream.return();
    const leave = (): void => {
      signal?.removeEventListener('abort', onAbort);
      this.#streams.delete(stream);
      dispose();
    };
    const stream = new PushQueue<SubgraphResult>({
      bound: this.#options.queueBound,
      onEnd: leave,
      overflow: () =>
        new DomainError(
          'SUBSCRIPTION_LAGGED',
          `The events of "${this.#options.subgraph}" arrived faster than they were consumed`,
        ),
    });
    this.#streams.set(stream, leave);
    signal?.addEventListener('abort', onAbort, { once: true });
    const start = (token: string | undefined): void => {
      if (!this.#streams.has(stream)) return;
      dispose = this.#client.subscribe<Record<string, unknown>>(payloadOf(request, token), {
        next: (result) => stream.push(readSubgraphResult(result) ?? {}),
        error: (error) => this.#failed(stream, error),
        complete: () => {
          stream.finish();
          leave();
        },
      });
    };
    const token = this.#use.isShared ? tokenOf(request, this.#options.tokenFor) : undefined;
    if (token instanceof Promise) token.then(start, (error: unknown) => this.#failed(stream, error));
    else start(token);
    if (signal?.aborted) onAbort();
    return stream;
  }

  async close(): Promise<void> {
    for (const stream of [...this.#streams.keys()]) await stream.return();
    await this.#client.dispose();
    this.#use.onUnused();
  }

  #failed(stream: PushQueue<SubgraphResult>, error: unknown): void {
    if (Array.isArray(error)) {
      stream.push({ errors: readSubgraphErrors(error) });
      stream.finish();
    } else {
      stream.fail(lostError(this.#options.subgraph, error));
    }
    this.#streams.get(stream)?.();
  }

  /** An earlier version would run the operations of all callers for the one that opened the socket. */
  #acknowledged(acceptsOperationTokens: boolean): void {
    this.#use.onAck(acceptsOperationTokens);
    if (!this.#use.isShared || acceptsOperationTokens) return;
    const reason = 'it accepts no operation tokens';
    for (const stream of [...this.#streams.keys()])
      this.#failed(stream, { code: CloseCode.InternalServerError, reason });
  }

  #connect(): Client {
    const { url, pingIntervalMs, pongTimeoutMs, idleMs } = this.#options;
    let pong: NodeJS.Timeout | undefined;
    const client: Client = createClient({
      url,
      webSocketImpl: socketClass(this.#options.endpoints),
      lazy: true,
      lazyCloseTimeout: idleMs,
      retryAttempts: 0,
      keepAlive: pingIntervalMs,
      connectionAckWaitTimeout: ackTimeoutMs,
      connectionParams: async () => {
        const token = this.#newest && (await tokenOf(this.#newest, this.#options.tokenFor));
        return token === undefined ? {} : { authorization: `Bearer ${token}` };
      },
      on: {
        ping: (received) => {
          if (received) return;
          clearTimeout(pong);
          pong = setTimeout(() => client.terminate(), pongTimeoutMs);
          pong.unref();
        },
        pong: (received) => {
          if (received) clearTimeout(pong);
        },
        connected: (_socket, ack) => {
          this.#acknowledged(ack?.['operationTokens'] === true);
          this.#isConnected = true;
          for (const notify of this.#onConnected) notify();
          this.#onConnected.clear();
        },
        closed: () => {
          clearTimeout(pong);
          this.#isConnected = false;
          this.#onConnected.clear();
          if (this.#streams.size === 0) this.#use.onUnused();
        },
      },
    });
    return client;
  }
}

/** @param token sent with the operation; undefined where the socket has the token */
function payloadOf(
  { operation, variablesText, requestId }: SubgraphRequest,
  token: string | undefined,
): SubscribePayload {
  return {
    query: operation.documentText,
    operationName: operation.operationName,
    variables:
      variablesText === undefined ? undefined : (JSON.parse(variablesText) as Record<string, unknown>),
    extensions: { requestId, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
  };
}

/** A WebSocket that connects to allowed addresses only. */
function socketClass(endpoints: EndpointPolicy | undefined): typeof WebSocket {
  if (!endpoints) return WebSocket;
  const policy = endpoints;
  return class extends WebSocket {
    constructor(address: string | URL, protocols?: string | string[]) {
      policy.assertAddress(String(address));
      super(address, protocols, { lookup: policy.lookup as never });
    }
  } as typeof WebSocket;
}

/** Close codes by which a subgraph rejects the gateway's token: its keys may be known there later. */
const refusals = new Set<number>([CloseCode.Unauthorized, CloseCode.Forbidden]);

function lostError(subgraph: string, error: unknown): DomainError {
  const { code, reason } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown;
    reason?: unknown;
  };
  if (typeof code === 'number' && refusals.has(code)) {
    return new DomainError(
      'SERVICE_UNAVAILABLE',
      `The service "${subgraph}" did not accept the token of the gateway`,
      {},
      { cause: error },
    );
  }
  const details = typeof code === 'number' ? { closeCode: code, reason: String(reason) } : {};
  return new DomainError(
    'SERVICE_UNAVAILABLE',
    `The connection to the service "${subgraph}" was lost`,
    details,
    { cause: error instanceof Error ? error : undefined },
  );
}
