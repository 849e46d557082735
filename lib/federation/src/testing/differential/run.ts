import type { GraphQLSchema } from 'graphql';
import { createEngine, type Engine, type EngineOptions } from '../../index.js';
import { composeSubgraphs, recordingLog } from '../test-engine.js';
import type { TestSubgraph } from '../test-subgraph.js';
import { allowedDifferences } from './allowed-differences.js';
import { type ComparedAnswer, differenceOf } from './compare.js';
import type { FeatureCounts } from './features.js';
import type { Model } from './model.js';
import { randomModel } from './random-model.js';
import { writeOracle } from './oracle.js';
import { plain, type Reach } from './reach.js';
import { type Emphasis, randomOperation, type RandomOperation } from './random-operation.js';
import { Random } from './random.js';
import { orders, scheduleOf } from './schedule.js';
import { answersOf, type OperationKind, referenceOf } from './sides.js';
import { Universe } from './universe.js';
import { writeSubgraphs } from './write-subgraphs.js';

/** A random supergraph with the engine that serves it and the schema that it is compared with. */
export interface Arena {
  readonly seed: string;
  readonly model: Model;
  readonly subgraphs: readonly TestSubgraph[];
  readonly supergraphSdl: string;
  readonly oracle: GraphQLSchema;
  /** The oracle that reports every error, including those that a null above them hides. */
  readonly lenient: GraphQLSchema;
  readonly engine: Engine;
  close(): Promise<void>;
}

/** The arena of a seed, or the reason why its model does not compose. */
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
    supergraphSdl = composeSubgraphs(subgraphs);
  } catch (error) {
    return { faults: error instanceof Error ? error.message : String(error) };
  }
  const reached = await reach(subgraphs);
  const engine = await createEngine({
    supergraphSdl,
    transports: reached.transports,
    log: recordingLog(),
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
    lenient: writeOracle(model, universe, true),
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
  emphasis?: Emphasis,
): { kind: OperationKind; operation: RandomOperation } | undefined {
  const random = new Random(`kind:${arena.seed}:${index}`);
  const kinds = ['query', 'query', 'query', 'query', 'mutation', 'subscription'] as const;
  const kind = random.pick(kinds);
  const operation = randomOperation(arena.oracle, kind, `${arena.seed}:${index}`, emphasis);
  return operation && { kind, operation };
}

/** Result of a comparison, with a description of the fault. */
export type Comparison =
  | { readonly kind: 'same' }
  /** Equal once the reference had run its resolvers in another order. */
  | { readonly kind: 'same in another order' }
  | { readonly kind: 'allowed'; readonly rule: string }
  | { readonly kind: 'fault'; readonly text: string };

/** Runs an operation on both sides and compares the answers. */
export async function compareOperation(
  arena: Arena,
  kind: OperationKind,
  operation: RandomOperation,
  runId: string,
  counts?: FeatureCounts,
): Promise<Comparison> {
  const [ours, theirs] = await Promise.all([
    answersOf(arena.engine, kind, operation, runId),
    referenceOf(arena.oracle, kind, operation, runId),
  ]);
  if (ours.length !== theirs.length)
    return fault(`${ours.length} answers against ${theirs.length}: ${JSON.stringify(ours)}`);
  for (const answer of theirs) counts?.answer(answer);
  let isReordered = false;
  for (const [index, answer] of ours.entries()) {
    const other = theirs[index];
    const difference = other && differenceOf(answer, other);
    if (difference?.kind === 'fault') return difference;
    if (difference?.kind === 'errors') isReordered = true;
  }
  return isReordered ? inOtherOrder(arena, kind, operation, runId, ours) : { kind: 'same' };
}

/** Compares with a reference whose resolvers run in the order of the engine's errors. */
async function inOtherOrder(
  arena: Arena,
  kind: OperationKind,
  operation: RandomOperation,
  runId: string,
  ours: readonly ComparedAnswer[],
): Promise<Comparison> {
  const faults = await referenceOf(arena.lenient, kind, operation, `${runId}:faults`);
  let theirs: readonly ComparedAnswer[] = [];
  for (let order = 0; order < orders; order++) {
    theirs = await referenceOf(arena.oracle, kind, operation, `${runId}:${order}`, (index) =>
      scheduleOf(faults[index]?.errors ?? [], ours[index]?.errors ?? [], order),
    );
    if (differencesOf(ours, theirs).length === 0) return { kind: 'same in another order' };
  }
  return byRule(ours, theirs, faults);
}

function differencesOf(ours: readonly ComparedAnswer[], theirs: readonly ComparedAnswer[]) {
  return ours.flatMap((answer, index) => {
    const other = theirs[index];
    const difference = other && differenceOf(answer, other);
    return difference && difference.kind !== 'none' ? [{ index, answer, other, ...difference }] : [];
  });
}

/** True if a rule allows the remaining difference. */
function byRule(
  ours: readonly ComparedAnswer[],
  theirs: readonly ComparedAnswer[],
  faults: readonly ComparedAnswer[],
): Comparison {
  let rule = '';
  for (const { kind, index, answer, other, text } of differencesOf(ours, theirs)) {
    const all = faults[index]?.errors ?? [];
    const found = Object.keys(allowedDifferences).find((name) =>
      allowedDifferences[name]?.explains(answer, other, all),
    );
    if (kind === 'fault' || found === undefined)
      return fault(`${text}\n  faults  ${JSON.stringify(faults.map(({ errors }) => errors))}`);
    rule = found;
  }
  return { kind: 'allowed', rule };
}

function fault(text: string): Extract<Comparison, { kind: 'fault' }> {
  return { kind: 'fault', text };
}
