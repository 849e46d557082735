/** Guards each subgraph, so that one that is down, slow or flooded affects only its own fields. */
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
  /** Maximum number of concurrent operations, those that wait for work aside; undefined: unlimited. */
  readonly concurrency: number | undefined;
  /** Time limit of a query in milliseconds; undefined: the engine's. */
  readonly queryTimeoutMs?: number | undefined;
}

/** State of the circuit breaker. */
export type GuardState = 'UP' | 'DOWN' | 'HALF_OPEN';

/** Facts about a subgraph in this process. */
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

/**
 * The circuit opens if more than half of the calls of the last ten seconds failed, given at least ten calls.
 */
const sampling = { threshold: 0.5, duration: 10_000, minimumRps: 1 };
/** Milliseconds after which one call tests the subgraph again. */
const tryAgainAfterMs = 1_000;

const states: Readonly<Record<CircuitState, GuardState>> = {
  [CircuitState.Closed]: 'UP',
  [CircuitState.Open]: 'DOWN',
  [CircuitState.HalfOpen]: 'HALF_OPEN',
  [CircuitState.Isolated]: 'DOWN',
};

/** A concurrency limit and a circuit breaker for one subgraph; it outlives supergraphs. */
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
   * A transport whose calls the guard must admit. Of subscriptions, only the opening counts; in process there
   * is no connection that could break.
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
              (open) => this.#guarded(open),
            ),
      close: () => transport.close(),
    };
  }

  async #execute(transport: Transport, request: SubgraphRequest): Promise<SubgraphResult> {
    // Calls that wait for work have limits of their own: they would fill that of the operations that work.
    if (request.waitMs) return this.#guarded(() => this.#call(transport, request));
    const { concurrency } = this.#limits();
    if (concurrency !== undefined && this.#running >= concurrency) throw this.#tooMany(concurrency);
    return this.#guarded(async () => {
      this.#running++;
      try {
        return await this.#call(transport, request);
      } finally {
        this.#running--;
      }
    });
  }

  /** Calls the service unless the circuit is open, and counts the outcome. */
  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    if (this.#breaker.state === CircuitState.HalfOpen) throw this.#circuitOpen();
    this.#calls++;
    try {
      return await this.#breaker.execute(call);
    } catch (error) {
      if (isBrokenCircuitError(error)) {
        this.#calls--;
        throw this.#circuitOpen();
      }
      if (isFailure(error)) this.#recordError(error);
      throw error;
    }
  }

  /** A cancelled call frees its slot at once, even if its transport continues. */
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

  #recordError(error: unknown): void {
    this.#failed++;
    const text = isDomainError(error) ? error.message : 'call failed';
    this.#lastError = { text, at: this.#now() };
  }

  #tooMany(limit: number): DomainError {
    this.#refused++;
    const text = `The service "${this.#subgraph}" has reached its limit of ${this.#running} concurrent calls; try again later`;
    return new DomainError('LIMIT_EXCEEDED', text, {
      field: 'concurrent calls',
      value: this.#running,
      expected: `fewer than ${limit}`,
    });
  }

  #circuitOpen(): DomainError {
    this.#refused++;
    const last = this.#lastError ? `; latest error: ${this.#lastError.text}` : '';
    const text = `The service "${this.#subgraph}" has failed too often and is not called for a moment${last}`;
    return new DomainError('SERVICE_UNAVAILABLE', text, { since: this.#stateSince.toISOString() });
  }
}

/** True for errors of the service or its connection, which neither the client nor its permissions cause. */
function isFailure(error: unknown): boolean {
  if (!isDomainError(error)) return true;
  return error.http >= 500 || error.code === 'LIMIT_EXCEEDED';
}

/** A disconnected client is not the service's error; other reasons describe themselves. */
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

  /** All subgraphs with a guard, and their facts. */
  facts(): ReadonlyMap<string, GuardFacts> {
    return new Map([...this.#guards].map(([name, guard]) => [name, guard.facts]));
  }
}
