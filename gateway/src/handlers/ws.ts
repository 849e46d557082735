import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '@rhizome/clock';
import type { Principal, RevocationList } from '@rhizome/authz';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import {
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  GraphQLSchema,
} from 'graphql';
import { CloseCode, makeServer, type ServerOptions, type SubscribePayload } from 'graphql-ws';
import type { ExecutionText, OperationInfo } from '@rhizome/federation';
import {
  assertLocalCaller,
  type ClientAddress,
  type Expiries,
  keyOf,
  type RateLimiter,
  errorsOf,
  type GatewayLimits,
  type PersistedOperations,
  type Identity,
  refusal,
  requestIdOf,
  type CallerEnd,
  tokenRevoked,
} from '../policy/index.js';
import type { AuditRecorder } from '../audit/index.js';
import { clientIdentity } from '../registry/index.js';
import { HttpRefusal, persistedHash } from './http-parameters.js';
import type { Inbox } from './inbox.js';
import type { Operations } from './operations.js';
import { Connection } from './ws-connection.js';
import { SocketRenewals } from './ws-renewal.js';
import { SocketPool } from './ws-sockets.js';
import { StreamMessages } from './ws-stream.js';

/** Options of {@link WebSocketHandler}. */
export interface WebSocketHandlerOptions {
  readonly operations: Operations;
  readonly identity: Identity;
  readonly limits: GatewayLimits;
  readonly log: Logger;
  readonly clock: Clock;
  readonly addressOf: ClientAddress;
  readonly persisted: PersistedOperations;
  /** Ends sockets with the tokens of their callers. */
  readonly expiries: Expiries;
  /** Messages and requests take turns in it. */
  readonly inbox: Inbox;
  /** Counts what callers use; undefined if nothing is limited. */
  readonly rates: RateLimiter | undefined;
  /** Deny list; a socket may be older than an entry. */
  readonly revocations?: RevocationList | undefined;
  /** Records refusals; undefined if there is no audit log. */
  readonly audit?: AuditRecorder | undefined;
  /** Admits sockets without a token; {@link Operations} then decides which operations run. */
  readonly admitsAnonymous: boolean;
}

/** Result of an operation on a socket, passed through the protocol library as its context value. */
type Outcome = { readonly messages: StreamMessages } | { readonly answer: ExecutionText };

/** Refuses an operation with the errors of a serialised response. */
class Refused extends GraphQLError {
  readonly formatted: readonly GraphQLFormattedError[];

  constructor(answer: Pick<ExecutionText, 'text'>) {
    super('refused');
    this.formatted = errorsOf(answer);
  }
}

function refused(answer: Pick<ExecutionText, 'text'>): Refused {
  return new Refused(answer);
}

/**
 * The protocol library looks an operation up in the schema that it receives; the engine has checked ours
 * already.
 */
const noSchema = new GraphQLSchema({});

/** Serves `graphql-transport-ws` on upgraded connections, with one verified principal per socket. */
export class WebSocketHandler {
  readonly #options: WebSocketHandlerOptions;
  readonly #sockets: SocketPool;
  readonly #renewals: SocketRenewals;
  /** Accepted sockets by subject. */
  readonly #perSubject = new Map<string, number>();
  readonly #connections = new Set<Connection>();
  /** Keys to which sockets were charged until they are accepted. */
  readonly #openers = new WeakMap<IncomingMessage, string>();
  #isClosing = false;

