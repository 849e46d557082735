/** Payloads of the blocks that are being leased: a block is leased in many parts. */
import { unitBytes, type UnitPayload, type UnitPayloadsDocument } from '../blocks/unit-payload.document.js';
import type { LeasedUnit } from './lease-waiter.js';

/** Most bytes in memory. */
const maxBytes = 32 * 1_048_576;
/** Most blocks in memory. */
const maxBlocks = 1000;
const none: UnitPayload = {};

type Payloads = readonly UnitPayload[];

interface Kept {
  readonly payloads: Payloads;
  readonly bytes: number;
}

/** A bounded memory; what was used the longest time ago goes first. */
export class PayloadMemory {
  readonly #read: (blockIds: readonly string[]) => Promise<readonly UnitPayloadsDocument[]>;
  readonly #kept = new Map<string, Kept>();
  /** Blocks that are being read; those without payloads are left out of the answer. */
  readonly #reads = new Map<string, Promise<ReadonlyMap<string, Payloads>>>();
  #bytes = 0;

  constructor(read: (blockIds: readonly string[]) => Promise<readonly UnitPayloadsDocument[]>) {
    this.#read = read;
  }

  /** Payloads of units, in the same order. */
  async of(units: readonly Pick<LeasedUnit, 'blockId' | 'position'>[]): Promise<readonly UnitPayload[]> {
    const found = new Map<string, Payloads>();
    const missing: string[] = [];
    const reads = new Set<Promise<ReadonlyMap<string, Payloads>>>();
    for (const blockId of new Set(units.map((unit) => unit.blockId))) {
      const kept = this.#use(blockId);
      const read = this.#reads.get(blockId);
      if (kept) found.set(blockId, kept.payloads);
      else if (read) reads.add(read);
      else missing.push(blockId);
    }
    if (missing.length > 0) reads.add(this.#start(missing));
    for (const read of await Promise.all(reads))
      for (const [blockId, payloads] of read) found.set(blockId, payloads);
    return units.map(({ blockId, position }) => found.get(blockId)?.[position] ?? none);
  }

  /** Reads blocks; calls for the same ones wait for this read. */
  #start(blockIds: readonly string[]): Promise<ReadonlyMap<string, Payloads>> {
    const reading = this.#read(blockIds)
      .then((documents) => {
        for (const { _id, payloads } of documents) this.#keep(_id, payloads);
        return new Map(documents.map(({ _id, payloads }) => [_id, payloads]));
      })
      .finally(() => {
        for (const id of blockIds) this.#reads.delete(id);
      });
    for (const id of blockIds) this.#reads.set(id, reading);
    return reading;
  }

  #use(id: string): Kept | undefined {
    const kept = this.#kept.get(id);
    if (!kept) return undefined;
    this.#kept.delete(id);
    this.#kept.set(id, kept);
    return kept;
  }

  #keep(id: string, payloads: Payloads): void {
    const bytes = payloads.reduce((sum, unit) => sum + unitBytes(unit), 0);
    this.#drop(id);
    this.#kept.set(id, { payloads, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= maxBytes && this.#kept.size <= maxBlocks) break;
      this.#drop(oldest);
    }
  }

  #drop(id: string): void {
    this.#bytes -= this.#kept.get(id)?.bytes ?? 0;
    this.#kept.delete(id);
  }
}
