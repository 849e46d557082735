/**
 * Clock by which the leases of workers end. Only the leader of the broker runs it. It stands still while a
 * fault of the service itself could keep workers from reporting: while the store confirms no write by a
 * majority, while the event loop is stalled, and while no gateway reports that it accepts pilots.
 *
 * After a short pause each lease is longer by the pause. After a long one, after a write that failed, and
 * when a term begins, all leases get their full time again.
 */
import type { StallMeter } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { EndedLeases, EndedLeasesRepository } from './ended-leases.repository.js';
import type { LeaseClockRepository, LeaseSurvey } from './lease-clock.repository.js';
import type { LeaseClockDocument, LeaseClockRecord, LeaseClockState } from './lease-clock.types.js';
import {
  decideLosses,
  type MassSilenceLimits,
  massSilenceLimits,
  type Postponement,
  type SilenceDecision,
} from './mass-silence.js';
import { type Pause, Pauses } from './pauses.js';
import { RecentLosses } from './recent-losses.js';

/** Limits of {@link LeaseClock}. */
export interface LeaseClockLimits {
  /** Longest time between two checks without a pause, in milliseconds: the usual second, and one more. */
  readonly checkMs: number;
  /** Longest stall of the event loop without a pause, in milliseconds. */
  readonly stallMs: number;
  /** Longest time between two reports of gateways without a pause, in milliseconds. */
  readonly reportMs: number;
  /** Longest pause that only prolongs the leases, in milliseconds. */
  readonly shortPauseMs: number;
  /** False where no gateway reports: then the clock runs without reports. */
  readonly needsGateway: boolean;
  readonly massSilence: MassSilenceLimits;
}

/** Defaults of {@link LeaseClockLimits}. */
export const leaseClockLimits: LeaseClockLimits = {
  checkMs: 2000,
  stallMs: 1000,
  reportMs: 3000,
  shortPauseMs: 5000,
  needsGateway: true,
  massSilence: massSilenceLimits,
};

/** A term of this process as leader. */
export interface ClockTerm {
  readonly epoch: number;
  /** By the clock of the store. */
  readonly startedAt: Date;
}

/** Dependencies of {@link LeaseClock}. */
export interface LeaseClockOptions {
  readonly clocks: Pick<LeaseClockRepository, 'beat' | 'survey'>;
  readonly leases: Pick<EndedLeasesRepository, 'count' | 'lose'>;
  /** The current term; undefined while this process does not lead. */
  readonly term: () => ClockTerm | undefined;
  /** Measures the event loop of this process. */
  readonly stalls: Pick<StallMeter, 'start' | 'stop' | 'takeLongestMs'>;
  /** Number of live workers, silent or not. */
  readonly countWorkers: () => number;
  readonly log: Logger;
  readonly limits?: Partial<LeaseClockLimits>;
}

const changes = {
  BEGAN: 'postponed',
  SHARE_FELL: 'no longer postponed, because their share fell',
  TIME_OVER: 'no longer postponed, because the longest time is over',
} as const;

const noGateway = 'no gateway reports that it accepts pilots';

/** State of the clock in one term. */
interface Run {
  readonly epoch: number;
  readonly pauses: Pauses;
  readonly recentLosses: RecentLosses;
  /** End of the latest pause after which all leases got their full time again. */
  restartedAt: Date;
  /** Time of the latest check. */
  checkedAt: Date;
  /** Latest report of a gateway that accepts pilots. */
  acceptedAt: Date;
  /** Undefined before the first record of the term. */
  record: LeaseClockRecord | undefined;
  /** True after a check that failed. */
  hasFailed: boolean;
}

/** Outcome of a check. */
export interface LeaseCheck {
  /** Number of lost leases. */
  readonly lost: number;
  /** Something follows now for leases that have ended. */
  readonly hasDue: boolean;
  /** Devices of jobs that were given away stay booked. */
  readonly hasRetained: boolean;
}

/** The clock while it loses no worker. */
export interface Standstill {
  readonly reason: string;
  /** Time at which postponed losses happen at the latest. */
  readonly until?: Date;
}

/** Nothing is known of the leases: another process leads. */
const unknown: LeaseCheck = { lost: 0, hasDue: true, hasRetained: true };
const noLeases: EndedLeases = { count: 0, leaseMs: 0 };

