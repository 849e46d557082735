import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import type { LiveQuota } from '../../jobs/submit/live-quota.js';
import type { EventHandler } from '../../jobs/transitions/event-work.js';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import type { PoolDocument } from '../../units/pools/pool.document.js';
import type { PoolTotals } from '../../units/pools/pools.service.js';
import type { FleetDocument } from '../model/fleet.document.js';
import type { FleetsRepository } from '../store/fleets.repository.js';
import type { FleetChange, FleetJournal } from './fleet-journal.js';
import { FleetMemory } from './fleet-memory.js';
import { type FleetView, nextChange } from './next-decision.js';

/** Pools and their units as fleets see them. */
export interface FleetPools {
  findMany(ids: readonly string[]): Promise<readonly PoolDocument[]>;
  totals(pools: readonly PoolDocument[]): Promise<readonly PoolTotals[]>;
  /** Times since when units of these pools could be leased that can be now, by pool. */
  readySince(poolIds: readonly string[]): Promise<ReadonlyMap<string, Date>>;
  /** The jobs among these that hold units of the pool. */
  holding(poolId: string, jobIds: readonly string[]): Promise<ReadonlySet<string>>;
}

/** Dependencies of {@link FleetWork}. */
export interface FleetWorkOptions {
  readonly fleets: Pick<FleetsRepository, 'heads' | 'findMany'>;
  readonly pools: FleetPools;
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly journal: FleetJournal;
  readonly quota: Pick<LiveQuota, 'charge'>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Interval at which decisions are made, in milliseconds; defaults to 1,000. */
  readonly passMs?: number | undefined;
}

/** Interval at which the states of all jobs of fleets are read, in milliseconds. */
const recheckMs = 60_000;
/** Most fleets that have not ended. */
const maxFleets = 10_000;
/** Fleets that are looked at concurrently. */
const atOnce = 8;

/**
 * Decides about fleets on the leader. A pass reads the fleets that have changed, the numbers of their pools,
 * and which of their jobs hold units; the states of the jobs come with their events.
 */
export class FleetWork implements EventHandler {
  readonly name = 'fleets';
  readonly #options: FleetWorkOptions;
  readonly #task: LeaderTask;
  readonly #memories = new Map<string, FleetMemory>();
  #known = new Map<string, FleetDocument>();
  /** Fleets whose new jobs exceed a quota, with the time until which they do. */
  readonly #full = new Map<string, { readonly untilMs: number; readonly message: string }>();
  #readAtMs = 0;
  /** Events may have been missed since the pass in progress began. */
  #isStale = false;

