import { GraphQLError } from 'graphql';
import type { EngineOptions } from '../../engine/index.js';
import type { FeatureCounts } from './features.js';
import type { Reach } from './reach.js';
import { type Arena, compareOperation, openArena, operationOf } from './run.js';
import { shrink } from './shrink.js';

/** What a campaign runs. */
export interface CampaignOptions {
  /** Arenas are seeded by this text and a number. */
  readonly seed: string;
  readonly arenas: number;
  readonly operationsPerArena: number;
  readonly reach: Reach;
  readonly engine?: Partial<EngineOptions>;
  readonly counts?: FeatureCounts;
  /** Ends after so many failures. Default 3. */
  readonly maxFailures?: number;
}

/** What came of a campaign. */
export interface CampaignResult {
  readonly arenas: number;
  readonly operations: number;
  /** Each with its seed, its smallest form and the difference. */
  readonly failures: readonly string[];
}

/** Runs random operations over random supergraphs on both sides and compares the answers. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const failures: string[] = [];
  process.on('unhandledRejection', leaveAlone);
  try {
    return await runArenas(options, failures);
  } finally {
    process.off('unhandledRejection', leaveAlone);
  }
}

/**
 * graphql-js leaves promises behind when one item of a list throws while others are pending; what they reject with is
 * in the answer or was nulled away.
 */
function leaveAlone(error: unknown): void {
  if (!(error instanceof GraphQLError)) throw error;
}

async function runArenas(options: CampaignOptions, failures: string[]): Promise<CampaignResult> {
  const { seed, arenas, operationsPerArena, reach, counts, maxFailures = 3 } = options;
  let opened = 0;
  let operations = 0;
  for (let index = 0; opened < arenas; index++) {
    const arena = await openArena(`${seed}${index}`, reach, {
      ...options.engine,
      ...(counts ? { onPlan: (note) => counts.plan(note) } : {}),
    });
    if ('faults' in arena) continue;
    opened++;
    try {
      operations += await runArena(arena, operationsPerArena, counts, failures);
    } finally {
      await arena.close();
    }
    if (failures.length >= maxFailures) break;
  }
  return { arenas: opened, operations, failures };
}

async function runArena(
  arena: Arena,
  count: number,
  counts: FeatureCounts | undefined,
  failures: string[],
): Promise<number> {
  let operations = 0;
  for (let index = 0; index < count; index++) {
    const made = operationOf(arena, index);
    if (!made) continue;
    operations++;
    const { kind, operation } = made;
    counts?.operation(arena.model, arena.oracle, kind, operation);
    const difference = await safely(() => compareOperation(arena, kind, operation, `${index}`, counts));
    if (difference === undefined) continue;
    let run = 0;
    const smallest = await shrink(arena.oracle, operation, async (candidate) => {
      const again = await safely(() => compareOperation(arena, kind, candidate, `${index}.${run++}`));
      return again !== undefined;
    });
    const remaining = await safely(() => compareOperation(arena, kind, smallest, `${index}.last`));
    failures.push(
      `seed ${arena.seed}, operation ${index}, shrunk to\n${smallest.query}\n${JSON.stringify(smallest.variables)}\n${remaining ?? difference}`,
    );
  }
  return operations;
}

async function safely(compare: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await compare();
  } catch (error) {
    return `thrown: ${error instanceof Error ? error.message : String(error)}`;
  }
}