/** Runs the lease clock of the leader. */
export class LeaseClock {
  readonly #options: LeaseClockOptions;
  readonly #limits: LeaseClockLimits;
  #run: Run | undefined;

  constructor(options: LeaseClockOptions) {
    this.#options = options;
    this.#limits = { ...leaseClockLimits, ...options.limits };
  }

  /** Starts to measure the event loop. */
  start(): void {
    this.#options.stalls.start();
  }

  stop(): void {
    this.#options.stalls.stop();
  }

  /** Reason for which this leader loses no worker now; undefined while the clock runs. */
  get standstill(): Standstill | undefined {
    if (!this.#run || this.#options.term()?.epoch !== this.#run.epoch) return undefined;
    const { record, hasFailed } = this.#run;
    if (hasFailed) return { reason: 'the store confirms no writes' };
    if (!record?.reason) return undefined;
    const { reason, postponement, state } = record;
    if (state !== 'POSTPONED' || !postponement) return { reason };
    return { reason, until: new Date(postponement.since.getTime() + this.#limits.massSilence.longestMs) };
  }

  /** Moves the clock on, and loses the leases that have ended by it. */
  async loseEnded(): Promise<LeaseCheck> {
    const term = this.#options.term();
    if (!term) return unknown;
    const run = this.#runOf(term);
    try {
      const found = await this.#check(run);
      if (!found) return unknown;
      const { now, hasEnded, hasDue, hasRetained } = found;
      const lost = await this.#lose(run, { until: this.#until(run, now), now, hasEnded });
      return { lost, hasDue: hasDue || lost > 0, hasRetained };
    } catch (error) {
      if (!run.hasFailed) this.#options.log.warn({ err: error }, 'lease clock stopped');
      run.hasFailed = true;
      throw error;
    }
  }

  #runOf({ epoch, startedAt }: ClockTerm): Run {
    if (this.#run?.epoch === epoch) return this.#run;
    const pauses = new Pauses();
    pauses.restart(startedAt);
    this.#run = {
      epoch,
      pauses,
      recentLosses: new RecentLosses(),
      restartedAt: startedAt,
      checkedAt: startedAt,
      acceptedAt: startedAt,
      record: undefined,
      hasFailed: false,
    };
    this.#options.stalls.takeLongestMs();
    return this.#run;
  }

  /** Survey after a write by a majority, and the time of the write; undefined if another process leads. */
  async #check(run: Run): Promise<(LeaseSurvey & { readonly now: Date }) | undefined> {
    const { clocks, stalls } = this.#options;
    const clock = await clocks.beat(run.epoch, run.record);
    if (!clock) return undefined;
    const now = clock.updatedAt;
    const survey = await clocks.survey(now);
    const acceptedAt = this.#limits.needsGateway ? survey.acceptedAt : undefined;
    this.#adopt(run, clock);
    this.#addPauses(run, { now, acceptedAt, stallMs: stalls.takeLongestMs() });
    return { ...survey, now };
  }

  /** A new term goes on with the state that the former leader has stored. */
  #adopt(run: Run, clock: LeaseClockDocument): void {
    if (run.record) return;
    const { state, reason, since, checkedAt, silentWorkers, workers, postponement } = clock;
    run.record = { state, reason, since, checkedAt, silentWorkers, workers, postponement };
  }

