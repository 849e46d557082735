import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import {
  type CallEnd,
  type Cancellation,
  endOf,
  type Engine,
  type ExecutionText,
  type OperationInfo,
  type Preparation,
  throwIfEnded,
  type TraceRequest,
  withExtension,
} from '@rhizome/federation';
import {
  type AccessGuard,
  assertAffordable,
  callerOf,
  complete,
  costOf,
  type FairQueue,
  type GatewayLimits,
  isIntrospection,
  mayTrace,
  keyOf,
  planRefused,
  type RateLimiter,
  type Release,
  refusal,
  type Restriction,
  submittedJobs,
  workClassOf,
} from '../policy/index.js';
import type { AuditRecorder, Recording } from '../audit/index.js';
import type { ClientIdentity, EngineHolder, UseRecorder } from '../registry/index.js';
import type { ClientStream, SharedReads, StreamHub } from '../streams/index.js';
import type { GatewayMetrics } from './metrics.js';

/** An operation of a client, from any handler. */
export interface OperationRequest {
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
  /** Address of the client. */
  readonly address: string;
  /** Bytes of the body or message. */
  readonly bytes: number;
  /** The caller; undefined for an anonymous one. */
  readonly principal: Principal | undefined;
  readonly requestId: string;
  /** Name and version that the client reports. */
  readonly client: ClientIdentity;
  /** Headers that are forwarded to subgraphs. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Ends the operation early, as `cancellation` does; see {@link endOf}. */
  readonly signal?: AbortSignal | undefined;
  readonly cancellation?: Cancellation | undefined;
  /** Asks for `extensions.plan`. */
  readonly wantsPlan?: boolean | undefined;
  /** Tags of root fields that introspection leaves out. */
  readonly withoutTags?: readonly string[] | undefined;
}

/** An operation with an optional request for its plan. */
type TracedRequest = OperationRequest & { readonly trace?: TraceRequest };

/** Responses of a handler to an operation, by kind. */
export interface OperationResponder<T> {
  /** The operation was refused before it ran; with the error if it is the gateway's own. */
  refused(answer: ExecutionText, error?: unknown): T;
  /** Returns an error for a kind of operation that this handler does not support. */
  admit?(operation: OperationInfo): DomainError | undefined;
  /** A query's or a mutation's answer. */
  answered(answer: ExecutionText, operation: OperationInfo): T;
  streamed(stream: ClientStream, operation: OperationInfo): T;
}

/** Options of {@link Operations}. */
export interface OperationsOptions {
  readonly holder: EngineHolder;
  readonly reads: SharedReads;
  readonly hub: StreamHub;
  readonly metrics: GatewayMetrics;
  readonly log: Logger;
  /** Counts the use of schema elements; undefined if it is not recorded. */
  readonly use?: Pick<UseRecorder, 'record'> | undefined;
  /** Records calls; undefined if there is no audit log. */
  readonly audit?: AuditRecorder | undefined;
  /** Guard of an engine's access directives; undefined: there is none. */
  readonly accessOf?: ((engine: Engine) => AccessGuard | undefined) | undefined;
  /** True while no subgraph is published. */
  readonly isEmpty?: (() => boolean) | undefined;
  readonly limits: Pick<GatewayLimits, 'cost' | 'assumedListSize'>;
  /** Decides which operations run. */
  readonly queue: FairQueue;
  /** Decides which new operations are compiled. */
  readonly compilations: FairQueue;
  /** Counts what callers use; undefined if nothing is limited. */
  readonly rates: RateLimiter | undefined;
  /** Operations that are allowed without a token: none, introspection only, or all. */
  readonly anonymous: 'nothing' | 'introspection' | 'everything';
}

/** Runs operations of all handlers: checks them, shares equal ones, and passes them to the engine. */
export class Operations {
  readonly #options: OperationsOptions;
  #running = 0;
  #onIdle: (() => void) | undefined;

  constructor(parts: OperationsOptions) {
    this.#options = parts;
  }

  /** Number of running queries and mutations. */
  get running(): number {
    return this.#running;
  }

