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
  /** Interval at which the states of all jobs of fleets are read, in milliseconds; defaults to 60,000. */
  readonly recheckMs?: number | undefined;
}

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
  /** Times until which new jobs of a fleet exceed a quota. */
  readonly #full = new Map<string, number>();
  #readAtMs = 0;

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
    this.#forget();
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
    for (const memory of this.#memories.values()) memory.forgetJobs();
    this.#readAtMs = this.#options.clock.monotonicMs();
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const { pools: source, clock, recheckMs = 60_000 } = this.#options;
    if (clock.monotonicMs() - this.#readAtMs > recheckMs) this.#forget();
    const fleets = await this.#read();
    if (fleets.length === 0 || signal.aborted) return;
    const pools = await source.findMany([...new Set(fleets.map(({ poolId }) => poolId))]);
    const totals = await source.totals(pools);
    const byPool = new Map(pools.map((pool, at) => [pool._id, totals[at]]));
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

  async #look(fleet: FleetDocument, totals: PoolTotals | undefined): Promise<void> {
    const { journal, log } = this.#options;
    if (!totals) return;
    try {
      const memory = await this.#memoryOf(fleet);
      await this.#observe(fleet, memory, totals);
      const wanted = nextChange(fleet, this.#view(fleet, memory, totals));
      if (!wanted && !fleet.open) return;
      const exceeded = await this.#charge(fleet, wanted);
      await journal.change(fleet._id, (stored) => {
        // Others have changed it: the next pass sees it as it is.
        if (stored.step !== fleet.step) return undefined;
        return exceeded ? withoutStarts(fleet, wanted, exceeded) : wanted;
      });
    } catch (err) {
      log.warn({ err, fleetId: fleet._id }, 'fleet not looked at');
    }
  }

  async #memoryOf(fleet: FleetDocument): Promise<FleetMemory> {
    const memory = this.#memories.get(fleet._id) ?? new FleetMemory();
    this.#memories.set(fleet._id, memory);
    const unknown = memory.unknown(fleet);
    if (unknown.length > 0) memory.learn(await this.#options.jobs.find(unknown, { state: 1, revision: 1 }));
    return memory;
  }

  async #observe(fleet: FleetDocument, memory: FleetMemory, totals: PoolTotals): Promise<void> {
    const { pools, clock } = this.#options;
    const held = totals.leased > 0 ? memory.held(fleet) : [];
    const busy = held.length > 0 ? await pools.holding(fleet.poolId, held) : new Set<string>();
    memory.observe(fleet, totals, busy, clock.monotonicMs());
  }

  #view(fleet: FleetDocument, memory: FleetMemory, totals: PoolTotals): FleetView {
    const { clock } = this.#options;
    const { state, waiting, leased, waitingSince } = totals;
    const now = clock.now();
    const oldestSeconds = waitingSince ? Math.max(0, now.getTime() - waitingSince.getTime()) / 1000 : 0;
    return {
      now,
      pool: { isClosed: state === 'CLOSED', waiting, leased, oldestSeconds },
      rates: memory.rates(),
      jobs: memory.jobs(fleet, clock.monotonicMs()),
      stateOf: (id) => memory.stateOf(id),
      mayStart: (this.#full.get(fleet._id) ?? 0) <= clock.monotonicMs(),
    };
  }

  /** Counts new jobs for the quotas of their owner. @returns the quota that they exceed */
  async #charge(fleet: FleetDocument, change: FleetChange | undefined): Promise<string | undefined> {
    const { quota, clock } = this.#options;
    const jobs = change?.decision?.start?.length ?? 0;
    if (jobs === 0) return undefined;
    try {
      await quota.charge(fleet.experiment, fleet.owner, { jobs, bytes: jobs * fleet.template.bytes });
      return undefined;
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'LIMIT_EXCEEDED') throw error;
      this.#full.set(fleet._id, clock.monotonicMs() + quotaPauseMs);
      return error.message;
    }
  }
}

/** Time after which jobs that exceed a quota are tried again, in milliseconds. */
const quotaPauseMs = 60_000;

/** The change, but without new jobs. The target stays, so that they are started later. */
function withoutStarts(
  { latest, target }: FleetDocument,
  change: FleetChange | undefined,
  message: string,
): FleetChange | undefined {
  if (!change?.decision) return change;
  const { target: _target, targetAt: _targetAt, ...patch } = change.patch;
  if (latest?.reason === 'QUOTA') return patch.members ? { patch } : undefined;
  // Jobs that would be replaced stay, too.
  const { start: _start, release: _release, cancel: _cancel, ...facts } = change.decision;
  return { decision: { ...facts, reason: 'QUOTA', message, target }, patch };
}
