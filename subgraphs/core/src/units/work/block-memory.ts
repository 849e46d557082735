/** Blocks as this process wrote or read them last: most writes need no read before. */
import type { Block } from '../blocks/unit.types.js';

/** A bounded memory; the block that was used the longest time ago goes first. */
export class BlockMemory {
  readonly #blocks = new Map<string, Block>();
  readonly #most: number;

  /** @param most number of blocks */
  constructor(most: number) {
    this.#most = most;
  }

  get(id: string): Block | undefined {
    const block = this.#blocks.get(id);
    if (block) this.put(block);
    return block;
  }

  put(block: Block): void {
    this.#blocks.delete(block._id);
    this.#blocks.set(block._id, block);
    if (this.#blocks.size <= this.#most) return;
    const [oldest] = this.#blocks.keys();
    if (oldest !== undefined) this.#blocks.delete(oldest);
  }

  forget(ids: readonly string[]): void {
    for (const id of ids) this.#blocks.delete(id);
  }
}
