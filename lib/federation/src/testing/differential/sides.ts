import {
  execute,
  type ExecutionResult,
  type GraphQLSchema,
  parse,
  subscribe,
  type SubscriptionArgs,
} from 'graphql';
import type { Engine } from '../../index.js';
import { tester } from '../test-engine.js';
import type { TestContext } from '../test-subgraph.js';
import type { ComparedAnswer, ComparedError } from './compare.js';
import type { RandomOperation } from './random-operation.js';
import { type Before, type Schedule, waitForTurns } from './schedule.js';

export type OperationKind = 'query' | 'mutation' | 'subscription';

/** Context of the reference's resolvers. */
export interface ReferenceContext extends TestContext {
  /** Order of the resolvers, if it is controlled. */
  before: Before | undefined;
}

/** The engine's answer to an operation, or its answers to the events of a subscription. */
export async function answersOf(
  engine: Engine,
  kind: OperationKind,
  operation: RandomOperation,
  requestId: string,
): Promise<ComparedAnswer[]> {
  const request = { ...operation, principal: tester, requestId };
  if (kind !== 'subscription') return [fromText((await engine.execute(request)).text)];
  const opened = await engine.subscribe(request);
  if (!opened.ok) return [fromText(opened.answer.text)];
  const answers: ComparedAnswer[] = [];
  for await (const event of opened.events) answers.push(fromText(event.text));
  return answers;
}

/** The reference's answers; `scheduled` controls the resolver order of the n-th. */
export async function referenceOf(
  schema: GraphQLSchema,
  kind: OperationKind,
  { query, variables }: RandomOperation,
  requestId: string,
  scheduled?: (index: number) => Schedule,
): Promise<ComparedAnswer[]> {
  const context: ReferenceContext = { requestId, signal: undefined, before: undefined };
  const args: SubscriptionArgs = {
    schema,
    document: parse(query),
    variableValues: variables,
    contextValue: context,
  };
  const inOrder = async (
    index: number,
    run: () => Promise<ExecutionResult | undefined>,
  ): Promise<ComparedAnswer | undefined> => {
    const schedule = scheduled?.(index);
    context.before = schedule?.before;
    try {
      const result = await run();
      // As if another field had kept the answer open: graphql-js continues to add errors below a null.
      if (schedule) await waitForTurns(schedule.turns);
      return result && fromResult(result);
    } finally {
      schedule?.end();
    }
  };
  if (kind !== 'subscription') {
    const answer = await inOrder(0, async () => execute(args));
    return answer ? [answer] : [];
  }
  const stream = await subscribe(args);
  if (!(Symbol.asyncIterator in stream)) return [fromResult(stream)];
  const answers: ComparedAnswer[] = [];
  for (;;) {
    const next = await inOrder(answers.length, async () => {
      const { done, value } = await stream.next();
      return done ? undefined : (value as ExecutionResult);
    });
    if (!next) return answers;
    answers.push(next);
  }
}

function fromText(text: string): ComparedAnswer {
  const answer = JSON.parse(text) as {
    data?: unknown;
    errors?: { path?: (string | number)[]; message: string; extensions: { code: string } }[];
  };
  if (!('data' in answer)) throw new Error(`the engine refused: ${text}`);
  const start = text.indexOf('"data":', answer.errors ? text.indexOf('],"data":') : 0) + '"data":'.length;
  return {
    dataText: text.slice(start, -1),
    data: answer.data,
    errors: (answer.errors ?? []).map(({ path, extensions }) => comparedError(path, extensions.code)),
  };
}

function fromResult({ data, errors }: ExecutionResult): ComparedAnswer {
  const compared = (errors ?? []).map((error) => comparedError(error.path, error.extensions['code']));
  return { dataText: JSON.stringify(data ?? null), data: data ?? null, errors: compared };
}

/** Errors without a code get one of two codes, depending on where they were masked. */
const uncoded = new Set<unknown>([undefined, 'INTERNAL_SERVER_ERROR', 'DOWNSTREAM_SERVICE_ERROR']);

function comparedError(path: readonly (string | number)[] | undefined, code: unknown): ComparedError {
  return { path: path ?? [], code: uncoded.has(code) ? 'UNCODED' : String(code) };
}
