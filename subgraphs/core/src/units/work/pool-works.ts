/** The work on all pools that this process was called about. */
import type { PoolDocument } from '../pools/pool.document.js';
import { BlockMemory } from './block-memory.js';
import { PoolWork, type PoolWorkOptions } from './pool-work.js';

/** Blocks in memory, about 300 kB each. */
const maxBlocks = 128;
/** Number of pools from which those without work are forgotten. */
const manyPools = 1000;

/** Finds the work on a pool. */
export class PoolWorks {
  readonly #options: PoolWorkOptions;
  readonly #works = new Map<string, PoolWork>();

  constructor(options: Omit<PoolWorkOptions, 'memory'>) {
    this.#options = { ...options, memory: new BlockMemory(maxBlocks) };
  }

  of({ _id, settings }: Pick<PoolDocument, '_id' | 'settings'>): PoolWork {
    const known = this.#works.get(_id);
    if (known) return known;
    if (this.#works.size >= manyPools)
      for (const [id, work] of this.#works) if (work.isIdle) this.#works.delete(id);
    const work = new PoolWork(_id, settings, this.#options);
    this.#works.set(_id, work);
    return work;
  }

  /** Lets the calls that wait for units of these pools search again. */
  look(poolIds: readonly string[]): void {
    for (const id of poolIds) this.#works.get(id)?.look();
  }

  lookAll(): void {
    for (const work of this.#works.values()) work.look();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#works.values()].map((work) => work.stop()));
  }
}
