import { lookUp } from '@rhizome/errors';
import type { GraphQLFormattedError } from 'graphql';
import {
  type Client,
  CloseCode,
  createClient,
  type FormattedExecutionResult,
  type SubscribePayload,
} from 'graphql-ws/client';
import { type ClientOptions, WebSocket } from 'ws';
import { fromGraphQLErrors, isRhizomeApiError, RhizomeApiError } from './api-error.js';
import type { HttpAnswer, HttpCall } from './http-transport.js';
import { KeepAlive } from './keep-alive.js';
import { callOverSocket } from './socket-call.js';
import { SocketToken } from './socket-token.js';
import { type ClientCertificate, credentials, type Endpoint, type Tokens } from './token-source.js';

const handshakeMs = 10_000;
const defaultPingEveryMs = 10_000;
const pongWithinMs = 5000;
/** Characters of the largest variables of a call; larger ones are for HTTP. */
const mostOfCall = 16_384;
/** A socket nobody uses is kept a moment: the next stream often follows at once. */
const idleMs = 500;

/** Sockets that limit the wait for their acknowledgement, and present a certificate and a token. */
function boundedWebSocket(
  certificate: ClientCertificate | undefined,
  authorization: () => string | undefined,
): unknown {
  return class BoundedWebSocket extends WebSocket {
    constructor(address: string | URL, protocols?: string | string[], options?: ClientOptions) {
      const token = authorization();
      const headers: Record<string, string> = token === undefined ? {} : { authorization: token };
      super(address, protocols, { handshakeTimeout: handshakeMs, headers, ...certificate, ...options });
    }
  };
}

/**
 * One socket for all streams of a client, and for calls while it is open: opened when needed, never retried
 * here.
 */
export class SocketTransport {
  readonly #url: string;
  readonly #client: Client;
  readonly #token: SocketToken;
  readonly #keepAlive: KeepAlive;
  /** Reason why there was no token for the last socket. */
  #tokenError: unknown;

  /** @param params sent when the socket opens, in addition to the token */
  constructor(
    { url, proofKey, certificate, pingEveryMs }: Endpoint & { readonly pingEveryMs?: number | undefined },
    tokens: Tokens,
    params: Readonly<Record<string, string>> = {},
  ) {
    this.#url = url;
    this.#keepAlive = new KeepAlive({
      everyMs: pingEveryMs ?? defaultPingEveryMs,
      withinMs: pongWithinMs,
      onDead: () => this.drop(),
    });
    const token = new SocketToken({
      tokens,
      // The socket is opened by GET.
      credentialsOf: (current) => credentials({ token: current, proofKey, method: 'GET', url }),
      drop: () => this.drop(),
    });
    this.#token = token;
    this.#client = createClient({
      url,
      webSocketImpl: boundedWebSocket(certificate, () => {
        // By its token a gateway distinguishes this socket from those of strangers behind the same address.
        const { known } = tokens;
        return known && `${proofKey ? 'DPoP' : 'Bearer'} ${known}`;
      }),
      connectionParams: async () => ({ ...params, ...(await this.#initial(token)) }),
      connectionAckWaitTimeout: handshakeMs,
      lazyCloseTimeout: idleMs,
      retryAttempts: 0,
      on: {
        message: () => this.#keepAlive.received(),
        pong: (received, payload) => {
          if (received) token.pong(payload);
        },
        connected: (socket) => {
          const send = (text: string): void => (socket as WebSocket).send(text);
          token.opened(send);
          this.#keepAlive.opened(() => send('{"type":"ping"}'));
        },
        closed: () => {
          this.#keepAlive.closed();
          token.closed();
        },
      },
    });
  }

  /** The protocol's library reports a failure here as a closed socket, by its message alone. */
  async #initial(token: SocketToken): Promise<Record<string, string>> {
    this.#tokenError = undefined;
    try {
      return await token.initial();
    } catch (error) {
      this.#tokenError = error;
      throw error;
    }
  }

  /** Opens a stream. Its iterator throws whatever {@link SocketTransport.explain} makes sense of. */
  open(payload: SubscribePayload): AsyncIterableIterator<FormattedExecutionResult<Record<string, unknown>>> {
    return this.#client.iterate(payload) as AsyncIterableIterator<
      FormattedExecutionResult<Record<string, unknown>>
    >;
  }

  /** True if a call may use the socket: it is open, accepted for the present token, and the call is small. */
  mayCall({ variables }: HttpCall): boolean {
    return this.#token.isCurrent && JSON.stringify(variables ?? {}).length <= mostOfCall;
  }

  /** Sends a request over the open socket. @throws RhizomeApiError; what aborted the signal as it is */
  call(call: HttpCall): Promise<HttpAnswer> {
    const sentAt = performance.now();
    return callOverSocket(this.#client, call, {
      url: this.#url,
      explain: (thrown) => this.explain(thrown).message,
      onTimeout: () => {
        // A server that sent nothing at all meanwhile is dead; one that sent something is slow.
        if (this.#keepAlive.receivedAt < sentAt) this.drop();
      },
    });
  }

  /** Drops the socket: the next stream opens another, with another token. */
  drop(): void {
    this.#client.terminate();
  }

  /** Converts an error of a stream to a catalogue error. */
  explain(thrown: unknown): RhizomeApiError {
    if (isRhizomeApiError(thrown)) return thrown;
    if (Array.isArray(thrown)) {
      const error = RhizomeApiError.firstOf(fromGraphQLErrors(thrown as GraphQLFormattedError[]));
      if (error) return error;
    }
    const { code, reason, message } = thrown as { code?: unknown; reason?: unknown; message?: unknown };
    if (typeof code === 'number') return this.#closed(code, typeof reason === 'string' ? reason : '');
    const text = typeof message === 'string' && message !== '' ? message : 'the connection failed';
    return new RhizomeApiError({
      code: 'SERVICE_UNAVAILABLE',
      message: `${this.#url} cannot be reached: ${text}`,
      cause: thrown,
    });
  }

  /** Servers close with a code of the catalogue as the reason where they have one. */
  #closed(code: number, reason: string): RhizomeApiError {
    if (code === CloseCode.InternalClientError && isRhizomeApiError(this.#tokenError))
      return this.#tokenError;
    const message = `${this.#url} closed the stream: ${reason || 'no reason given'} (${code})`;
    return new RhizomeApiError({
      code: lookUp(reason) ? reason : codeOfClose(code),
      message,
      details: { close: code },
    });
  }

  async close(): Promise<void> {
    this.#keepAlive.closed();
    await this.#client.dispose();
  }
}

function codeOfClose(code: number): string {
  if (code === 1001) return 'SHUTTING_DOWN';
  if (code === CloseCode.Forbidden || code === CloseCode.Unauthorized) return 'UNAUTHENTICATED';
  if (code === CloseCode.InternalServerError) return 'INTERNAL_SERVER_ERROR';
  if (code === CloseCode.BadRequest || code === CloseCode.SubprotocolNotAcceptable) return 'BAD_REQUEST';
  return 'SERVICE_UNAVAILABLE';
}