  constructor(options: WebSocketHandlerOptions) {
    this.#options = options;
    const { identity, rates, audit, log } = options;
    this.#renewals = new SocketRenewals({ identity, rates, audit, log });
    const server = makeServer<Record<string, unknown>, Connection>(this.#protocol());
    this.#sockets = new SocketPool({
      limits: { ...options.limits, messageBytes: options.limits.smallBodyBytes },
      keepAliveMs: options.limits.keepAliveMs,
      pilotKeepAliveMs: options.limits.pilotKeepAliveMs,
      log: options.log,
      inbox: options.inbox,
      opened: (line, request) => {
        const address = options.addressOf(request);
        const connection: Connection = new Connection({ line, request, address, expiries: options.expiries });
        this.#connections.add(connection);
        line.onPing = (payload) => this.#renewals.ping(connection, payload);
        line.onComplete = (id) => connection.pending.get(id)?.abort(cancelled());
        const closed = server.opened(line, connection);
        return (code, reason) => {
          connection.closed();
          for (const operation of connection.pending.values())
            line.inTurn(() => operation.abort(cancelled()));
          this.#connections.delete(connection);
          return closed(code, reason);
        };
      },
    });
  }

  /** Ends the operations and the sockets of some callers. */
  endOf({ concerns, error, closeCode }: CallerEnd): void {
    for (const connection of this.#connections) {
      const { principal, pending } = connection;
      if (!principal || !concerns(principal)) continue;
      for (const operation of pending.values()) operation.abort(error());
      connection.closeSoon(error().code, closeCode);
    }
  }

  /** Sockets that are open. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Sockets whose `connection_init` was not accepted yet. */
  get waiting(): number {
    return this.#sockets.waiting;
  }

  /** Bytes buffered for clients that do not read. */
  get bufferedBytes(): number {
    return this.#sockets.bufferedBytes;
  }

  /** Takes over an HTTP connection. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!this.#options.identity.required) {
      try {
        assertLocalCaller(request.headers);
      } catch {
        socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
        return;
      }
    }
    const { addressOf, identity, rates } = this.#options;
    const address = addressOf(request);
    if (!rates || request.headers.authorization === undefined)
      return this.#open(request, socket, head, address);
    // A stranger behind the same address must not delay the sockets of those who have a token.
    void identity.holderOf(request).then(
      (found) => this.#open(request, socket, head, found ? keyOf(found) : address),
      (error: unknown) => {
        const retrySeconds = retrySecondsOf(error);
        if (retrySeconds !== undefined) refuseUpgrade(socket, retrySeconds);
        else this.#open(request, socket, head, address);
      },
    );
  }

  /** @param opener the address, or the holder of the token with which the socket is opened */
  #open(request: IncomingMessage, socket: Duplex, head: Buffer, opener: string): void {
    if (this.#isClosing) return void socket.destroy();
    const limited = this.#options.rates?.useByAddress(opener, { sockets: 1 });
    if (limited) return refuseUpgrade(socket, retrySecondsOf(limited) ?? 1);
    this.#openers.set(request, opener);
    this.#sockets.upgrade(request, socket, head, opener);
  }

  /**
   * Closes all sockets with 1001 and resolves when they are gone; cuts clients that do not answer within
   * `graceMs`.
   */
  close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    return this.#sockets.close(graceMs);
  }

  #protocol(): ServerOptions<Record<string, unknown>, Connection> {
    return {
      connectionInitWaitTimeout: this.#options.limits.initWaitMs,
      onConnect: ({ connectionParams, extra }) => this.#connect(connectionParams, extra),
      onSubscribe: ({ extra }, id, payload) => this.#subscribe(extra, id, payload),
      subscribe: (args) =>
        streamOf(args as ExecutionArgs) as unknown as AsyncIterableIterator<ExecutionResult>,
      execute: (args) => outcomeOf(args as ExecutionArgs) as unknown as ExecutionResult,
      onNext: ({ extra }, _id, _payload, _args, result) =>
        extra.line.splice((result as unknown as ExecutionText).text) as unknown as ExecutionResult,
      onError: (_context, _id, _payload, errors) =>
        errors.flatMap((error) => formattedOf(error)) as readonly GraphQLFormattedError[],
    };
  }

  async #connect(params: Record<string, unknown> | undefined, connection: Connection): Promise<boolean> {
    const { identity, admitsAnonymous, rates, log } = this.#options;
    const { address, request } = connection;
    const { headers } = request;
    const client = (connection.client = clientIdentity(headers, params));
    try {
      const isAnonymous = admitsAnonymous && !params?.['authorization'] && !params?.['Authorization'];
      const isNobody = isAnonymous && !headers.authorization && !identity.hasSession(request, params);
      const principal = isNobody ? undefined : await identity.ofSocket(params, request);
      this.#count(connection, principal);
      connection.accept(principal);
      const opener = this.#openers.get(request);
      if (principal && opener !== undefined) rates?.refundByAddress(opener, { sockets: 1 });
      return true;
    } catch (error) {
      // The reason is the code, so that a client can distinguish an expired token from a wrong one.
      const code = isDomainError(error) ? error.code : 'SERVICE_UNAVAILABLE';
      connection.line.close(
        code === 'LIMIT_EXCEEDED' ? CloseCode.TooManyInitialisationRequests : CloseCode.Forbidden,
        code,
      );
      const requestId = requestIdOf(headers['x-request-id']);
      this.#options.audit?.refused({ principal: undefined, requestId, client, address }, [code]);
      log.debug({ err: error }, 'socket refused');
      return false;
    }
  }

  /** Counts a socket for its subject. @throws DomainError LIMIT_EXCEEDED */
  #count(connection: Connection, principal: Principal | undefined): void {
    const isOfQueue = principal?.kind === 'PILOT' && principal.worker === undefined;
    if (!principal || isOfQueue) return;
    const { rates, limits } = this.#options;
    const subject = keyOf(principal);
    const own = this.#perSubject.get(subject) ?? 0;
    const most = principal.worker === undefined ? limits.socketsPerSubject : limits.socketsPerPilot;
    const error = own >= most ? tooManySockets(own, most) : rates?.use(principal, { sockets: 1 });
    if (error) throw error;
    this.#perSubject.set(subject, own + 1);
    connection.left = () => {
      const left = (this.#perSubject.get(subject) ?? 0) - 1;
      if (left > 0) this.#perSubject.set(subject, left);
      else this.#perSubject.delete(subject);
    };
  }

  async #subscribe(
    connection: Connection,
    id: string,
    payload: SubscribePayload,
  ): Promise<ExecutionArgs | readonly GraphQLError[]> {
    const { principal, address, client, pending, request, line } = connection;
    const requestId = requestIdOf(payload.extensions?.['requestId']);
    if (principal && this.#options.revocations?.isRevoked(principal))
      return [new Refused(refusal(tokenRevoked(), requestId, this.#options.log))];
    if (principal && principal.expiresAt <= this.#options.clock.now()) {
      const answer = this.#expired(principal, requestId);
      this.#options.audit?.refused({ principal, requestId, client, address }, answer.codes);
      return [new Refused(answer)];
    }
    const limited = principal && this.#options.rates?.use(principal, { operations: 1 });
    if (limited) return [new Refused(refusal(limited, requestId, this.#options.log))];
    const query = this.#documentOf(payload, client.name);
    if (typeof query !== 'string') return [new Refused(refusal(query, requestId, this.#options.log))];
    const { traceparent } = request.headers;
    const operation = new AbortController();
    pending.set(id, operation);
    const run = this.#options.operations.run<ExecutionArgs | readonly GraphQLError[]>(
      {
        query,
        operationName: payload.operationName ?? undefined,
        variables: payload.variables ?? undefined,
        principal,
        address,
        // Messages are small, and the next ones of a socket wait in the network.
        bytes: 0,
        requestId,
        client,
        wantsPlan: payload.extensions?.['plan'] === true,
        headers: typeof traceparent === 'string' ? { traceparent } : undefined,
        signal: operation.signal,
      },
      {
        refused: (answer) => [new Refused(answer)],
        answered: (answer, info) =>
          answer.outcome === 'rejected' ? [new Refused(answer)] : argumentsOf(info, { answer }),
        streamed: (stream, info) => {
          const ended = (): void => connection.removeStream(stream);
          const messages = new StreamMessages(stream, { line, id, refused, ended });
          connection.addStream(stream);
          return argumentsOf(info, { messages });
        },
      },
    );
    try {
      return await run;
    } catch (error) {
      // The client has cancelled the request or disconnected: nobody needs a response.
      if (operation.signal.aborted) return [new Refused({ text: '{}' })];
      throw error;
    } finally {
      if (pending.get(id) === operation) pending.delete(id);
    }
  }

  #documentOf({ query, extensions }: SubscribePayload, client: string): string | DomainError {
    try {
      return this.#options.persisted.documentOf({ query, hash: persistedHash(extensions), client });
    } catch (error) {
      if (error instanceof HttpRefusal) return error.error;
      if (isDomainError(error)) return error;
      throw error;
    }
  }

  #expired({ subject, expiresAt }: Principal, requestId: string): ExecutionText {
    const text = `The token of "${subject}" expired at ${expiresAt.toISOString()}; connect with a new one`;
    return refusal(new DomainError('TOKEN_EXPIRED', text), requestId, this.#options.log);
  }
}

function tooManySockets(value: number, limit: number): DomainError {
  const text = `There are ${value} open sockets of one subject; the limit is ${limit}`;
  return new DomainError('LIMIT_EXCEEDED', text, {
    field: 'open sockets',
    value,
    expected: `at most ${limit}`,
  });
}

/** Seconds after which a caller may try again; undefined for an error of another kind. */
function retrySecondsOf(error: unknown): number | undefined {
  const seconds = isDomainError(error) ? error.details['retryAfterSeconds'] : undefined;
  return typeof seconds === 'number' ? seconds : undefined;
}

function refuseUpgrade(socket: Duplex, retrySeconds: number): void {
  socket.end(
    `HTTP/1.1 429 Too Many Requests\r\nretry-after: ${retrySeconds}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
  );
}

function cancelled(): DomainError {
  return new DomainError('REQUEST_CANCELLED', 'The client cancelled the request');
}

function argumentsOf({ document }: OperationInfo, contextValue: Outcome): ExecutionArgs {
  return { schema: noSchema, document, contextValue };
}

function outcomeOf({ contextValue }: ExecutionArgs): ExecutionText {
  const outcome = contextValue as Outcome;
  if ('answer' in outcome) return outcome.answer;
  throw new TypeError('A stream cannot be executed');
}

function streamOf({ contextValue }: ExecutionArgs): StreamMessages {
  const outcome = contextValue as Outcome;
  if ('messages' in outcome) return outcome.messages;
  throw new TypeError('A single response cannot be subscribed to');
}

function formattedOf(error: GraphQLError | GraphQLFormattedError): readonly GraphQLFormattedError[] {
  const original = error instanceof GraphQLError ? (error.originalError ?? error) : error;
  if (original instanceof Refused) return original.formatted;
  return [error instanceof GraphQLError ? error.toJSON() : error];
}
