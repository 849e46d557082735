import type { EngineOptions } from '../../index.js';
import type { FeatureCounts } from './features.js';
import type { Emphasis } from './random-operation.js';
import type { Reach } from './reach.js';
import { type Arena, compareOperation, openArena, operationOf, type Comparison } from './run.js';
import { shrink } from './shrink.js';

/** Parameters of a campaign. */
export interface CampaignOptions {
  /** Seed of the arenas, together with their number. */
  readonly seed: string;
  readonly arenas: number;
  readonly operationsPerArena: number;
  readonly reach: Reach;
  /** Selections that operations have more often than by chance. */
  readonly emphasis?: Emphasis;
  readonly engine?: Partial<EngineOptions>;
  readonly counts?: FeatureCounts;
  /** Number of failures that end the campaign. Default 3. */
  readonly maxFailures?: number;
  /** Number of arenas that run in parallel. Default 1. */
  readonly atOnce?: number;
}

/** Result of a campaign. */
export interface CampaignResult {
  readonly arenas: number;
  readonly operations: number;
  /** Smallest and largest number of subgraphs of an arena. */
  readonly subgraphs: readonly [number, number];
  /** Number of uses of each allowed difference. */
  readonly allowed: Readonly<Record<string, number>>;
  /**
   * Number of operations whose errors were equal once the reference had run its resolvers in another order.
   */
  readonly reordered: number;
  /** Failures, each with its seed, its smallest form and the difference. */
  readonly failures: readonly string[];
}

/**
 * Runs random operations over random supergraphs on both sides and compares the answers. graphql-js leaves
 * rejected promises behind if one item of a list throws while others are pending: callers with many
 * operations need a process that ignores them, see campaign-process.ts.
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const campaign = new Campaign(options);
  await Promise.all(Array.from({ length: options.atOnce ?? 1 }, () => campaign.work()));
  return campaign.result();
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #failures: string[] = [];
  readonly #allowed: Record<string, number> = {};
  #reordered = 0;
  #next = 0;
  /** Arenas that were opened or are being opened. */
  #taken = 0;
  #operations = 0;
  #fewest = Infinity;
  #most = 0;

  constructor(options: CampaignOptions) {
    this.#options = options;
  }

  result(): CampaignResult {
    return {
      arenas: this.#taken,
      operations: this.#operations,
      subgraphs: [this.#fewest, this.#most],
      allowed: this.#allowed,
      reordered: this.#reordered,
      failures: this.#failures,
    };
  }

  /** Opens arenas one after the other until enough have run. */
  async work(): Promise<void> {
    const { seed, arenas, reach, counts, maxFailures = 3 } = this.#options;
    while (this.#taken < arenas && this.#failures.length < maxFailures) {
      this.#taken++;
      const arena = await openArena(`${seed}${this.#next++}`, reach, {
        ...this.#options.engine,
        ...(counts ? { onPlan: (note) => counts.plan(note) } : {}),
      });
      if ('faults' in arena) {
        this.#taken--;
        continue;
      }
      this.#fewest = Math.min(this.#fewest, arena.subgraphs.length);
      this.#most = Math.max(this.#most, arena.subgraphs.length);
      try {
        await this.#arena(arena);
      } finally {
        await arena.close();
      }
    }
  }

  async #arena(arena: Arena): Promise<void> {
    const { operationsPerArena, counts, emphasis } = this.#options;
    for (let index = 0; index < operationsPerArena; index++) {
      const made = operationOf(arena, index, emphasis);
      if (!made) continue;
      this.#operations++;
      counts?.operation(arena.model, arena.oracle, made.kind, made.operation);
      const verdict = await safely(() =>
        compareOperation(arena, made.kind, made.operation, `${index}`, counts),
      );
      if (verdict.kind === 'same in another order') this.#reordered++;
      else if (verdict.kind === 'allowed')
        this.#allowed[verdict.rule] = (this.#allowed[verdict.rule] ?? 0) + 1;
      else if (verdict.kind === 'fault')
        this.#failures.push(await failureText(arena, index, made, verdict.text));
    }
  }
}

async function failureText(
  arena: Arena,
  index: number,
  { kind, operation }: NonNullable<ReturnType<typeof operationOf>>,
  difference: string,
): Promise<string> {
  let run = 0;
  const again = (candidate: typeof operation): Promise<Comparison> =>
    safely(() => compareOperation(arena, kind, candidate, `${index}.${run++}`));
  const smallest = await shrink(
    arena.oracle,
    operation,
    async (candidate) => (await again(candidate)).kind === 'fault',
  );
  const last = await again(smallest);
  const remaining = last.kind === 'fault' ? last.text : `only the whole operation differs: ${difference}`;
  return `seed ${arena.seed}, operation ${index}, shrunk to\n${smallest.query}\n${JSON.stringify(smallest.variables)}\n${remaining}`;
}

async function safely(compare: () => Promise<Comparison>): Promise<Comparison> {
  try {
    return await compare();
  } catch (error) {
    return { kind: 'fault', text: `thrown: ${error instanceof Error ? error.message : String(error)}` };
  }
}
