import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Engine, Subscribing } from '@rhizome/federation';
import {
  type CallerEnd,
  type Expiries,
  type GatewayLimits,
  callerOf,
  refusal,
  scopeOf,
  withFact,
} from '../policy/index.js';
import { ClientStream, type ClientStreamOwner, closingEvent } from './client-stream.js';
import { Opener } from './opening.js';
import { ReplayQueue, type Replayed } from './replay-queue.js';
import { expiry, SharedStream } from './shared-stream.js';
import { planStream, type StreamPlan, type Variables } from './stream-plan.js';
import type { StreamEnd, StreamEvent, StreamObserver, StreamRequest } from './types.js';
import { Upstream, type UpstreamSink } from './upstream.js';

/** Options of {@link StreamHub}. */
export interface StreamHubOptions {
  /** The current engine. */
  readonly engine: () => Engine;
  readonly clock: Clock;
  /** Ends streams with the tokens of their callers. */
  readonly expiries: Expiries;
  readonly log: Logger;
  readonly limits: GatewayLimits;
  readonly observer: StreamObserver;
  /** Called when a stream ends with errors. */
  readonly failed?: ((request: StreamRequest, codes: readonly string[]) => void) | undefined;
}

const mostInOneGo = 64;

/** All client streams and the upstreams that they share. */
export class StreamHub implements ClientStreamOwner {
  readonly #options: StreamHubOptions;
  readonly #shared = new Map<string, SharedStream>();
  readonly #upstreams = new Set<Upstream>();
  readonly #clients = new Set<ClientStream>();
  readonly #expiries: Expiries;
  readonly #perSubject = new Map<string, number>();
  #alone = 0;

  constructor(options: StreamHubOptions) {
    this.#options = options;
    this.#expiries = options.expiries;
  }

