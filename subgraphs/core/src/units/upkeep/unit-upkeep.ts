/**
 * Ends leases whose time is over or whose job has ended, ends units whose deadline has passed, and removes
 * blocks after their retention. Runs on the leader; what is left is read from the store.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { isHeld } from '../../jobs/model/job-state.js';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import { sweepUnits } from '../blocks/block-transitions.js';
import type { PoolDocument } from '../pools/pool.document.js';
import type { PoolsRepository } from '../pools/pools.repository.js';
import type { PoolWorks } from '../work/pool-works.js';
import type { BlockUpkeepRepository, EndedBlock, SweptBlock } from './block-upkeep.repository.js';

/** Intervals of the upkeep. */
export interface UnitUpkeepConfig {
  /** Interval of the sweep, in milliseconds. */
  readonly sweepMs: number;
  /**
   * Time after the start of the leadership before which no lease ends, in milliseconds: while nobody led,
   * attempts could perhaps not extend their leases.
   */
  readonly graceMs: number;
  /** Interval at which ended blocks are added to their pool and removed, in milliseconds. */
  readonly settleMs: number;
}

/** Intervals unless others are configured. */
export const defaultUnitUpkeep: UnitUpkeepConfig = { sweepMs: 1000, graceMs: 30_000, settleMs: 5000 };

/** Dependencies of {@link UnitUpkeep}. */
export interface UnitUpkeepOptions {
  readonly blocks: Pick<
    BlockUpkeepRepository,
    'holders' | 'ofJobs' | 'overdue' | 'uncounted' | 'addToPool' | 'expired' | 'remove'
  >;
  readonly pools: Pick<PoolsRepository, 'findMany'>;
  readonly works: Pick<PoolWorks, 'of'>;
  /** Returns the jobs among these that no worker holds. */
  readonly endedJobs: (jobIds: readonly string[]) => Promise<readonly string[]>;
  /** Events of jobs; those before the start of a term are missed. */
  readonly events: { onEvents(listener: (events: readonly JobEvent[]) => void): () => void };
  readonly leader: LeaderWork;
  readonly config?: Partial<UnitUpkeepConfig> | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Blocks of one step. */
const batchSize = 100;
/** Most jobs whose ends wait for the next sweep; the leases of others end by time. */
const maxEnded = 100_000;
/** Jobs that are read together. */
const jobsOfPage = 1000;

/** Upkeep of blocks. */
export class UnitUpkeep {
  readonly #options: UnitUpkeepOptions;
  readonly #config: UnitUpkeepConfig;
  readonly #task: LeaderTask;
  #ended = new Map<string, Date>();

  constructor(options: UnitUpkeepOptions) {
    this.#options = options;
    this.#config = { ...defaultUnitUpkeep, ...options.config };
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  start(): void {
    this.#task.start();
  }

  async stop(): Promise<void> {
    await this.#task.stop();
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { clock, log, events } = this.#options;
    const { sweepMs, graceMs, settleMs } = this.#config;
    const leadsSince = clock.monotonicMs();
    this.#ended = new Map();
    const stopEvents = events.onEvents((batch) => this.#take(batch));
    const failed = (err: unknown): void => log.warn({ err }, 'work units not swept');
    let hasLooked = false;
    const sweep = async (): Promise<void> => {
      await this.#sweep(clock.monotonicMs() - leadsSince >= graceMs, signal);
      if (!hasLooked) await this.#findEnded(signal);
      hasLooked = true;
    };
    try {
      await Promise.all([
        repeat(sweep, sweepMs, signal, failed),
        repeat(() => this.#settle(signal), settleMs, signal, failed),
      ]);
    } finally {
      stopEvents();
    }
  }

  #take(batch: readonly JobEvent[]): void {
    for (const { jobId, last } of batch) {
      const { from, to, at } = last;
      if (from === undefined || from === null || !isHeld(from) || isHeld(to)) continue;
      this.#add(jobId, at);
    }
  }

  #add(jobId: string, at: Date): void {
    const known = this.#ended.get(jobId);
    if (known ? known < at : this.#ended.size < maxEnded) this.#ended.set(jobId, at);
  }

  /** Adds the jobs that ended while nobody led, and still hold units; for the next sweep. */
  async #findEnded(signal: AbortSignal): Promise<void> {
    const { blocks, clock, endedJobs } = this.#options;
    const seen = new Set<string>();
    let page: string[] = [];
    const addEnded = async (): Promise<void> => {
      // Units that a job leases after it was read have a later time.
      const at = clock.now();
      for (const jobId of await endedJobs(page)) this.#add(jobId, at);
      page = [];
    };
    for await (const holders of blocks.holders()) {
      if (signal.aborted) return;
      page.push(...holders.filter((jobId) => !seen.has(jobId)));
      for (const jobId of holders) seen.add(jobId);
      if (page.length >= jobsOfPage) await addEnded();
    }
    if (page.length > 0) await addEnded();
  }

  async #sweep(isGraceOver: boolean, signal: AbortSignal): Promise<void> {
    const ended = this.#ended;
    this.#ended = new Map();
    try {
      await this.#sweepAll(ended, isGraceOver, signal);
    } catch (error) {
      for (const [jobId, at] of ended) this.#add(jobId, at);
      throw error;
    }
  }

