/** Payloads of the blocks that are being leased: a block is leased in many parts. */
import type { UnitPayload, UnitPayloadsDocument } from '../blocks/unit-payload.document.js';
import type { LeasedUnit } from './lease-waiter.js';

/** Most bytes in memory. */
const maxBytes = 32 * 1_048_576;
const none: UnitPayload = {};

interface Kept {
  readonly payloads: readonly UnitPayload[];
  readonly bytes: number;
}

/** A bounded memory; what was used the longest time ago goes first. */
export class PayloadMemory {
  readonly #read: (blockIds: readonly string[]) => Promise<readonly UnitPayloadsDocument[]>;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(read: (blockIds: readonly string[]) => Promise<readonly UnitPayloadsDocument[]>) {
    this.#read = read;
  }

  /** Payloads of units, in the same order. */
  async of(units: readonly Pick<LeasedUnit, 'blockId' | 'position'>[]): Promise<readonly UnitPayload[]> {
    const found = new Map<string, readonly UnitPayload[]>();
    const missing = new Set<string>();
    for (const { blockId } of units) {
      const kept = this.#kept.get(blockId);
      if (kept) found.set(blockId, kept.payloads);
      else missing.add(blockId);
    }
    if (missing.size > 0)
      for (const { _id, payloads } of await this.#read([...missing])) {
        found.set(_id, payloads);
        this.#keep(_id, payloads);
      }
    return units.map(({ blockId, position }) => found.get(blockId)?.[position] ?? none);
  }

  #keep(id: string, payloads: readonly UnitPayload[]): void {
    const bytes = payloads.reduce(
      (sum, { payload, reference }) => sum + (payload ?? reference ?? '').length,
      0,
    );
    this.#kept.set(id, { payloads, bytes });
    this.#bytes += bytes;
    for (const [oldest, kept] of this.#kept) {
      if (this.#bytes <= maxBytes && this.#kept.size <= 1000) break;
      this.#kept.delete(oldest);
      this.#bytes -= kept.bytes;
    }
  }
}
