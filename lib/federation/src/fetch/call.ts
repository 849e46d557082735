import { type FragmentDefinitionNode, Kind, type OperationDefinitionNode, parse } from 'graphql';
import { Cancellation } from '../transport/cancellation.js';
import { endedBy } from '../transport/ended-request.js';
import type { SubgraphOperation, SubgraphResult, Transport } from '../transport/transport.js';
import { DomainError } from '@rhizome/errors';
import { type EngineError, fromTransport } from '../result/errors.js';
import { leafText, quote } from '../result/json.js';
import type { FetchBase } from '../planning/plan-format.js';
import { principalOfCall, type RunContext, type RunningCall } from './run-state.js';

/** External functions that the compiler of a plan needs. */
export interface Surroundings {
  transportOf(subgraph: string): Transport;
  timeoutOf(subgraph: string): number;
}

/** One operation of a plan, parsed once, with the transport of its subgraph. */
export interface CompiledCall {
  readonly operation: SubgraphOperation;
  readonly definition: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** The step of the plan that sends it. */
  readonly step: FetchBase;
  readonly transport: Transport;
  readonly timeoutMs: number;
  /** Client's variables that are sent: the subgraph's name for each, and the client's. */
  readonly variables: readonly { readonly name: string; readonly client: string }[];
}

/** Parses the operation of a fetch. Throws if it is not valid GraphQL, which is a fault of the planner. */
export function compileCall(
  fetch: FetchBase,
  renamed: Readonly<Record<string, string>>,
  around: Surroundings,
  step: FetchBase = fetch,
): CompiledCall {
  const document = parse(fetch.operation, { noLocation: true });
  const definition = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  if (!definition) throw new Error('the planner made a fetch without an operation');
  const fragments = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION);
  return {
    operation: {
      subgraph: fetch.serviceName,
      kind: definition.operation,
      documentText: fetch.operation,
      document,
      operationName: definition.name?.value,
    },
    definition,
    step,
    fragments: new Map(fragments.map((fragment) => [fragment.name.value, fragment])),
    transport: around.transportOf(fetch.serviceName),
    timeoutMs: around.timeoutOf(fetch.serviceName),
    variables: (fetch.variableUsages ?? []).map((name) => ({ name, client: renamed[name] ?? name })),
  };
}

/** Lists of representations for an operation, each in the form that the transport wants. */
export type Representations = readonly { readonly variable: string; readonly list: readonly unknown[] }[];

const noRepresentations: Representations = [];

/** Variables of one call: text or objects, as the transport wants them. */
export function variablesOf(
  call: CompiledCall,
  context: RunContext,
  representations: Representations = noRepresentations,
): { variablesText?: string; variables?: Record<string, unknown> } {
  if (call.variables.length === 0 && representations.length === 0) return {};
  if (call.transport.wire === 'objects') {
    const variables: Record<string, unknown> = {};
    for (const { name, client } of call.variables) {
      if (Object.hasOwn(context.variables, client)) variables[name] = context.variables[client];
    }
    for (const { variable, list } of representations) variables[variable] = list;
    return { variables };
  }
  const parts: string[] = [];
  for (const { variable, list } of representations) parts.push(`${quote(variable)}:[${list.join(',')}]`);
  for (const { name, client } of call.variables) {
    const value = Object.hasOwn(context.variables, client) ? context.variables[client] : undefined;
    if (value === undefined) continue;
    const text = leafText(value);
    if (text === undefined) throw unsendable(client);
    parts.push(`${quote(name)}:${text}`);
  }
  return { variablesText: `{${parts.join(',')}}` };
}

/** An omitted variable would change the meaning of the client's request. */
function unsendable(name: string): DomainError {
  return new DomainError('BAD_USER_INPUT', `variables: "${name}" cannot be written as JSON`, {
    field: name,
    expected: 'a JSON value with fewer nested levels',
  });
}

/** Result of a call: an answer, or the error that replaces it. */
export type CallOutcome =
  | { readonly ok: true; readonly result: SubgraphResult }
  | { readonly ok: false; readonly error: EngineError };

/**
 * Calls a subgraph with its timeout. Rejects only if the request is cancelled; every other failure is an
 * outcome.
 */
export function send(
  call: CompiledCall,
  context: RunContext,
  variables: ReturnType<typeof variablesOf>,
  representations: Representations = noRepresentations,
): Promise<CallOutcome> {
  context.calls.throwIfEnded();
  const answered = context.trace?.call(
    call.step,
    representations === noRepresentations
      ? undefined
      : representations.reduce((sum, { list }) => sum + list.length, 0),
  );
  return new Promise((resolve, reject) => {
    const cancellation = new Cancellation();
    const timeoutMs = call.timeoutMs + (context.waitMs ?? 0);
    const fail = (error: unknown): void => {
      settle();
      const shaped = fromTransport(error, call.operation.subgraph, context);
      answered?.(1, shaped.code);
      resolve({ ok: false, error: shaped });
    };
    const running: RunningCall = {
      end: (reason) => {
        settle();
        cancellation.cancel(reason);
        reject(reason as Error);
      },
    };
    const timer = setTimeout(() => {
      const error = timeoutError(call, timeoutMs);
      cancellation.cancel(error);
      fail(error);
    }, timeoutMs);
    const settle = (): void => {
      clearTimeout(timer);
      context.calls.leave(running);
    };
    context.calls.enter(running);
    const succeed = (result: SubgraphResult): void => {
      settle();
      answered?.(result?.errors?.length ?? 0, undefined);
      resolve({ ok: true, result });
    };
    try {
      ask(call, context, variables, cancellation).then(succeed, fail);
    } catch (error) {
      // A transport may also throw synchronously: the failure affects only this call.
      fail(error);
    }
  });
}

function ask(
  call: CompiledCall,
  context: RunContext,
  { variablesText, variables }: ReturnType<typeof variablesOf>,
  cancellation: Cancellation,
): Promise<SubgraphResult> {
  const { scope, requestId, headers, waitMs } = context;
  const { operation } = call;
  const principal = principalOfCall(context, operation.subgraph);
  const request = { operation, variablesText, variables, principal, scope, requestId, headers, waitMs };
  return call.transport.execute(endedBy(request, cancellation));
}

function timeoutError({ operation }: CompiledCall, timeoutMs: number): DomainError {
  return new DomainError(
    'DOWNSTREAM_SERVICE_ERROR',
    `The service "${operation.subgraph}" did not answer within ${timeoutMs} ms`,
  );
}