  async #sweepAll(
    ended: ReadonlyMap<string, Date>,
    isGraceOver: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { blocks, clock } = this.#options;
    const jobIds = [...ended.keys()];
    for (let at = 0; at < jobIds.length && !signal.aborted; at += jobsOfPage) {
      // A block with units of many jobs is found again by each part.
      const found = await blocks.ofJobs(jobIds.slice(at, at + jobsOfPage), 10_000);
      await this.#sweepBlocks(found, ended, isGraceOver);
    }
    for (let before: string | undefined; !signal.aborted;) {
      const found = await blocks.overdue(clock.now(), batchSize);
      await this.#sweepBlocks(found, ended, isGraceOver);
      const first = found[0]?._id;
      // Leases that do not end yet are found again: the rest waits for the next sweep.
      if (found.length < batchSize || first === before) return;
      before = first;
    }
  }

  async #sweepBlocks(
    found: readonly SweptBlock[],
    endedJobs: ReadonlyMap<string, Date>,
    isGraceOver: boolean,
  ): Promise<void> {
    const pools = await this.#poolsOf(found);
    const results = await Promise.allSettled(
      found.flatMap(({ _id, poolId }) => {
        const pool = pools.get(poolId);
        return pool ? [this.#sweepBlock(pool, _id, endedJobs, isGraceOver)] : [];
      }),
    );
    const failure = results.find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') throw failure.reason;
  }

  #sweepBlock(
    pool: PoolDocument,
    blockId: string,
    endedJobs: ReadonlyMap<string, Date>,
    isGraceOver: boolean,
  ): Promise<void> {
    return this.#options.works.of(pool).run({
      blockIds: [blockId],
      mustRead: true,
      apply(draft) {
        const block = draft.block(blockId);
        if (!block) return;
        const { settings, now } = draft.context;
        const expiredBefore = isGraceOver ? now : new Date(0);
        draft.change(blockId, sweepUnits(block, { settings, endedJobs, expiredBefore, now }));
      },
    });
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const { blocks, clock, log } = this.#options;
    await inBatches(
      signal,
      () => blocks.uncounted(batchSize),
      (poolId, ended) => blocks.addToPool(poolId, ended, clock.now()),
    );
    const removed = await inBatches(
      signal,
      () => blocks.expired(clock.now(), batchSize),
      (poolId, ended) => blocks.remove(poolId, ended, clock.now()),
    );
    if (removed > 0) log.debug({ count: removed }, 'blocks of work units removed');
  }

  async #poolsOf(found: readonly SweptBlock[]): Promise<ReadonlyMap<string, PoolDocument>> {
    if (found.length === 0) return new Map();
    const pools = await this.#options.pools.findMany([...new Set(found.map(({ poolId }) => poolId))]);
    return new Map(pools.map((pool) => [pool._id, pool]));
  }
}

/** Handles blocks in batches, pool by pool, until none is left. @returns their number */
async function inBatches(
  signal: AbortSignal,
  read: () => Promise<readonly EndedBlock[]>,
  write: (poolId: string, blocks: readonly EndedBlock[]) => Promise<boolean>,
): Promise<number> {
  let all = 0;
  while (!signal.aborted) {
    const found = await read();
    const byPool = new Map<string, EndedBlock[]>();
    for (const block of found) byPool.set(block.poolId, [...(byPool.get(block.poolId) ?? []), block]);
    let written = 0;
    for (const [poolId, blocks] of byPool) if (await write(poolId, blocks)) written += blocks.length;
    all += written;
    if (found.length < batchSize || written === 0) break;
  }
  return all;
}