  /** Number of open client streams, and of the engine's subscriptions behind them. */
  get open(): { readonly streams: number; readonly upstreams: number } {
    return { streams: this.#clients.size, upstreams: this.#upstreams.size };
  }

  /** Opens a stream. An error is its only event. */
  subscribe(request: StreamRequest): ClientStream {
    const client = new ClientStream(request, this);
    this.#options.observer.streamOpened();
    const refused = this.#refusalOf(request);
    if (refused) {
      client.end('refused', closingEvent(refusal(refused, request.requestId, this.#options.log)));
      return client;
    }
    this.#clients.add(client);
    count(this.#perSubject, request.principal?.subject ?? '', 1);
    if (expiry(request) <= this.#options.clock.now().getTime()) {
      this.expired(client);
      return client;
    }
    if (request.principal) this.#expiries.add(client, expiry(request));
    const { operation, engine, variables } = request;
    const plan = planStream(operation, engine.publicSchema);
    const cursor = plan.resumable ? (request.cursor ?? plan.cursorOf(variables)) : undefined;
    this.#sharedFor(request, plan, cursor).join(client, cursor);
    return client;
  }

  /**
   * Reopens every upstream on the current engine; client streams stay open and miss nothing. Resolves when
   * the old engine is unused.
   */
  async move(): Promise<void> {
    await Promise.all([...this.#upstreams].map((upstream) => upstream.move()));
  }

  /**
   * Ends client streams because the process ends, each with the cursor to continue from. `resumable` ends
   * only streams with a cursor: a WebSocket's other streams are better ended by closing the socket, after
   * which clients reconnect.
   */
  shutDown(which: 'resumable' | 'all'): void {
    for (const client of [...this.#clients]) {
      if (which === 'resumable' && client.request.operation.resumable === undefined) continue;
      const error = new DomainError(
        'SHUTTING_DOWN',
        'The gateway is shutting down; reconnect to another one',
      );
      client.end('shutdown', this.#closingEvent(error, client));
    }
  }

  /** Ends the streams of some callers. */
  endOf({ concerns, error }: CallerEnd): void {
    for (const client of [...this.#clients]) {
      const { principal } = client.request;
      if (!principal || !concerns(principal)) continue;
      client.end('revoked', this.#closingEvent(error(), client));
    }
  }

  lagged(cursor: string | undefined, requestId: string): StreamEvent {
    const goOn = cursor === undefined ? 'subscribe again' : `continue after cursor ${cursor}`;
    const error = new DomainError('SUBSCRIPTION_LAGGED', `This client reads too slowly; ${goOn}`, {
      ...(cursor === undefined ? {} : { cursor }),
    });
    return closingEvent(refusal(error, requestId, this.#options.log));
  }

  /** Ends the stream of a caller whose token has expired. */
  expired(client: ClientStream): void {
    const { principal } = client.request;
    const text = `The token of "${principal?.subject ?? ''}" expired at ${principal?.expiresAt.toISOString() ?? ''}; continue with a new one`;
    client.end('expired', this.#closingEvent(new DomainError('TOKEN_EXPIRED', text), client));
  }

  /** Moves the end of a stream. A stream is for a scope of rights: it ends if these have changed. */
  renewed(client: ClientStream, before: StreamRequest): void {
    this.#expiries.remove(client, expiry(before));
    const { operation, principal } = client.request;
    const { perPrincipal } = operation;
    if (scopeOf(before.principal, perPrincipal) === scopeOf(principal, perPrincipal))
      return this.#expiries.add(client, expiry(client.request));
    const text = 'The renewed token has other rights; continue with it';
    client.end('expired', this.#closingEvent(new DomainError('TOKEN_EXPIRED', text), client));
  }

  ended(client: ClientStream, why: StreamEnd, last: StreamEvent | undefined): void {
    this.#options.observer.streamClosed(why);
    if (last && last.codes.length > 0) this.#options.failed?.(client.request, last.codes);
    if (!this.#clients.delete(client)) return;
    this.#expiries.remove(client, expiry(client.request));
    count(this.#perSubject, client.request.principal?.subject ?? '', -1);
  }

  delivered(listeners: number): void {
    this.#options.observer.delivered(listeners);
  }

  #refusalOf({ principal }: StreamRequest): DomainError | undefined {
    const { streams: all, streamsPerSubject, streamsPerPilot, pilotStreams } = this.#options.limits;
    const reserved = principal?.kind === 'PILOT' ? 0 : Math.min(pilotStreams, Math.floor(all / 5));
    const streams = all - reserved;
    const own = this.#perSubject.get(principal?.subject ?? '') ?? 0;
    if (this.#clients.size >= streams) return tooMany('open streams', this.#clients.size, streams);
    const most = principal?.worker === undefined ? streamsPerSubject : streamsPerPilot;
    if (principal && own >= most) return tooMany('open streams of one subject', own, most);
    return undefined;
  }

  #closingEvent(error: DomainError, client: ClientStream): StreamEvent {
    const answer = refusal(error, client.request.requestId, this.#options.log);
    return closingEvent(client.cursor === undefined ? answer : withFact(answer, 'cursor', client.cursor));
  }

  #sharedFor(request: StreamRequest, plan: StreamPlan, cursor: string | undefined): SharedStream {
    const { operation, principal, variables } = request;
    const scope = scopeOf(principal, operation.perPrincipal);
    const isAlone = isDeliveredOnce(plan, operation.perPrincipal, principal) || request.trace !== undefined;
    const key = `${scope}\n${plan.keyOf(variables)}\n${plan.text}${isAlone ? `\n${++this.#alone}` : ''}`;
    let shared = this.#shared.get(key);
    // A later client needs a complete message of its own.
    const isTooLate = operation.incremental && shared?.hasBegun;
    if (!shared || isTooLate)
      this.#shared.set(key, (shared = this.#makeShared(request, { key, plan, scope, cursor })));
    return shared;
  }

  #makeShared(
    { operation, variables }: StreamRequest,
    made: { key: string; plan: StreamPlan; scope: string; cursor: string | undefined },
  ): SharedStream {
    const { bufferedEvents, bufferedCharacters } = this.#options.limits;
    let queue: ReplayQueue | undefined;
    return new SharedStream({
      ...made,
      variables,
      perPrincipal: operation.perPrincipal,
      incremental: operation.incremental ?? false,
      resumesSlowConsumers: made.plan.resumesSlowConsumers(variables),
      bufferedEvents,
      bufferedCharacters,
      delivered: (listeners) => this.delivered(listeners),
      openUpstream: (shared, sink, cursor) => {
        const opener = new Opener(() => requestsOf(shared), this.#options.clock);
        return this.#upstream(shared, sink, cursor, opener);
      },
      openCatchUp: (shared, client, cursor) => {
        queue ??= new ReplayQueue(shared, (replay) => this.#replay(shared, replay));
        if (cursor === undefined) queue.begin(client);
        else queue.bring(client, cursor);
      },
      gone: (shared) => {
        if (this.#shared.get(made.key) === shared) this.#shared.delete(made.key);
      },
    });
  }

  #replay(shared: SharedStream, replay: Replayed): Upstream {
    const opener = new Opener(() => replay.requests(), this.#options.clock);
    return this.#upstream(shared, replay, replay.cursor, opener);
  }

  #upstream(shared: SharedStream, sink: UpstreamSink, cursor: string | undefined, opener: Opener): Upstream {
    const { plan, variables, perPrincipal } = shared.options;
    const upstream: Upstream = new Upstream({
      cursor,
      sink,
      resumable: plan.resumable !== undefined,
      incremental: shared.options.incremental,
      reopenForMs: this.#options.limits.reopenForMs,
      inOneGo: Math.max(1, Math.min(mostInOneGo, this.#options.limits.bufferedEvents >> 2)),
      observer: this.#options.observer,
      closed: () => this.#upstreams.delete(upstream),
      openingMessage: (at) => plan.openingMessage(variables, at),
      othersMayOpen: (code) => isAboutToken(code) && opener.canChange(),
      open: (after, signal) => {
        const by = opener.choose();
        if (!by)
          return Promise.resolve({ ok: false, answer: refusal(noSubscribersLeft(), '', this.#options.log) });
        return this.#open({ plan, variables, perPrincipal }, by, after, signal);
      },
    });
    this.#upstreams.add(upstream);
    return upstream;
  }

  async #open(
    wanted: { plan: StreamPlan; variables: Variables; perPrincipal: boolean },
    { principal, requestId, headers, trace }: StreamRequest,
    cursor: string | undefined,
    signal: AbortSignal,
  ): Promise<Subscribing> {
    const { plan, variables, perPrincipal } = wanted;
    try {
      const engine = this.#options.engine();
      const prepared = await engine.prepare({ query: plan.text, requestId });
      if (!prepared.ok) return prepared;
      if (prepared.operation.perPrincipal && !perPrincipal) {
        return {
          ok: false,
          answer: { ...refusal(changedUnderneath(), requestId, this.#options.log), lost: false },
        };
      }
      const upstreamVariables = plan.upstreamVariables(variables, cursor);
      const request = {
        query: plan.text,
        variables: upstreamVariables,
        ...callerOf(principal, perPrincipal || isDeliveredOnce(plan, perPrincipal, principal)),
        requestId,
        headers,
        signal,
        trace,
      };
      return await engine.subscribe(request);
    } catch (error) {
      signal.throwIfAborted();
      return { ok: false, answer: refusal(error, requestId, this.#options.log) };
    }
  }
}

/** Events that a worker or one person receives once, and cannot request again, are never shared. */
function isDeliveredOnce(
  plan: StreamPlan,
  perPrincipal: boolean,
  principal: StreamRequest['principal'],
): boolean {
  return !plan.resumable && (perPrincipal || principal?.kind === 'PILOT');
}

function* requestsOf(shared: SharedStream): Generator<StreamRequest> {
  for (const { request } of shared.clients) yield request;
}

function isAboutToken(code: string): boolean {
  return code === 'TOKEN_EXPIRED' || code === 'UNAUTHENTICATED';
}

function noSubscribersLeft(): DomainError {
  return new DomainError('REQUEST_CANCELLED', 'The last subscriber has disconnected');
}

function changedUnderneath(): DomainError {
  return new DomainError(
    'SERVICE_UNAVAILABLE',
    'The new schema makes this stream depend on the caller; subscribe again',
  );
}

function tooMany(field: string, value: number, limit: number): DomainError {
  const text = `There are ${value} ${field}; the limit is ${limit}`;
  return new DomainError('LIMIT_EXCEEDED', text, { field, value, expected: `at most ${limit}` });
}

function count(map: Map<string, number>, key: string, by: number): void {
  const next = (map.get(key) ?? 0) + by;
  if (next > 0) map.set(key, next);
  else map.delete(key);
}
