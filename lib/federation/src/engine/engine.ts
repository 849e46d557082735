import { DomainError } from '@rhizome/errors';
import type { GraphQLSchema } from 'graphql';
import { type CallEnd, endOf, throwIfEnded } from '../transport/cancellation.js';
import type { Transport } from '../transport/transport.js';
import { type Refusal, refusalText } from '../result/refusal.js';
import { cursorReader } from './cursor.js';
import { defaultLimits } from './limits.js';
import {
  type EngineComponents,
  type MadePlan,
  Operation,
  type Overrides,
  withExtension,
} from '../operation/operation.js';
import { OperationStore } from '../operation/operation-store.js';
import { SchemaViews } from '../operation/schema-views.js';
import { createOverrides } from './overrides.js';
import { createInlinePlanning, createProcessPlanning, type PlanningService } from '../planning/pool.js';
import { buildInTurns } from '../supergraph/build-schema.js';
import { RunningCalls, type RunContext } from '../fetch/run-state.js';
import { EventStream } from './subscription.js';
import { Trace } from './trace.js';
import { yieldToEventLoop } from './event-loop-queue.js';
import { TypeRelations } from '../supergraph/type-relations.js';
import type {
  ClientRequest,
  Engine,
  EngineLimits,
  EngineOptions,
  ExecutionText,
  Preparation,
  Subscribing,
} from './types.js';

/**
 * Creates an engine for a supergraph. The supergraph never changes: a new one gets a new engine.
 * Rejects with COMPOSITION_FAILED if the text is not a supergraph.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const limits: EngineLimits = { ...defaultLimits, ...options.limits };
  return createEngineOn(await startPlanning(options, limits), options);
}

/** Builds the engine on a planning service and closes the service with it; tests pass one of their own. */
export async function createEngineOn(planning: PlanningService, options: EngineOptions): Promise<Engine> {
  const limits: EngineLimits = { ...defaultLimits, ...options.limits };
  try {
    if (planning.facts.subgraphs.length === 0) throw unusable('it names no subgraphs (enum join__Graph)');
    // The reply of the planner was read in this round of the event loop, which was enough work for one round.
    await yieldToEventLoop();
    const schema = await buildInTurns(planning.facts.publicDefinitions);
    await yieldToEventLoop();
    return new FederationEngine(options, limits, planning, schema);
  } catch (error) {
    await planning.close();
    throw error;
  }
}

function unusable(why: string, cause?: unknown): DomainError {
  return new DomainError('COMPOSITION_FAILED', `The supergraph cannot be used: ${why}`, {}, { cause });
}

async function startPlanning(options: EngineOptions, limits: EngineLimits): Promise<PlanningService> {
  const settings = {
    supergraphSdl: options.supergraphSdl,
    documentTokens: limits.documentTokens,
    expandedFields: limits.expandedFields,
    timeoutMs: limits.planTimeoutMs,
  };
  try {
    return options.planning === 'inline'
      ? createInlinePlanning(settings)
      : await createProcessPlanning(settings);
  } catch (error) {
    throw unusable(error instanceof Error ? error.message : String(error), error);
  }
}

class FederationEngine implements Engine {
  readonly publicSchema: GraphQLSchema;
  readonly publicSdl: string;
  readonly subgraphs: Engine['subgraphs'];
  readonly #options: EngineOptions;
  readonly #parts: EngineComponents;
  readonly #overridesOf: (request: ClientRequest) => Overrides;
  readonly #transports = new Map<string, Transport>();
  readonly #operationStore: OperationStore;
  readonly #streams = new Set<EventStream>();
  #operations = 0;
  #isClosing = false;
  #onIdle: (() => void) | undefined;

