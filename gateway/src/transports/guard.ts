/** What stands before each subgraph, so that one that is down, slow or flooded costs its own fields only. */
import { DomainError, isDomainError } from '@rhizome/errors';
import {
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  handleWhen,
  isBrokenCircuitError,
  SamplingBreaker,
} from 'cockatiel';
import {
  Cancellation,
  endedBy,
  endOf,
  type SubgraphRequest,
  type SubgraphResult,
  type Transport,
} from '@rhizome/federation';
import { GuardedStream } from './guarded-stream.js';

/** Bounds of one subgraph. */
export interface GuardLimits {
  /** Queries and mutations that run at once; undefined: any number. */
  readonly concurrency: number | undefined;
  /** Milliseconds that a query may take; undefined: what the engine allows. */
  readonly queryTimeoutMs?: number | undefined;
}

/** Whether a subgraph is asked. */
export type GuardState = 'UP' | 'DOWN' | 'HALF_OPEN';

/** How a subgraph has fared in this process. */
export interface GuardFacts {
  readonly state: GuardState;
  readonly stateSince: Date;
  readonly lastError: string | null;
  readonly lastErrorAt: Date | null;
  readonly runningCalls: number;
  readonly callLimit: number | null;
  readonly calls: number;
  readonly failedCalls: number;
  readonly refusedCalls: number;
}

/** Of the calls of the last ten seconds, of which there are ten at least, more than half failed: it is left alone. */
const sampling = { threshold: 0.5, duration: 10_000, minimumRps: 1 };
/** After this one call tries whether it answers again, in milliseconds. */
const tryAgainAfterMs = 1_000;

const states: Readonly<Record<CircuitState, GuardState>> = {
  [CircuitState.Closed]: 'UP',
  [CircuitState.Open]: 'DOWN',
  [CircuitState.HalfOpen]: 'HALF_OPEN',
  [CircuitState.Isolated]: 'DOWN',
};

/** A limit and a circuit breaker for one subgraph; it outlives supergraphs. */
class Guard {
  readonly #subgraph: string;
  readonly #limits: () => GuardLimits;
  readonly #now: () => Date;
  readonly #breaker: CircuitBreakerPolicy;
  #stateSince: Date;
  #lastError: { readonly text: string; readonly at: Date } | undefined;
  #running = 0;
  #calls = 0;
  #failed = 0;
  #refused = 0;