  /** Resolves when nothing runs, or after `withinMs`. */
  async idle(withinMs: number): Promise<void> {
    if (this.#running === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
    await Promise.race([late, new Promise<void>((resolve) => (this.#onIdle = resolve))]);
    clearTimeout(timer);
  }

  /** Runs an operation. Rejects only with the reason that ended the request. */
  run<T>(request: OperationRequest, use: OperationResponder<T>, cursor?: string): Promise<T> {
    // Lines name the request by themselves: an AsyncLocalStorage in use costs every promise of the process.
    return this.#options.holder.borrow((engine) => this.#run(engine, request, use, cursor));
  }

  async #run<T>(
    engine: Engine,
    request: OperationRequest,
    use: OperationResponder<T>,
    cursor: string | undefined,
  ): Promise<T> {
    const { requestId } = request;
    const arrived = performance.now();
    let prepared: Preparation;
    try {
      const preparation = this.#prepare(engine, request);
      prepared = preparation instanceof Promise ? await preparation : preparation;
    } catch (overload) {
      return this.#refuse({ request }, overload, use);
    }
    if (!prepared.ok) return use.refused(this.#count(this.#ofEmptyGraph(prepared.answer, requestId)));
    const { operation } = prepared;
    const cost = this.#costOf(engine, operation, request);
    const error =
      this.#anonymous(request, operation) ??
      use.admit?.(operation) ??
      cost.error ??
      this.#charge(request, operation, cost.value);
    if (error) return this.#refuse({ request, operation }, error, use);
    let release: Release;
    try {
      const turn = this.#enter(request, operation, cost.value);
      release = turn instanceof Promise ? await turn : turn;
    } catch (overload) {
      return this.#refuse({ request, operation }, overload, use);
    }
    try {
      return await this.#admitted(engine, operation, { request, cost: cost.value, arrived }, use, cursor);
    } finally {
      release();
    }
  }

  async #admitted<T>(
    engine: Engine,
    operation: OperationInfo,
    { request, cost, arrived }: { request: OperationRequest; cost: number; arrived: number },
    use: OperationResponder<T>,
    cursor: string | undefined,
  ): Promise<T> {
    this.#options.use?.record(operation, engine.publicSchema, request.client);
    const traced = this.#traced(request, { preparedMs: performance.now() - arrived, cost });
    const restriction = this.#options.accessOf?.(engine)?.restrict(engine, operation, request.principal);
    if (restriction) return this.#restricted(engine, operation, { request, restriction }, use);
    if (operation.kind === 'subscription') {
      try {
        await this.#recordOpening(operation, request);
      } catch (unrecorded) {
        return this.#refuse({ request, operation }, unrecorded, use);
      }
      return use.streamed(this.#subscribe(engine, operation, traced, cursor), operation);
    }
    const answer = await this.#execute(engine, operation, traced);
    if (!request.wantsPlan || traced.trace) return use.answered(answer, operation);
    return use.answered(
      withExtension(answer, 'plan', JSON.stringify({ refused: planRefused(request) })),
      operation,
    );
  }

  /** Compiles a new operation in turn with those of other subjects; pilots do not wait. */
  #prepare(engine: Engine, request: OperationRequest): Preparation | Promise<Preparation> {
    const { query, operationName, requestId, principal, address } = request;
    const wanted = { query, operationName, requestId };
    if (principal?.kind === 'PILOT' || engine.isPrepared(wanted)) return engine.prepare(wanted);
    const turn = this.#options.compilations.enter({
      subject: principal ? keyOf(principal) : address,
      workClass: workClassOf(principal, 'subscription', this.#options.anonymous !== 'everything'),
      cost: 0,
      bytes: query.length,
    });
    return compileInTurn(turn, () => engine.prepare(wanted));
  }

  /** Runs an operation without the fields that the caller may not read; a subscription is refused. */
  async #restricted<T>(
    engine: Engine,
    operation: OperationInfo,
    { request, restriction }: { request: OperationRequest; restriction: Restriction },
    use: OperationResponder<T>,
  ): Promise<T> {
    const { requestId, variables } = request;
    if (operation.kind === 'subscription') {
      const [field] = restriction.refused.values();
      const error = new DomainError('FORBIDDEN', `You may not read ${field ?? ''}`);
      return this.#refuse({ request, operation }, error, use);
    }
    const { query } = restriction;
    const prepared = await engine.prepare({ query, requestId });
    if (!prepared.ok) return use.refused(this.#count(prepared.answer));
    const asked = { ...request, query, operationName: undefined };
    const answer = await this.#execute(engine, prepared.operation, asked);
    if (operation.kind === 'query') this.#options.audit?.refused(request, ['FORBIDDEN'], operation);
    return use.answered(
      complete(answer, restriction, engine.publicSchema, { variables, requestId }),
      operation,
    );
  }

  #refuse<T>(
    { request, operation }: { readonly request: OperationRequest; readonly operation?: OperationInfo },
    error: unknown,
    use: OperationResponder<T>,
  ): T {
    const answer = this.#count(refusal(error, request.requestId, this.#options.log));
    this.#options.audit?.refused(request, answer.codes, operation);
    return use.refused(answer, error);
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

  #enter(request: OperationRequest, { kind }: OperationInfo, cost: number): Release | Promise<Release> {
    const { principal, address, bytes } = request;
    const workClass = workClassOf(principal, kind, this.#options.anonymous !== 'everything');
    return this.#options.queue.enter({
      subject: principal ? keyOf(principal) : address,
      workClass,
      cost,
      bytes,
    });
  }

  /** Records a subscription of an agent. @throws DomainError SERVICE_UNAVAILABLE if that fails */
  async #recordOpening(operation: OperationInfo, request: OperationRequest): Promise<void> {
    const recording = await this.#options.audit?.begin(operation, request);
    recording?.opened();
  }

