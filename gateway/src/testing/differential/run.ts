import { execute, type ExecutionResult, type GraphQLSchema, parse, subscribe } from 'graphql';
import { createEngine, type Engine, type EngineOptions } from '../../engine/index.js';
import { composeTest, keptLog, tester } from '../gateway.js';
import type { TestSubgraph } from '../subgraph.js';
import { type ComparedAnswer, type ComparedError, differenceOf } from './compare.js';
import type { FeatureCounts } from './features.js';
import { type Model, randomModel } from './model.js';
import { writeOracle } from './oracle.js';
import { plain, type Reach } from './reach.js';
import { randomOperation, type RandomOperation } from './random-operation.js';
import { Random } from './random.js';
import { Universe } from './universe.js';
import { writeSubgraphs } from './write-subgraphs.js';

/** A random supergraph with the engine that serves it and the schema that it is compared with. */
export interface Arena {
  readonly seed: string;
  readonly model: Model;
  readonly subgraphs: readonly TestSubgraph[];
  readonly supergraphSdl: string;
  readonly oracle: GraphQLSchema;
  readonly engine: Engine;
  close(): Promise<void>;
}

/** The arena of a seed, or why its model does not compose. */
export async function openArena(
  seed: string,
  reach: Reach = plain,
  options: Partial<EngineOptions> = {},
): Promise<Arena | { readonly faults: string }> {
  const model = randomModel(seed);
  const universe = new Universe(model);
  let subgraphs: TestSubgraph[];
  let supergraphSdl: string;
  try {
    subgraphs = writeSubgraphs(model, universe);
    supergraphSdl = composeTest(subgraphs);
  } catch (error) {
    return { faults: error instanceof Error ? error.message : String(error) };
  }
  const reached = await reach(subgraphs);
  const engine = await createEngine({
    supergraphSdl,
    transports: reached.transports,
    log: keptLog(),
    planning: 'inline',
    uncodedMessages: true,
    ...options,
  });
  return {
    seed,
    model,
    subgraphs,
    supergraphSdl,
    oracle: writeOracle(model, universe),
    engine,
    close: async () => {
      await engine.close();
      await reached.close();
    },
  };
}

/** The n-th operation of an arena. */
export function operationOf(
  arena: Arena,
  index: number,
): { kind: 'query' | 'mutation' | 'subscription'; operation: RandomOperation } | undefined {
  const random = new Random(`kind:${arena.seed}:${index}`);
  const kinds = ['query', 'query', 'query', 'query', 'mutation', 'subscription'] as const;
  const kind = random.pick(kinds);
  const operation = randomOperation(arena.oracle, kind, `${arena.seed}:${index}`);
  return operation && { kind, operation };
}

/** Runs an operation on both sides; the difference in words, or undefined. */
export async function compareOperation(
  arena: Arena,
  kind: 'query' | 'mutation' | 'subscription',
  operation: RandomOperation,
  runId: string,
  counts?: FeatureCounts,
): Promise<string | undefined> {
  const [ours, theirs] = await Promise.all([
    kind === 'subscription' ? oursOfStream(arena, operation, runId) : oursOf(arena, operation, runId),
    kind === 'subscription' ? theirsOfStream(arena, operation, runId) : theirsOf(arena, operation, runId),
  ]);
  if (ours.length !== theirs.length) {
    return `${ours.length} answers against ${theirs.length}: ${JSON.stringify(ours)}`;
  }
  for (const answer of theirs) counts?.answer(answer);
  for (const [index, answer] of ours.entries()) {
    const other = theirs[index];
    const difference = other && differenceOf(answer, other);
    if (difference) return difference;
  }
  return undefined;
}

async function oursOf(arena: Arena, operation: RandomOperation, runId: string): Promise<ComparedAnswer[]> {
  const answer = await arena.engine.execute({ ...operation, principal: tester, requestId: runId });
  return [fromText(answer.text)];
}

async function oursOfStream(
  arena: Arena,
  operation: RandomOperation,
  runId: string,
): Promise<ComparedAnswer[]> {
  const opened = await arena.engine.subscribe({ ...operation, principal: tester, requestId: runId });
  if (!opened.ok) return [fromText(opened.answer.text)];
  const answers: ComparedAnswer[] = [];
  for await (const event of opened.events) answers.push(fromText(event.text));
  return answers;
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
    errors: (answer.errors ?? []).map(({ path, extensions }) => ({
      path: path ?? [],
      code: extensions.code,
    })),
  };
}

async function theirsOf(arena: Arena, operation: RandomOperation, runId: string): Promise<ComparedAnswer[]> {
  return [fromResult(await execute(oracleArgs(arena, operation, runId)))];
}

async function theirsOfStream(
  arena: Arena,
  operation: RandomOperation,
  runId: string,
): Promise<ComparedAnswer[]> {
  const stream = await subscribe(oracleArgs(arena, operation, runId));
  if (!(Symbol.asyncIterator in stream)) return [fromResult(stream)];
  const answers: ComparedAnswer[] = [];
  for await (const event of stream) answers.push(fromResult(event));
  return answers;
}

function oracleArgs(
  arena: Arena,
  { query, variables }: RandomOperation,
  requestId: string,
): Parameters<typeof execute>[0] {
  return {
    schema: arena.oracle,
    document: parse(query),
    variableValues: variables,
    contextValue: { requestId, signal: undefined },
  };
}

function fromResult({ data, errors }: ExecutionResult): ComparedAnswer {
  const compared = (errors ?? []).map((error) => comparedError(error.path, error.extensions['code']));
  return { dataText: JSON.stringify(data ?? null), data: data ?? null, errors: compared };
}

/** Errors that nobody gave a code have one of two, by who has masked them. */
const uncoded = new Set<unknown>([undefined, 'INTERNAL_SERVER_ERROR', 'DOWNSTREAM_SERVICE_ERROR']);

function comparedError(path: readonly (string | number)[] | undefined, code: unknown): ComparedError {
  return { path: path ?? [], code: uncoded.has(code) ? 'UNCODED' : String(code) };
}