  constructor(subgraph: string, limits: () => GuardLimits, now: () => Date) {
    this.#subgraph = subgraph;
    this.#limits = limits;
    this.#now = now;
    this.#stateSince = now();
    this.#breaker = circuitBreaker(handleWhen(isFailure), {
      halfOpenAfter: tryAgainAfterMs,
      breaker: new SamplingBreaker(sampling),
    });
    this.#breaker.onStateChange(() => (this.#stateSince = now()));
  }

  get facts(): GuardFacts {
    return {
      state: states[this.#breaker.state],
      stateSince: this.#stateSince,
      lastError: this.#lastError?.text ?? null,
      lastErrorAt: this.#lastError?.at ?? null,
      runningCalls: this.#running,
      callLimit: this.#limits().concurrency ?? null,
      calls: this.#calls,
      failedCalls: this.#failed,
      refusedCalls: this.#refused,
    };
  }

  /**
   * A transport that asks only while the guard lets it. Of subscriptions it counts whether they can be opened; in
   * process there is no way that could be closed.
   */
  around(transport: Transport): Transport {
    return {
      wire: transport.wire,
      execute: (request) => this.#execute(transport, request),
      subscribe: (request) =>
        transport.wire === 'objects'
          ? transport.subscribe(request)
          : new GuardedStream(
              () => transport.subscribe(request),
              (open) => this.#ask(open),
            ),
      close: () => transport.close(),
    };
  }

  async #execute(transport: Transport, request: SubgraphRequest): Promise<SubgraphResult> {
    const { concurrency } = this.#limits();
    if (concurrency !== undefined && this.#running >= concurrency) throw this.#tooMany(concurrency);
    return this.#ask(async () => {
      this.#running++;
      try {
        return await this.#call(transport, request);
      } finally {
        this.#running--;
      }
    });
  }

  /** Asks the service, unless it is left alone, and counts how it fares. */
  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#breaker.state === CircuitState.HalfOpen) throw this.#leftAlone();
    this.#calls++;
    try {
      return await this.#breaker.execute(ask);
    } catch (error) {
      if (isBrokenCircuitError(error)) {
        this.#calls--;
        throw this.#leftAlone();
      }
      if (isFailure(error)) this.#note(error);
      throw error;
    }
  }

  /** A call that was given up takes no place any more, also where its transport goes on. */
  #call(transport: Transport, request: SubgraphRequest): Promise<SubgraphResult> {
    const timeoutMs = request.operation.kind === 'query' ? this.#limits().queryTimeoutMs : undefined;
    if (timeoutMs !== undefined) return this.#within(timeoutMs, transport, request);
    // Over the network a call ends with its signal; in process it may not.
    if (transport.wire === 'text') return transport.execute(request);
    const end = endOf(request);
    return new Promise((resolve, reject) => {
      const settle = end.onCancel((reason) => reject(reasonOf(reason)));
      if (end.isCancelled) return;
      transport.execute(request).then(
        (result) => {
          settle();
          resolve(result);
        },
        (error: unknown) => {
          settle();
          reject(error as Error);
        },
      );
    });
  }

  #within(timeoutMs: number, transport: Transport, request: SubgraphRequest): Promise<SubgraphResult> {
    const end = endOf(request);
    return new Promise((resolve, reject) => {
      const cancellation = new Cancellation();
      const giveUp = (why: Error): void => {
        cancellation.cancel(why);
        reject(why);
      };
      const settle = end.onCancel((reason) => giveUp(reasonOf(reason)));
      if (end.isCancelled) return;
      const timer = setTimeout(() => giveUp(this.#late(timeoutMs)), timeoutMs);
      const over = (): void => {
        clearTimeout(timer);
        settle();
      };
      transport.execute(endedBy(request, cancellation)).then(
        (result) => {
          over();
          resolve(result);
        },
        (error: unknown) => {
          over();
          reject(error as Error);
        },
      );
    });
  }

  #late(timeoutMs: number): DomainError {
    const text = `The service "${this.#subgraph}" did not answer within ${timeoutMs} ms`;
    return new DomainError('DOWNSTREAM_SERVICE_ERROR', text);
  }

  #note(error: unknown): void {
    this.#failed++;
    const text = isDomainError(error) ? error.message : 'call failed';
    this.#lastError = { text, at: this.#now() };
  }

  #tooMany(limit: number): DomainError {
    this.#refused++;
    const text = `The service "${this.#subgraph}" has ${this.#running} calls under way, which is its limit; ask again later`;
    return new DomainError('LIMIT_EXCEEDED', text, {
      field: 'calls under way',
      value: this.#running,
      expected: `fewer than ${limit}`,
    });
  }

  #leftAlone(): DomainError {
    this.#refused++;
    const last = this.#lastError ? `; the last time: ${this.#lastError.text}` : '';
    const text = `The service "${this.#subgraph}" has failed too often and is left alone for a moment${last}`;
    return new DomainError('SERVICE_UNAVAILABLE', text, { since: this.#stateSince.toISOString() });
  }
}

/** Troubles of the service and of the way to it; not what the client or its rights are to blame for. */
function isFailure(error: unknown): boolean {
  if (!isDomainError(error)) return true;
  return error.http >= 500 || error.code === 'LIMIT_EXCEEDED';
}

/** Whoever has gone is not the service's fault; whatever else ends a call says so itself. */
function reasonOf(reason: unknown): Error {
  return isDomainError(reason) ? reason : new DomainError('REQUEST_CANCELLED', 'The call was cancelled');
}

/** The guards of a gateway by subgraph. */
export class Guards {
  readonly #limitsOf: (subgraph: string) => GuardLimits;
  readonly #now: () => Date;
  readonly #guards = new Map<string, Guard>();

  constructor(limitsOf: (subgraph: string) => GuardLimits, now: () => Date) {
    this.#limitsOf = limitsOf;
    this.#now = now;
  }

  /** The guard of a subgraph; always the same one. */
  of(subgraph: string): Guard {
    let guard = this.#guards.get(subgraph);
    if (!guard) {
      guard = new Guard(subgraph, () => this.#limitsOf(subgraph), this.#now);
      this.#guards.set(subgraph, guard);
    }
    return guard;
  }

  /** All that were asked for, with what they know. */
  facts(): ReadonlyMap<string, GuardFacts> {
    return new Map([...this.#guards].map(([name, guard]) => [name, guard.facts]));
  }
}
