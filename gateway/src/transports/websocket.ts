import { DomainError } from '@rhizome/errors';
import { type Client, CloseCode, createClient } from 'graphql-ws';
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
  /** Gives the call token for a principal, when a socket is opened; without it sockets carry none. */
  readonly tokenFor?: TokenFor | undefined;
  /** Addresses that may be called; default: all. */
  readonly endpoints?: EndpointPolicy | undefined;
}

/** The WebSocket half of a transport. */
export interface WebSocketSubscriptions extends Pick<Transport, 'subscribe' | 'close'> {
  /** Number of open sockets: one per scope. */
  readonly sockets: number;
}

/**
 * Subscriptions by graphql-transport-ws over one socket per scope and subgraph. Pings detect dead sockets.
 * When a socket is lost its streams fail with a retryable DomainError, and the next subscription opens
 * another: only the owner of a stream knows the cursor to continue from.
 */
export function createWebSocketSubscriptions(options: WebSocketOptions): WebSocketSubscriptions {
  const sockets = new Map<string, ScopedSocket>();
  return {
    get sockets() {
      return sockets.size;
    },
    subscribe: (request) => {
      let socket = sockets.get(request.scope);
      if (!socket) {
        const made = new ScopedSocket(options, () => {
          if (sockets.get(request.scope) === made) sockets.delete(request.scope);
        });
        socket = made;
        sockets.set(request.scope, made);
      }
      return socket.subscribe(request);
    },
    close: async () => {
      await Promise.all([...sockets.values()].map((socket) => socket.close()));
    },
  };
}

const defaults = { pingIntervalMs: 10_000, pongTimeoutMs: 5_000, idleMs: 1_000, queueBound: 1_024 };
const ackTimeoutMs = 10_000;

function withDefaults(options: WebSocketOptions): WebSocketOptions & typeof defaults {
  return {
    ...options,
    pingIntervalMs: options.pingIntervalMs ?? defaults.pingIntervalMs,
    pongTimeoutMs: options.pongTimeoutMs ?? defaults.pongTimeoutMs,
    idleMs: options.idleMs ?? defaults.idleMs,
    queueBound: options.queueBound ?? defaults.queueBound,
  };
}

/** One socket and the streams on it. */
class ScopedSocket {
  readonly #options: WebSocketOptions;
  readonly #client: Client;
  readonly #onUnused: () => void;
  readonly #streams = new Set<PushQueue<SubgraphResult>>();
  /** The newest request of the scope, whose principal opens the next socket. */
  #newest: SubgraphRequest | undefined;
  #isConnected = false;
  /** Called when the socket is open. */
  readonly #onConnected = new Set<() => void>();

  constructor(options: WebSocketOptions, onUnused: () => void) {
    this.#options = options;
    this.#onUnused = onUnused;
    this.#client = this.#connect();
  }

  subscribe(request: SubgraphRequest): SubgraphStream {
    const stream = this.#open(request);
    const opened = this.#isConnected
      ? Promise.resolve()
      : new Promise<void>((resolve) => this.#onConnected.add(resolve));
    return Object.assign(stream, { opened });
  }

  #open(request: SubgraphRequest): PushQueue<SubgraphResult> {
    const { operation, variablesText, requestId, signal } = request;
    if (request.principal) this.#newest = request;
    let dispose = (): void => {};
    const onAbort = (): void => void stream.return();
    const leave = (): void => {
      signal?.removeEventListener('abort', onAbort);
      this.#streams.delete(stream);
      dispose();
    };
    const stream = new PushQueue<SubgraphResult>({
      bound: withDefaults(this.#options).queueBound,
      onEnd: leave,
      overflow: () =>
        new DomainError(
          'SUBSCRIPTION_LAGGED',
          `The events of "${this.#options.subgraph}" arrived faster than they were consumed`,
        ),
    });
    this.#streams.add(stream);
    signal?.addEventListener('abort', onAbort, { once: true });
    dispose = this.#client.subscribe<Record<string, unknown>>(
      {
        query: operation.documentText,
        operationName: operation.operationName,
        variables:
          variablesText === undefined ? undefined : (JSON.parse(variablesText) as Record<string, unknown>),
        extensions: { requestId },
      },
      {
        next: (result) => stream.push(readSubgraphResult(result) ?? {}),
        error: (error) => {
          this.#failed(stream, error);
          leave();
        },
        complete: () => {
          stream.finish();
          leave();
        },
      },
    );
    if (signal?.aborted) onAbort();
    return stream;
  }

  async close(): Promise<void> {
    for (const stream of [...this.#streams]) await stream.return();
    await this.#client.dispose();
    this.#onUnused();
  }

  #failed(stream: PushQueue<SubgraphResult>, error: unknown): void {
    if (Array.isArray(error)) {
      stream.push({ errors: readSubgraphErrors(error) });
      stream.finish();
    } else {
      stream.fail(lostError(this.#options.subgraph, error));
    }
  }

  #connect(): Client {
    const { url, pingIntervalMs, pongTimeoutMs, idleMs } = withDefaults(this.#options);
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
        connected: () => {
          this.#isConnected = true;
          for (const notify of this.#onConnected) notify();
          this.#onConnected.clear();
        },
        closed: () => {
          clearTimeout(pong);
          this.#isConnected = false;
          this.#onConnected.clear();
          if (this.#streams.size === 0) this.#onUnused();
        },
      },
    });
    return client;
  }
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