  #addPauses(
    run: Run,
    {
      now,
      acceptedAt,
      stallMs,
    }: { readonly now: Date; readonly acceptedAt: Date | undefined; readonly stallMs: number },
  ): void {
    const { checkMs, stallMs: longestStallMs, reportMs } = this.#limits;
    const { checkedAt } = run;
    run.checkedAt = now;
    if (run.hasFailed) {
      run.hasFailed = false;
      this.#restart(run, now, 'the store confirmed no write');
    } else if (now.getTime() - checkedAt.getTime() > checkMs) {
      this.#pause(run, { from: checkedAt, until: now }, 'the check of the leases was late');
    } else if (stallMs > longestStallMs) {
      const from = new Date(now.getTime() - stallMs);
      this.#pause(run, { from, until: now }, 'the event loop was stalled');
    }
    if (!acceptedAt || acceptedAt <= run.acceptedAt) return;
    const silence = { from: run.acceptedAt, until: acceptedAt };
    run.acceptedAt = acceptedAt;
    if (lengthOf(silence) > reportMs) this.#pause(run, silence, 'no gateway accepted pilots');
  }

  #pause(run: Run, pause: Pause, reason: string): void {
    if (lengthOf(pause) > this.#limits.shortPauseMs) return this.#restart(run, pause.until, reason);
    this.#options.log.info({ reason, seconds: lengthOf(pause) / 1000 }, 'leases of workers prolonged');
    run.pauses.add(pause);
  }

  #restart(run: Run, at: Date, reason: string): void {
    this.#options.log.info({ reason, epoch: run.epoch }, 'leases of workers restarted');
    run.pauses.restart(at);
    run.restartedAt = at;
  }

  /** Time up to which the clock has run. Without a newer report, it is that of the latest one. */
  #until({ acceptedAt }: Run, now: Date): Date {
    return this.#limits.needsGateway && acceptedAt < now ? acceptedAt : now;
  }

  async #lose(
    run: Run,
    { until, now, hasEnded }: { readonly until: Date; readonly now: Date; readonly hasEnded: boolean },
  ): Promise<number> {
    const { leases, countWorkers, log } = this.#options;
    const ended = hasEnded ? await leases.count(until, run.pauses) : noLeases;
    const isStopped = now.getTime() - until.getTime() > this.#limits.reportMs;
    const workers = countWorkers();
    const decision = this.#decide(run, { ended, workers, until, isStopped });
    if (decision.change)
      log.warn({ silent: ended.count, workers }, `losses of workers ${changes[decision.change]}`);
    const isPostponed = decision.isPostponed || isStopped;
    const lost = isPostponed || ended.count === 0 ? 0 : await leases.lose(until, run.pauses);
    if (decision.change === 'TIME_OVER') run.recentLosses.clear();
    else run.recentLosses.add(until, lost, ended.leaseMs);
    const state = isStopped ? 'STOPPED' : decision.isPostponed ? 'POSTPONED' : 'RUNNING';
    this.#record(run, {
      state,
      until,
      now,
      silentWorkers: ended.count - lost,
      workers: workers - lost,
      postponement: decision.postponement,
    });
    return lost;
  }

  /** While the clock stands still, a postponement neither begins nor ends. */
  #decide(
    { recentLosses, restartedAt, record }: Run,
    facts: {
      readonly ended: EndedLeases;
      readonly workers: number;
      readonly until: Date;
      readonly isStopped: boolean;
    },
  ): SilenceDecision {
    const { ended, workers, until: now, isStopped } = facts;
    const postponement = record?.postponement;
    if (isStopped) return { isPostponed: postponement !== undefined, postponement };
    const recentlyLost = recentLosses.count(now);
    const { count: silent, leaseMs } = ended;
    const silence = { now, silent, leaseMs, recentlyLost, workers, restartedAt };
    return decideLosses(silence, postponement, this.#limits.massSilence);
  }

  #record(
    run: Run,
    next: {
      readonly state: LeaseClockState;
      readonly until: Date;
      readonly now: Date;
      readonly silentWorkers: number;
      readonly workers: number;
      readonly postponement: Postponement | undefined;
    },
  ): void {
    const { state, until, now, silentWorkers, workers, postponement } = next;
    const { record } = run;
    const hasChanged = record?.state !== state;
    if (hasChanged && state === 'STOPPED')
      this.#options.log.warn({ reason: noGateway }, 'lease clock stopped');
    run.record = {
      state,
      reason: reasonOf(state, silentWorkers, workers),
      since: hasChanged ? now : (record?.since ?? now),
      checkedAt: until,
      silentWorkers,
      workers,
      postponement,
    };
  }
}

function reasonOf(state: LeaseClockState, silent: number, workers: number): string | undefined {
  if (state === 'RUNNING') return undefined;
  if (state === 'STOPPED') return noGateway;
  return `${silent} of ${workers} workers fell silent within the time of one lease`;
}

function lengthOf({ from, until }: Pause): number {
  return until.getTime() - from.getTime();
}