  constructor(
    options: EngineOptions,
    limits: EngineLimits,
    planning: PlanningService,
    schema: GraphQLSchema,
  ) {
    const { facts, overrides } = planning;
    this.#options = options;
    this.publicSchema = schema;
    this.publicSdl = facts.publicDefinitions.join('\n\n');
    this.subgraphs = facts.subgraphs;
    for (const { name, url } of facts.subgraphs) this.#transports.set(name, options.transports(name, url));
    this.#overridesOf = createOverrides(overrides, options.overrideLabels);
    const relations = new TypeRelations(facts.possibleTypes);
    this.#parts = {
      schema,
      planning,
      limits,
      log: options.log,
      fallbackOnly: options.planner === 'fallback',
      onPlan: options.onPlan,
      views: new SchemaViews(schema, facts.rootFieldTags),
      relations,
      names: {
        isHiddenValue: (name, value) => facts.hiddenValues[name]?.includes(value as string) ?? false,
        isPossible: (typename, name) => relations.matches(typename, name),
      },
      transportOf: (subgraph) => this.#transportOf(subgraph),
      timeoutOf: (subgraph) => limits.subgraphTimeoutsMs[subgraph] ?? limits.subgraphTimeoutMs,
    };
    this.#operationStore = new OperationStore(this.#parts, options);
  }

  get running(): Engine['running'] {
    return { operations: this.#operations, subscriptions: this.#streams.size };
  }

  get stored(): Engine['stored'] {
    return this.#operationStore.stored;
  }

  isPrepared(request: Parameters<Engine['isPrepared']>[0]): boolean {
    return this.#operationStore.has(request);
  }

  prepare(request: Parameters<Engine['prepare']>[0]): Preparation | Promise<Preparation> {
    const failed = (error: unknown): Preparation => ({ ok: false, answer: this.#internal(error, request) });
    try {
      const operation = this.#operationOf(request);
      if (operation instanceof Promise) {
        return operation.then((made) => prepared(made, request.requestId)).catch(failed);
      }
      return prepared(operation, request.requestId);
    } catch (error) {
      return failed(error);
    }
  }

  async execute(request: ClientRequest): Promise<ExecutionText> {
    const end = endOf(request);
    this.#operations++;
    try {
      return await this.#execute(request, end);
    } catch (error) {
      throwIfEnded(end);
      return this.#internal(error, request);
    } finally {
      this.#operations--;
      if (this.#operations === 0) this.#onIdle?.();
    }
  }

  async subscribe(request: ClientRequest): Promise<Subscribing> {
    this.#operations++;
    try {
      return await this.#subscribe(request);
    } catch (error) {
      throwIfEnded(endOf(request));
      return { ok: false, answer: this.#internal(error, request) };
    } finally {
      this.#operations--;
      if (this.#operations === 0) this.#onIdle?.();
    }
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    for (const stream of [...this.#streams]) await stream.return();
    if (this.#operations > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    await this.#parts.planning.close();
    await Promise.all([...this.#transports.values()].map((transport) => transport.close()));
  }

  async #execute(request: ClientRequest, end: CallEnd): Promise<ExecutionText> {
    const trace = request.trace && new Trace(request.trace);
    const found = this.#operationOf(request);
    const operation = found instanceof Promise ? await found : found;
    if (!(operation instanceof Operation)) return refusalText(operation, request.requestId);
    if (operation.info.kind === 'subscription') {
      return refusalText(
        refusedKind('A subscription needs a stream; use WebSocket or SSE'),
        request.requestId,
      );
    }
    const seen = operation.view(request.withoutTags);
    const view = seen instanceof Promise ? await seen : seen;
    const known = trace ? undefined : operation.answerIn(view);
    if (known) return known;
    const calls = new RunningCalls(end);
    try {
      const beginning = this.#begin(operation, request, calls, trace);
      const begun = beginning instanceof Promise ? await beginning : beginning;
      if (!begun.ok) return refusalText(begun.refusal, request.requestId);
      trace?.planned();
      const state = operation.begin(begun.context, begun.coerced, view);
      await begun.plan.run(state);
      const answer = operation.finish(state, begun.plan, view);
      return trace ? withExtension(answer, 'plan', trace.text(begun.plan)) : answer;
    } finally {
      calls.done();
    }
  }

  async #subscribe(request: ClientRequest): Promise<Subscribing> {
    const operation = await this.#operationOf(request);
    if (!(operation instanceof Operation)) {
      return { ok: false, answer: refusalText(operation, request.requestId) };
    }
    if (operation.info.kind !== 'subscription') {
      return { ok: true, events: single(await this.#execute(request, endOf(request))) };
    }
    // The stream has its own calls.
    const begun = await this.#begin(operation, request, new RunningCalls(endOf({})), undefined);
    if (!begun.ok) return { ok: false, answer: refusalText(begun.refusal, request.requestId) };
    const { context, plan } = begun;
    const stream = new EventStream({
      operation,
      plan,
      context,
      signal: request.signal,
      cursorOf: cursorReader(operation.info),
      traced: request.trace,
      onEnd: (ended) => this.#streams.delete(ended),
    });
    this.#streams.add(stream);
    return { ok: true, events: stream };
  }

  /** Everything before a plan runs: variables, plan, facts about the request. */
  #begin(
    operation: Operation,
    request: ClientRequest,
    calls: RunningCalls,
    trace: Trace | undefined,
  ): Begun | Promise<Begun> {
    const variables = request.variables ?? {};
    const result = operation.coerce(variables);
    if (!result.ok) return result;
    const { coerced, conditions } = result;
    const context: RunContext = {
      requestId: request.requestId,
      log: this.#parts.log,
      uncodedMessages: this.#options.uncodedMessages ?? false,
      variables,
      conditions,
      principal: request.principal,
      principalFor: this.#options.principalFor,
      scope: request.scope ?? defaultScope(request),
      headers: request.headers,
      waitMs: request.waitMs,
      errorsPerFetch: this.#parts.limits.errorsPerFetch,
      calls,
      trace,
    };
    const planned = (plan: MadePlan | Refusal): Begun =>
      'errors' in plan ? { ok: false, refusal: plan } : { ok: true, plan, coerced, context };
    const plan = operation.plan(conditions, this.#overridesOf(request));
    return plan instanceof Promise ? plan.then(planned) : planned(plan);
  }

  #operationOf(request: Parameters<Engine['prepare']>[0]): ReturnType<OperationStore['get']> {
    if (this.#isClosing) throw new DomainError('SHUTTING_DOWN', 'The engine is shutting down; try again');
    return this.#operationStore.get(request);
  }

  #transportOf(subgraph: string): Transport {
    const transport = this.#transports.get(subgraph);
    if (!transport)
      throw new Error(`The plan names the subgraph "${subgraph}", which the supergraph does not have.`);
    return transport;
  }

  /** Masks and logs in full an unexpected error, or the loss of the planner. */
  #internal(error: unknown, { requestId }: Pick<ClientRequest, 'requestId'>): ExecutionText {
    if (error instanceof DomainError) {
      return refusalText(
        { kind: undefined, errors: [{ message: error.message, code: error.code, facts: error.details }] },
        requestId,
      );
    }
    this.#options.log.error({ err: error, requestId }, 'operation failed');
    const message = `Internal error; quote request ${requestId} when you report it`;
    return refusalText({ kind: undefined, errors: [{ message, code: 'INTERNAL_SERVER_ERROR' }] }, requestId);
  }
}

type Begun =
  | { readonly ok: false; readonly refusal: Refusal }
  | {
      readonly ok: true;
      readonly plan: MadePlan;
      readonly coerced: Readonly<Record<string, unknown>>;
      readonly context: RunContext;
    };

function prepared(operation: Operation | Refusal, requestId: string): Preparation {
  if (operation instanceof Operation) return { ok: true, operation: operation.info };
  return { ok: false, answer: refusalText(operation, requestId) };
}

function defaultScope({ principal }: ClientRequest): string {
  return principal ? `${principal.kind}:${principal.subject}:${principal.actsFor ?? ''}` : '';
}

function refusedKind(message: string): Refusal {
  return { kind: 'subscription', errors: [{ message, code: 'BAD_USER_INPUT' }] };
}

async function* single(answer: ExecutionText): AsyncGenerator<ExecutionText, undefined, undefined> {
  yield answer;
}
