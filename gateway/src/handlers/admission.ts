import { DomainError } from '@rhizome/errors';
import type { Engine, OperationInfo, Preparation } from '@rhizome/federation';
import {
  assertAffordable,
  costOf,
  type FairQueue,
  type GatewayLimits,
  isIntrospection,
  keyOf,
  type RateLimiter,
  type Release,
  submittedJobs,
  type WaitingCalls,
  waitMsOf,
  type WorkClass,
  workClassOf,
} from '../policy/index.js';
import type { OperationRequest } from './operation-request.js';

/** Options of {@link Admission}. */
export interface AdmissionOptions {
  readonly limits: Pick<GatewayLimits, 'cost' | 'assumedListSize'>;
  /** Decides which operations run. */
  readonly queue: FairQueue;
  /** Decides which new operations are compiled. */
  readonly compilations: FairQueue;
  /** Counts calls that wait for work. */
  readonly waitingCalls: WaitingCalls;
  /** Counts what callers use; undefined if nothing is limited. */
  readonly rates: RateLimiter | undefined;
  /** Operations that are allowed without a token: none, introspection only, or all. */
  readonly anonymous: 'nothing' | 'introspection' | 'everything';
}

/** Cost of an operation, and the first reason for which it does not run. */
export interface Checked {
  readonly cost: number;
  /** Milliseconds for which the operation may wait for work; 0 for one that works at once. */
  readonly waitMs: number;
  readonly error?: unknown;
}

/** Decides whether an operation runs, and when. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * Compiles a new operation in turn with those of other subjects; pilots do not wait for their few ones.
   * @throws DomainError LIMIT_EXCEEDED, SERVICE_UNAVAILABLE
   */
  prepare(engine: Engine, request: OperationRequest): Preparation | Promise<Preparation> {
    const { query, operationName, requestId, principal } = request;
    const wanted = { query, operationName, requestId };
    if (engine.isPrepared(wanted)) return engine.prepare(wanted);
    if (principal?.kind === 'PILOT' && !this.#options.rates?.use(principal, { documents: 1 }))
      return engine.prepare(wanted);
    const turn = this.#options.compilations.enter({
      ...this.#callerOf(request, 'subscription'),
      // A pilot with very many documents waits as others do.
      ...(principal?.kind === 'PILOT' && { workClass: 'stream' }),
      cost: 0,
      bytes: query.length,
    });
    return compileInTurn(turn, () => engine.prepare(wanted));
  }

  /** Checks an operation, and charges its caller if it may run; `admits` is the check of its handler. */
  check(
    engine: Engine,
    operation: OperationInfo,
    request: OperationRequest,
    admits: (operation: OperationInfo) => DomainError | undefined,
  ): Checked {
    const { value: cost, error } = this.#costOf(engine, operation, request);
    const waitMs = waitMsOf(operation, engine.publicSchema, request.variables ?? {});
    return {
      cost,
      waitMs: waitMs > 0 && isSmall(request) ? waitMs : 0,
      error:
        this.#anonymous(request, operation) ??
        admits(operation) ??
        error ??
        this.#charge(request, operation, cost),
    };
  }

  /**
   * Waits for the turn of an operation. One that waits for work then leaves its place to others, and counts
   * as a waiting call.
   * @throws DomainError LIMIT_EXCEEDED, SERVICE_UNAVAILABLE
   */
  enter(
    request: OperationRequest,
    { kind }: OperationInfo,
    { cost, waitMs }: Checked,
  ): Release | Promise<Release> {
    const caller = this.#callerOf(request, kind);
    const enter = () => this.#options.queue.enter({ ...caller, cost, bytes: request.bytes });
    if (waitMs === 0 || caller.workClass === 'pilot') return enter();
    const attempt = request.principal?.attempt?.jobId;
    const leave = this.#options.waitingCalls.enter({ subject: caller.subject, attempt });
    return leavePlace(enter, leave);
  }

  #callerOf(
    { principal, address }: OperationRequest,
    kind: OperationInfo['kind'],
  ): { readonly subject: string; readonly workClass: WorkClass } {
    return {
      subject: principal ? keyOf(principal) : address,
      workClass: workClassOf(principal, kind, this.#options.anonymous !== 'everything'),
    };
  }

  /** The error of a caller who has used up a rate. */
  #charge(request: OperationRequest, operation: OperationInfo, cost: number): DomainError | undefined {
    const { principal, variables } = request;
    const { rates } = this.#options;
    if (!rates || !principal) return undefined;
    return rates.use(principal, {
      cost,
      mutations: operation.kind === 'mutation' ? 1 : 0,
      streams: operation.kind === 'subscription' ? 1 : 0,
      submittedJobs: submittedJobs(operation, variables ?? {}),
    });
  }

  /** The error of a caller who needs a token. */
  #anonymous({ principal }: OperationRequest, operation: OperationInfo): DomainError | undefined {
    const { anonymous } = this.#options;
    if (principal || anonymous === 'everything') return undefined;
    if (anonymous === 'introspection' && isIntrospection(operation)) return undefined;
    return new DomainError(
      'UNAUTHENTICATED',
      'Authentication required: without a token only introspection is allowed',
      {
        field: 'authorization',
        expected: 'Bearer <token>',
      },
    );
  }

  #costOf(
    engine: Engine,
    operation: OperationInfo,
    { variables }: OperationRequest,
  ): { readonly value: number; readonly error?: unknown } {
    const { limits } = this.#options;
    try {
      const value = costOf(operation, engine.publicSchema, variables ?? {}, limits);
      assertAffordable(value, limits.cost);
      return { value };
    } catch (error) {
      return { value: 0, error };
    }
  }
}

/**
 * Largest request for work that waits: its body stays in memory for the wait, and thousands may wait. A
 * larger one counts as an operation that works.
 */
const maxWaitingBytes = 16 * 1024;

/** True for a request that may wait. Those of pilots are few; messages of WebSockets have no known size. */
function isSmall({ principal, bytes, query, variables }: OperationRequest): boolean {
  if (principal?.kind === 'PILOT') return true;
  const size = bytes > 0 ? bytes : query.length + (JSON.stringify(variables)?.length ?? 0);
  return size <= maxWaitingBytes;
}

/** Takes a turn without holding it. */
async function leavePlace(enter: () => Release | Promise<Release>, leave: Release): Promise<Release> {
  try {
    const release = await enter();
    release();
    return leave;
  } catch (error) {
    leave();
    throw error;
  }
}

async function compileInTurn(
  turn: Release | Promise<Release>,
  prepare: () => Preparation | Promise<Preparation>,
): Promise<Preparation> {
  const release = await turn;
  try {
    return await prepare();
  } finally {
    release();
  }
}
