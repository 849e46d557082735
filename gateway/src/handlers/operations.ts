import { DomainError } from '@rhizome/errors';
import {
  type Engine,
  type ExecutionText,
  type OperationInfo,
  type Preparation,
  type TraceRequest,
  withExtension,
} from '@rhizome/federation';
import {
  type AccessGuard,
  complete,
  mayTrace,
  planRefused,
  type Release,
  refusal,
  type Restriction,
} from '../policy/index.js';
import type { AgentMeter } from '../agents/index.js';
import type { EngineHolder, UseRecorder } from '../registry/index.js';
import type { ClientStream, StreamHub } from '../streams/index.js';
import { Admission, type AdmissionOptions, type Checked } from './admission.js';
import { Execution, type ExecutionOptions } from './execution.js';
import type { OperationRequest, OperationResponder, TracedRequest } from './operation-request.js';

/** Options of {@link Operations}. */
export interface OperationsOptions extends AdmissionOptions, ExecutionOptions {
  readonly holder: EngineHolder;
  readonly hub: StreamHub;
  /** Counts the use of schema elements; undefined if it is not recorded. */
  readonly use?: Pick<UseRecorder, 'record'> | undefined;
  /** Guard of an engine's access directives; undefined: there is none. */
  readonly accessOf?: ((engine: Engine) => AccessGuard | undefined) | undefined;
  /** Counts what agents use. */
  readonly meter?: Pick<AgentMeter, 'counts' | 'call' | 'answer'> | undefined;
  /** True while no subgraph is published. */
  readonly isEmpty?: (() => boolean) | undefined;
}

/** Runs operations of all handlers: admits them, and passes them to the engine or to the streams. */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #admission: Admission;
  readonly #execution: Execution;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#admission = new Admission(options);
    this.#execution = new Execution(options);
  }

  /** Number of running queries and mutations. */
  get running(): number {
    return this.#execution.running;
  }

  /** Resolves when nothing runs, or after `withinMs`. */
  idle(withinMs: number): Promise<void> {
    return this.#execution.idle(withinMs);
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
      const preparation = this.#admission.prepare(engine, request);
      prepared = preparation instanceof Promise ? await preparation : preparation;
    } catch (overload) {
      return this.#refuse({ request }, overload, use);
    }
    if (!prepared.ok) return use.refused(this.#count(this.#ofEmptyGraph(prepared.answer, requestId)));
    const { operation } = prepared;
    const checked = this.#admission.check(engine, operation, request, (info) => use.admit?.(info));
    const { error } = checked;
    if (error) return this.#refuse({ request, operation }, error, use);
    const { meter } = this.#options;
    if (meter?.counts(request.principal) && request.isMetered !== true) {
      try {
        await meter.call(request.principal);
      } catch (limited) {
        return this.#refuse({ request, operation }, limited, use);
      }
    }
    let release: Release;
    try {
      const turn = this.#admission.enter(request, operation, checked);
      release = turn instanceof Promise ? await turn : turn;
    } catch (overload) {
      return this.#refuse({ request, operation }, overload, use);
    }
    try {
      return await this.#admitted(engine, operation, { request, checked, arrived }, use, cursor);
    } finally {
      release();
    }
  }

  async #admitted<T>(
    engine: Engine,
    operation: OperationInfo,
    { request, checked, arrived }: { request: OperationRequest; checked: Checked; arrived: number },
    use: OperationResponder<T>,
    cursor: string | undefined,
  ): Promise<T> {
    this.#options.use?.record(operation, engine.publicSchema, request.client);
    const { cost, waitMs } = checked;
    const trace = { preparedMs: performance.now() - arrived, cost };
    const traced = this.#traced(waitMs > 0 ? { ...request, waitMs } : request, trace);
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
    const answer = await this.#metered(await this.#execution.run(engine, operation, traced), request);
    if (!request.wantsPlan || traced.trace) return use.answered(answer, operation);
    return use.answered(
      withExtension(answer, 'plan', JSON.stringify({ refused: planRefused(request) })),
      operation,
    );
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
    const answer = await this.#metered(await this.#execution.run(engine, prepared.operation, asked), request);
    if (operation.kind === 'query') this.#options.audit?.refused(request, ['FORBIDDEN'], operation);
    return use.answered(
      complete(answer, restriction, engine.publicSchema, { variables, requestId }),
      operation,
    );
  }

  /** The answer, or a refusal if the budget of an agent has too little left for it. */
  async #metered(answer: ExecutionText, request: OperationRequest): Promise<ExecutionText> {
    const { meter } = this.#options;
    if (!meter?.counts(request.principal) || request.isMetered === true) return answer;
    try {
      await meter.answer(request.principal, answer.text.length);
      return answer;
    } catch (limited) {
      return this.#count(refusal(limited, request.requestId, this.#options.log));
    }
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

  #traced(request: TracedRequest, trace: TraceRequest): TracedRequest {
    return request.wantsPlan && mayTrace(request.principal) ? { ...request, trace } : request;
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

  #count(answer: ExecutionText): ExecutionText {
    this.#options.metrics.refused(answer.codes[0] ?? 'UNKNOWN');
    return answer;
  }
}
