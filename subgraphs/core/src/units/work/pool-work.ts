/**
 * All changes of the units of one pool by this process. What arrives while a write is under way is written
 * together by the next one, so that calls of many workers do not compete for the same blocks. Other processes
 * may change the blocks as well: each write names the revisions that it was computed from.
 */
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { failUnit } from '../blocks/block-transitions.js';
import type { BlocksRepository, ReadyBlock } from '../blocks/blocks.repository.js';
import type { PoolSettings } from '../pools/pool.document.js';
import type { BlockMemory } from './block-memory.js';
import { LeaseSearch } from './lease-search.js';
import { type LeasedUnit, type LeaseRequest, LeaseWaiter, type UnitAttempt } from './lease-waiter.js';
import { WorkDraft } from './work-draft.js';

/** A change of blocks. */
export interface WorkChange<T> {
  /** Blocks that must be read before. */
  readonly blockIds: readonly string[];
  /** True if the blocks must be read from the store, because nothing may have to be written. */
  readonly mustRead?: boolean;
  /** Computes the change; may be called again with newer blocks. Does not wait. */
  apply(draft: WorkDraft): T;
}

/** Dependencies of {@link PoolWork}. */
export interface PoolWorkOptions {
  readonly repository: BlocksRepository;
  readonly memory: BlockMemory;
  /** Attempts of these that their workers still hold, in the same order. */
  readonly stillHeld: (attempts: readonly UnitAttempt[]) => Promise<readonly boolean[]>;
  /** Name of this process. */
  readonly writer: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

interface Queued {
  readonly change: WorkChange<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Answer of a change in a draft. */
type Answer = { readonly value: unknown } | { readonly error: unknown };

/** Where blocks are read: durable ones have no write that may still be rolled back. */
type BlockSource = 'memory' | 'latest' | 'durable';

/** Writes of one step that fail because other processes changed the blocks. */
const maxTries = 20;
/** Changes that one step takes; the rest follows in the next. */
const maxChanges = 200;
/** Longest time between two searches while calls wait, in milliseconds. */
const lookMs = 1000;
/** The same if units wait for others with their ordering key, which another process may complete. */
const lookSoonMs = 250;

/** Serialises the work on one pool. */
export class PoolWork {
  readonly #poolId: string;
  readonly #settings: PoolSettings;
  readonly #options: PoolWorkOptions;
  #queue: Queued[] = [];
  #waiters: LeaseWaiter[] = [];
  #mustLook = false;
  /** Block behind which the next search goes on; undefined to begin with the first. */
  #searchedTo: ReadyBlock | undefined;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(poolId: string, settings: PoolSettings, options: PoolWorkOptions) {
    this.#poolId = poolId;
    this.#settings = settings;
    this.#options = options;
  }

  /** True if nothing is under way and nobody waits. */
  get isIdle(): boolean {
    return !this.#running && this.#queue.length === 0 && this.#waiters.length === 0;
  }