  constructor(options: FleetWorkOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  /** Runs while this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Stops after the pass in progress; the next leader continues. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  async handle(events: readonly JobEvent[]): Promise<void> {
    for (const { jobId: _id, last } of events) {
      if (!last.fleet) continue;
      const { to: state, revision } = last;
      this.#memories.get(last.fleet.id)?.learn([{ _id, state, revision }]);
    }
  }

  async recover(): Promise<void> {
    // A pass in progress goes on with the states that it has read.
    this.#isStale = true;
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { passMs = 1000, log } = this.#options;
    this.#memories.clear();
    this.#known.clear();
    this.#full.clear();
    const failed = (err: unknown): void => log.warn({ err }, 'fleets not looked at');
    await repeat(() => this.#pass(signal), passMs, signal, failed);
  }

  /** Another process may have led meanwhile, or events may be lost. */
  #forget(): void {
    this.#isStale = false;
    for (const memory of this.#memories.values()) memory.forgetJobs();
    this.#readAtMs = this.#options.clock.monotonicMs();
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const { pools: source, clock } = this.#options;
    if (this.#isStale || clock.monotonicMs() - this.#readAtMs > recheckMs) this.#forget();
    const fleets = await this.#read();
    if (fleets.length === 0 || signal.aborted) return;
    const pools = await source.findMany([...new Set(fleets.map(({ poolId }) => poolId))]);
    const totals = await source.totals(pools);
    const waiting = pools.flatMap(({ _id }, at) => ((totals[at]?.waiting ?? 0) > 0 ? [_id] : []));
    const ready = waiting.length > 0 ? await source.readySince(waiting) : new Map<string, Date>();
    const byPool = new Map(
      pools.flatMap(({ _id }, at): [string, PoolWork][] => {
        const found = totals[at];
        return found ? [[_id, { totals: found, readySince: ready.get(_id) }]] : [];
      }),
    );
    for (let from = 0; from < fleets.length && !signal.aborted; from += atOnce)
      await Promise.all(
        fleets.slice(from, from + atOnce).map((fleet) => this.#look(fleet, byPool.get(fleet.poolId))),
      );
  }

  /** Fleets that have not ended; those that have not changed come from memory. */
  async #read(): Promise<readonly FleetDocument[]> {
    const { fleets } = this.#options;
    const heads = await fleets.heads(maxFleets);
    const stale = heads.flatMap(({ _id, step }) => {
      const known = this.#known.get(_id);
      return known && known.step === step && !known.open ? [] : [_id];
    });
    const read = stale.length === 0 ? [] : await fleets.findMany(stale);
    const current = new Map(read.map((fleet) => [fleet._id, fleet]));
    this.#known = new Map(
      heads.flatMap(({ _id }) => {
        const fleet = current.get(_id) ?? this.#known.get(_id);
        return fleet ? [[_id, fleet]] : [];
      }),
    );
    for (const id of [...this.#memories.keys()]) if (!this.#known.has(id)) this.#memories.delete(id);
    return [...this.#known.values()];
  }

  async #look(fleet: FleetDocument, work: PoolWork | undefined): Promise<void> {
    const { journal, log } = this.#options;
    if (!work) return;
    try {
      const memory = await this.#memoryOf(fleet);
      await this.#observe(fleet, memory, work.totals);
      const wanted = await this.#affordable(fleet, this.#view(fleet, memory, work));
      if (!wanted && !fleet.open) return;
      // Others may have changed it: the next pass sees it as it is.
      await journal.change(fleet._id, (stored) =>
        stored.step === fleet.step && stored.revision === fleet.revision ? wanted : undefined,
      );
    } catch (err) {
      log.warn({ err, fleetId: fleet._id }, 'fleet not looked at');
    }
  }

  async #memoryOf(fleet: FleetDocument): Promise<FleetMemory> {
    const memory = this.#memories.get(fleet._id) ?? new FleetMemory();
    this.#memories.set(fleet._id, memory);
    const unknown = memory.unknown(fleet);
    if (unknown.length === 0) return memory;
    memory.learn(await this.#options.jobs.find(unknown, { state: 1, revision: 1 }));
    // Jobs of a decision that is not carried out have yet to be written.
    if (!fleet.open) memory.learnAbsent(unknown);
    return memory;
  }

  async #observe(fleet: FleetDocument, memory: FleetMemory, totals: PoolTotals): Promise<void> {
    const { pools, clock } = this.#options;
    const held = totals.leased > 0 ? memory.held(fleet) : [];
    const busy = held.length > 0 ? await pools.holding(fleet.poolId, held) : new Set<string>();
    memory.observe(fleet, totals, busy, clock.monotonicMs());
  }

  #view(fleet: FleetDocument, memory: FleetMemory, { totals, readySince }: PoolWork): FleetView {
    const { clock } = this.#options;
    const { state, waiting, leased, waitingSince } = totals;
    const now = clock.now();
    const full = this.#full.get(fleet._id);
    const isFull = full !== undefined && full.untilMs > clock.monotonicMs();
    // Those that became ready first need not be those that wait longest.
    const sinceMs = Math.max(readySince?.getTime() ?? now.getTime(), waitingSince?.getTime() ?? 0);
    return {
      now,
      pool: {
        ...{ isClosed: state === 'CLOSED', waiting, leased, ready: readySince ? waiting : 0 },
        oldestSeconds: Math.max(0, now.getTime() - sinceMs) / 1000,
      },
      rates: memory.rates(),
      isUnproductive: memory.isUnproductive(),
      jobs: memory.jobs(fleet, clock.monotonicMs()),
      stateOf: (id) => memory.stateOf(id),
      quota: isFull ? { jobs: 0, message: full.message } : undefined,
    };
  }

  /** The next change, with as many new jobs as the quotas of their owner admit. */
  async #affordable(fleet: FleetDocument, view: FleetView): Promise<FleetChange | undefined> {
    const wanted = nextChange(fleet, view);
    const jobs = wanted?.decision?.start?.length ?? 0;
    if (jobs === 0) return wanted;
    const quota = await this.#charge(fleet, jobs);
    if (!quota) return wanted;
    this.#full.set(fleet._id, {
      untilMs: this.#options.clock.monotonicMs() + quotaPauseMs,
      message: quota.message,
    });
    return nextChange(fleet, { ...view, quota });
  }

  /** Counts as many of the new jobs as the quotas admit. @returns their number; undefined for all */
  async #charge(fleet: FleetDocument, jobs: number): Promise<FleetView['quota']> {
    const { experiment, owner, template } = fleet;
    let admitted = 0;
    let message = '';
    for (let part = jobs; admitted < jobs; part = Math.ceil(part / 2)) {
      const added = Math.min(part, jobs - admitted);
      try {
        await this.#options.quota.charge(experiment, owner, { jobs: added, bytes: added * template.bytes });
        admitted += added;
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== 'LIMIT_EXCEEDED') throw error;
        if (message === '') message = error.message;
      }
      if (part === 1) break;
    }
    return message === '' ? undefined : { jobs: admitted, message };
  }
}

/** Time after which jobs that exceed a quota are tried again, in milliseconds. */
const quotaPauseMs = 60_000;

/** Numbers of a pool, and since when a unit could be leased that can be now. */
interface PoolWork {
  readonly totals: PoolTotals;
  readonly readySince: Date | undefined;
}
