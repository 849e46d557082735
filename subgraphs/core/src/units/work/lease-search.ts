/** Finds units for the calls that wait, the earliest call first, in the order of priority and age. */
import type { BlocksRepository, ReadyBlock } from '../blocks/blocks.repository.js';
import { hasEnded } from '../blocks/block-header.js';
import { leaseUnits } from '../blocks/block-transitions.js';
import type { Block } from '../blocks/unit.types.js';
import type { BlockMemory } from './block-memory.js';
import type { LeasedUnit, LeaseWaiter } from './lease-waiter.js';
import type { WorkDraft } from './work-draft.js';

/** Blocks that are searched together. */
const pageSize = 8;
/** Pages of one search; the next search goes on behind them. */
const maxPages = 16;

/** Dependencies of {@link LeaseSearch}. */
export interface LeaseSearchOptions {
  readonly repository: Pick<BlocksRepository, 'ready' | 'firstOpen' | 'heldBy'>;
  readonly memory: Pick<BlockMemory, 'get' | 'forget'>;
}

/** One search. */
export class LeaseSearch {
  /** Units by the call that gets them. */
  readonly found = new Map<LeaseWaiter, LeasedUnit[]>();
  /** True if units wait for others with their ordering key. */
  sawBlocked = false;
  /** The last block that was searched, if blocks behind it were left to the next search. */
  searchedTo: ReadyBlock | undefined;
  readonly #options: LeaseSearchOptions;
  readonly #draft: WorkDraft;
  readonly #waiters: readonly LeaseWaiter[];
  /** Units that jobs may still lease, where the pool limits them. */
  readonly #left = new Map<string, number>();

  constructor(options: LeaseSearchOptions, draft: WorkDraft, waiters: readonly LeaseWaiter[]) {
    this.#options = options;
    this.#draft = draft;
    this.#waiters = waiters;
  }

  /**
   * Adds the leases to the draft.
   * @param read adds blocks to the draft
   * @param start block behind which the search begins
   */
  async run(read: (ids: readonly string[]) => Promise<void>, start?: ReadyBlock): Promise<void> {
    const { poolId, now } = this.#draft.context;
    await this.#limit();
    let after = start;
    for (let pages = 0; this.#hungry().length > 0; pages++) {
      if (pages >= maxPages) {
        this.searchedTo = after;
        return;
      }
      const page = await this.#options.repository.ready(poolId, now, pageSize, after);
      // Another process has changed a block since: what this one remembers of it is old.
      const changed = page.filter(({ _id, revision }) => {
        const known = this.#options.memory.get(_id);
        return known !== undefined && known.revision < revision;
      });
      this.#options.memory.forget(changed.map(({ _id }) => _id));
      await read(page.map(({ _id }) => _id));
      const blocks = page.flatMap(({ _id }) => this.#draft.block(_id) ?? []);
      const firstOpen = await this.#firstOpen(blocks);
      for (const block of blocks) this.#serve(block, firstOpen);
      this.#draft.release(page.map(({ _id }) => _id));
      after = page.at(-1);
      if (page.length < pageSize) return;
    }
  }

  #serve({ _id: blockId, units, sequence }: Block, firstOpen: ReadonlyMap<string, number>): void {
    const keys = units.flatMap(({ orderingKey }) => orderingKey ?? []);
    const blocked = new Set(keys.filter((key) => (firstOpen.get(key) ?? sequence) < sequence));
    const { settings, now } = this.#draft.context;
    for (const waiter of this.#hungry()) {
      const block = this.#draft.block(blockId);
      if (!block) return;
      const { attempt, maxBytes } = waiter.request;
      const own = this.#of(waiter);
      const leftBytes = maxBytes - bytesOf(own);
      const spec = { holder: attempt, max: this.#wants(waiter), maxBytes: leftBytes, blocked };
      const changes = leaseUnits(block, spec, settings, now);
      if (changes.length === 0) {
        this.sawBlocked = true;
        continue;
      }
      this.#draft.change(blockId, changes);
      own.push(...changes.map((change) => ({ blockId, ...change })));
      const left = this.#left.get(attempt.jobId);
      if (left !== undefined) this.#left.set(attempt.jobId, left - changes.length);
    }
  }

  /** Calls that can get more units. */
  #hungry(): readonly LeaseWaiter[] {
    return this.#waiters.filter((waiter) => !waiter.isOver && this.#wants(waiter) > 0);
  }

  /** Units that a call can still get; 0 once it has as many bytes, or units of as many blocks, as it may. */
  #wants(waiter: LeaseWaiter): number {
    const { max, maxBytes, maxBlocks, attempt } = waiter.request;
    const own = this.#of(waiter);
    if (own.length > 0 && bytesOf(own) >= maxBytes) return 0;
    if (new Set(own.map(({ blockId }) => blockId)).size >= maxBlocks) return 0;
    return Math.min(max - own.length, this.#left.get(attempt.jobId) ?? Infinity);
  }

  #of(waiter: LeaseWaiter): LeasedUnit[] {
    const known = this.found.get(waiter) ?? [];
    this.found.set(waiter, known);
    return known;
  }

  async #limit(): Promise<void> {
    const { poolId, settings } = this.#draft.context;
    const { maxLeasedPerJob: most } = settings;
    if (most === undefined) return;
    const jobIds = [...new Set(this.#waiters.map(({ request }) => request.attempt.jobId))];
    const held = await this.#options.repository.heldBy(poolId, jobIds);
    for (const id of jobIds) this.#left.set(id, Math.max(0, most - (held.get(id) ?? 0)));
  }

  /** Numbers of the first blocks with units of the ordering keys of these; none behind the last of these. */
  async #firstOpen(blocks: readonly Block[]): Promise<ReadonlyMap<string, number>> {
    const keys = new Set<string>();
    for (const { units } of blocks)
      for (const unit of units)
        if (unit.orderingKey !== undefined && !hasEnded(unit)) keys.add(unit.orderingKey);
    if (keys.size === 0) return new Map();
    const last = Math.max(...blocks.map(({ sequence }) => sequence));
    return this.#options.repository.firstOpen(this.#draft.context.poolId, [...keys], last);
  }
}

function bytesOf(leased: readonly LeasedUnit[]): number {
  return leased.reduce((sum, { unit }) => sum + unit.bytes, 0);
}