  /** Makes a change. Resolves once it is written. @throws DomainError SERVICE_UNAVAILABLE */
  run<T>(change: WorkChange<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ change, resolve: resolve as (value: unknown) => void, reject });
      this.#start();
    });
  }

  /** Leases units as soon as there are any; none once the signal is aborted. */
  lease(request: LeaseRequest): Promise<readonly LeasedUnit[]> {
    return new Promise((resolve, reject) => {
      this.#waiters.push(new LeaseWaiter(request, resolve, reject));
      this.look();
    });
  }

  /** Searches for units, because some may have become ready. */
  look(): void {
    if (this.#waiters.length === 0) return;
    this.#mustLook = true;
    this.#start();
  }

  /** Answers all calls that wait, and ends the work. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    for (const waiter of this.#waiters) waiter.answer([]);
    this.#waiters = [];
    await this.#running;
    clearTimeout(this.#timer);
  }

  #start(): void {
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0 || this.#mustLook) this.#start();
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 || this.#mustLook) {
      const queued = this.#queue.splice(0, maxChanges);
      const waiters = this.#mustLook ? this.#takeWaiters() : [];
      this.#mustLook = false;
      try {
        await this.#step(queued, waiters);
      } catch (error) {
        this.#searchedTo = undefined;
        for (const { reject } of queued) reject(error);
        for (const waiter of waiters) if (!waiter.isOver) waiter.fail(error);
      }
      this.#waiters = this.#waiters.filter(({ isOver }) => !isOver);
    }
  }

  #takeWaiters(): readonly LeaseWaiter[] {
    this.#waiters = this.#waiters.filter(({ isOver }) => !isOver);
    if (this.#waiters.length === 0) this.#searchedTo = undefined;
    return [...this.#waiters];
  }

  async #step(queued: readonly Queued[], waiters: readonly LeaseWaiter[]): Promise<void> {
    const { repository, memory, clock, ids, writer } = this.#options;
    await this.#dismissEnded(waiters);
    let source: BlockSource = queued.some(({ change }) => change.mustRead) ? 'latest' : 'memory';
    for (let tries = 0; tries < maxTries; tries++) {
      const now = clock.now();
      const draft = new WorkDraft({ poolId: this.#poolId, settings: this.#settings, now, ids, writer });
      const wanted = queued.flatMap(({ change }) => change.blockIds);
      if (source !== 'memory') memory.forget(wanted);
      await this.#read(draft, wanted, source);
      const answers = queued.map(({ change }) => answerOf(change, draft));
      // An answer without a write must not rest on a write of another process that is rolled back.
      if (draft.isDoubtful && source !== 'durable') {
        source = 'durable';
        continue;
      }
      const search = new LeaseSearch(this.#options, draft, waiters);
      if (waiters.length > 0) await search.run((blockIds) => this.#read(draft, blockIds), this.#searchedTo);
      if (!draft.isEmpty && !(await repository.commit(draft.writes, draft, now))) {
        memory.forget(draft.ids);
        source = 'latest';
        continue;
      }
      for (const block of draft.written) memory.put(block);
      for (const [at, { resolve, reject }] of queued.entries()) settle(answers[at], resolve, reject);
      this.#answer(search, waiters);
      if (waiters.length > 0) this.#searchedTo = search.searchedTo;
      // Completed and failed units may let others be leased.
      if (queued.length > 0 && !draft.isEmpty) this.look();
      if (search.searchedTo) this.look();
      else if (waiters.length > 0) await this.#lookLater(search, now);
      return;
    }
    throw new DomainError(
      'SERVICE_UNAVAILABLE',
      'The units are being changed by other processes; try again',
      { service: 'work units' },
    );
  }

  /** Blocks from memory, and the rest from the store. */
  async #read(draft: WorkDraft, wanted: readonly string[], source: BlockSource = 'latest'): Promise<void> {
    const { memory, repository } = this.#options;
    const missing = new Set<string>();
    for (const id of wanted) {
      if (draft.has(id)) continue;
      const known = memory.get(id);
      if (known) draft.add(known);
      else missing.add(id);
    }
    if (missing.size === 0) return;
    for (const block of await repository.find([...missing], source === 'durable')) {
      memory.put(block);
      draft.add(block);
    }
  }

  /** A call may have waited for longer than its job has held its attempt. */
  async #dismissEnded(waiters: readonly LeaseWaiter[]): Promise<void> {
    const older = waiters.filter(({ isNew }) => !isNew);
    for (const waiter of waiters) waiter.isNew = false;
    if (older.length === 0) return;
    const held = await this.#options.stillHeld(older.map(({ request }) => request.attempt));
    for (const [at, waiter] of older.entries()) if (!held[at]) waiter.answer([]);
  }

  #answer(search: LeaseSearch, waiters: readonly LeaseWaiter[]): void {
    const lost: LeasedUnit[] = [];
    for (const waiter of waiters) {
      const units = search.found.get(waiter) ?? [];
      if (waiter.isOver) lost.push(...units);
      // There may be units in the blocks that are left to the next search.
      else if (units.length > 0 || !(waiter.request.isPatient || search.searchedTo)) waiter.answer(units);
    }
    if (lost.length > 0) this.#return(lost);
  }

  /** Returns units whose caller went away while they were written. */
  #return(units: readonly LeasedUnit[]): void {
    const change = returning(units);
    this.run(change).catch((err: unknown) => this.#options.log.warn({ err }, 'leased units not returned'));
  }

  async #lookLater({ sawBlocked }: LeaseSearch, now: Date): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#waiters.every(({ isOver }) => isOver)) return;
    const next = await this.#options.repository.nextReadyAt(this.#poolId, now);
    const restMs = next ? next.getTime() - now.getTime() : Infinity;
    const ms = Math.max(1, Math.min(restMs, sawBlocked ? lookSoonMs : lookMs));
    this.#timer = setTimeout(() => this.look(), ms);
  }
}

function answerOf(change: WorkChange<unknown>, draft: WorkDraft): Answer {
  try {
    return { value: change.apply(draft) };
  } catch (error) {
    return { error };
  }
}

function settle(answer: Answer | undefined, resolve: Queued['resolve'], reject: Queued['reject']): void {
  if (answer && 'error' in answer) reject(answer.error);
  else resolve(answer?.value);
}

/** Ends leases as if they had not been. */
function returning(units: readonly LeasedUnit[]): WorkChange<void> {
  return {
    blockIds: [...new Set(units.map(({ blockId }) => blockId))],
    apply(draft) {
      const { settings, now } = draft.context;
      for (const { blockId, position, unit } of units) {
        const block = draft.block(blockId);
        if (!block || !unit.lease) continue;
        const { fence, lease } = unit;
        const report = { position, fence, kind: 'RETURN' } as const;
        const outcome = failUnit(block, report, { jobId: lease.jobId, settings, now });
        if (outcome.kind === 'changed') draft.change(blockId, [outcome.change]);
      }
    },
  };
}