  /** An operation that does not fit an empty graph is valid once the subgraphs are published. */
  #ofEmptyGraph(answer: ExecutionText, requestId: string): ExecutionText {
    if (!answer.codes.includes('GRAPHQL_VALIDATION_FAILED') || !this.#options.isEmpty?.()) return answer;
    const text = 'No subgraph is published in the schema registry yet; publish the schema of core first';
    return refusal(new DomainError('SERVICE_UNAVAILABLE', text), requestId, this.#options.log);
  }

  #traced(request: OperationRequest, trace: TraceRequest): TracedRequest {
    return request.wantsPlan && mayTrace(request.principal) ? { ...request, trace } : request;
  }

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

  #subscribe(
    engine: Engine,
    operation: OperationInfo,
    { variables = {}, principal, requestId, headers, trace, client, address }: TracedRequest,
    cursor: string | undefined,
  ): ClientStream {
    const { hub } = this.#options;
    const caller = { principal, requestId, client, address };
    return hub.subscribe({ engine, operation, variables, headers, cursor, trace, ...caller });
  }

  async #execute(engine: Engine, operation: OperationInfo, request: TracedRequest): Promise<ExecutionText> {
    const started = performance.now();
    const end = endOf(request);
    this.#running++;
    let answer: ExecutionText;
    let recording: Recording | undefined;
    try {
      const intent = this.#options.audit?.begin(operation, request);
      if (intent) recording = await intent;
      answer = await this.#answer(engine, operation, request, end);
    } catch (error) {
      // Unexpected errors become a response as well; only the request's end passes.
      if (end.isCancelled) recording?.cancel();
      throwIfEnded(end);
      answer = refusal(error, request.requestId, this.#options.log);
    } finally {
      this.#running--;
      if (this.#running === 0) this.#onIdle?.();
    }
    this.#options.metrics.answered(answer, (performance.now() - started) / 1000);
    if (recording) recording.end(answer);
    else if (answer.codes.length > 0) this.#options.audit?.refused(request, answer.codes, operation);
    return answer;
  }

  #answer(
    engine: Engine,
    operation: OperationInfo,
    request: TracedRequest,
    end: CallEnd,
  ): Promise<ExecutionText> {
    const { query, operationName, variables, principal, requestId, headers, trace, withoutTags } = request;
    const caller = callerOf(principal, operation.kind === 'mutation' || operation.perPrincipal);
    const { scope } = caller;
    // Written out: spreading objects would cost as much as several steps of a plan.
    const execute = (signal: AbortSignal | undefined, cancellation: Cancellation | undefined) =>
      engine.execute({
        query,
        operationName,
        variables,
        principal: caller.principal,
        scope,
        requestId,
        headers,
        trace,
        withoutTags,
        signal,
        cancellation,
      });
    if (operation.kind === 'mutation')
      return execute(request.signal, request.cancellation).finally(() =>
        this.#options.reads.closeToNewReaders(),
      );
    if (operation.kind !== 'query' || trace) return execute(request.signal, request.cancellation);
    const view = withoutTags ? `\n# without ${JSON.stringify(withoutTags)}` : '';
    const key = { document: operation.normalisedText + view, variables, scope };
    const { answer, shared } = this.#options.reads.read(key, end, (cancellation) =>
      execute(undefined, cancellation),
    );
    return shared ? answer.finally(() => this.#options.metrics.readShared()) : answer;
  }

  #count(answer: ExecutionText): ExecutionText {
    this.#options.metrics.refused(answer.codes[0] ?? 'UNKNOWN');
    return answer;
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
