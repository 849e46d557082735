/** Changes of blocks that one write makes together. */
import type { Ids } from '@rhizome/clock';
import { headerOf } from '../blocks/block-header.js';
import { withChanges } from '../blocks/block-transitions.js';
import type { BlockWrite } from '../blocks/blocks.repository.js';
import type { CompletedUnit, UnitCompletionDocument } from '../blocks/unit-completion.document.js';
import type { UnitHour } from '../blocks/unit-hour.document.js';
import type { Block, StoredUnit, UnitChange } from '../blocks/unit.types.js';
import type { PoolSettings } from '../pools/pool.document.js';

/** Context of a draft. */
export interface DraftContext {
  readonly poolId: string;
  readonly settings: PoolSettings;
  readonly now: Date;
  readonly ids: Ids;
  /** Name of this process. */
  readonly writer: string;
}

interface Drafted {
  readonly revision: number;
  block: Block;
  readonly changed: Map<number, UnitChange['unit']>;
}

/** Least retention of completions, in seconds: streams are resumed within it. */
const leastSeconds = 86_400;
const hourMs = 3_600_000;

/** Blocks as they were read, with the changes so far. */
export class WorkDraft {
  readonly context: DraftContext;
  readonly #blocks = new Map<string, Drafted>();
  readonly #completions: UnitCompletionDocument[] = [];
  readonly #hours = new Map<string | undefined, UnitHour>();
  /** True if an answer must not rest on blocks in memory, which another process may have changed. */
  isDoubtful = false;

  constructor(context: DraftContext) {
    this.context = context;
  }

  /** Adds a block as it was read. */
  add(block: Block): void {
    if (!this.#blocks.has(block._id))
      this.#blocks.set(block._id, { revision: block.revision, block, changed: new Map() });
  }

  /** Forgets the blocks among these that are not changed. */
  release(ids: readonly string[]): void {
    for (const id of ids) if (this.#blocks.get(id)?.changed.size === 0) this.#blocks.delete(id);
  }

  has(id: string): boolean {
    return this.#blocks.has(id);
  }

  /** The block with the changes so far; undefined if it does not exist. */
  block(id: string): Block | undefined {
    return this.#blocks.get(id)?.block;
  }

  change(id: string, changes: readonly UnitChange[]): void {
    const drafted = this.#blocks.get(id);
    if (!drafted) throw new TypeError(`Block ${id} was not read`);
    for (const { position, unit } of changes) this.#count(drafted.block.units[position], unit);
    drafted.block = withChanges(drafted.block, changes);
    for (const { position, unit } of changes) drafted.changed.set(position, unit);
  }

  /** Numbers of units that ended an attempt, by site, for the current hour. */
  get hours(): readonly UnitHour[] {
    return [...this.#hours.values()];
  }

  #count(before: StoredUnit | undefined, after: StoredUnit): void {
    const completed = after.state === 'COMPLETED' ? 1 : 0;
    const failures = (after.failures ?? 0) - (before?.failures ?? 0);
    if (completed + failures === 0) return;
    const { poolId, now, writer } = this.context;
    const site = before?.lease?.site;
    const known = this.#hours.get(site);
    const hour = new Date(Math.floor(now.getTime() / hourMs) * hourMs);
    this.#hours.set(site, {
      ...{ poolId, hour, writer },
      ...(site === undefined ? {} : { site }),
      completed: (known?.completed ?? 0) + completed,
      failures: (known?.failures ?? 0) + failures,
      seconds: (known?.seconds ?? 0) + (after.end?.seconds ?? 0),
    });
  }

  /** Adds the completion of units of a block by a job. */
  complete(
    id: string,
    blockId: string,
    { jobId, site }: { readonly jobId: string; readonly site?: string | undefined },
    units: readonly CompletedUnit[],
  ): void {
    const { poolId, settings, now } = this.context;
    this.#completions.push({
      _id: id,
      schemaVersion: 1,
      poolId,
      blockId,
      jobId,
      ...(site === undefined ? {} : { site }),
      at: now,
      expiresAt: new Date(now.getTime() + Math.max(leastSeconds, settings.retentionSeconds) * 1000),
      units,
    });
  }

  /** True if there is nothing to write. */
  get isEmpty(): boolean {
    return this.#changed.length === 0;
  }

  get completions(): readonly UnitCompletionDocument[] {
    return this.#completions;
  }

  get writes(): readonly BlockWrite[] {
    const { settings, now } = this.context;
    return this.#changed.map(({ block, revision, changed }) => ({
      id: block._id,
      revision,
      units: changed,
      header: headerOf(block, settings, now),
    }));
  }

  /** Ids of all blocks that were read. */
  get ids(): readonly string[] {
    return [...this.#blocks.keys()];
  }

  /** The changed blocks as they are once the draft is written. */
  get written(): readonly Block[] {
    return this.#changed.map(({ block, revision }) => ({ ...block, revision: revision + 1 }));
  }

  get #changed(): readonly Drafted[] {
    return [...this.#blocks.values()].filter(({ changed }) => changed.size > 0);
  }
}
