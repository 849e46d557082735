/** Pure rule for the number of jobs that a fleet should have. */
import { plural } from '../../shared/plural.js';
import { ceilingOf, type FleetReason, type FleetSettings, type StoredPrewarm } from './fleet.types.js';

/** Work of the pool, and the jobs of the fleet. */
export interface FleetLoad {
  /** Units that can be leased now, at most. */
  readonly waiting: number;
  /** Time for which the oldest of them could be leased, in seconds. */
  readonly oldestSeconds: number;
  /** Units that were published per second lately. */
  readonly arrivalsPerSecond: number;
  /** Units that a job which holds some completes per second; absent while it is not known. */
  readonly unitsPerJobSecond?: number | undefined;
  /** Jobs that workers hold, without released ones. */
  readonly running: number;
  /** Jobs that hold units, without released ones. */
  readonly busy: number;
  /** Jobs that workers hold and that have held no unit for `idleSeconds`, without released ones. */
  readonly idle: number;
}

/** Number of jobs that is wanted, and since when. */
export interface ScalingState {
  readonly target: number;
  readonly targetAt: Date;
  readonly prewarm?: StoredPrewarm | undefined;
}

/** New number of jobs, with the reason. */
export interface Scaling {
  readonly target: number;
  readonly reason: FleetReason;
  readonly message: string;
}

/** Lag below which jobs may be removed, as a part of the lag above which some are added. */
const lowMark = 0.5;
/** Jobs that are kept in addition to those that the load needs. */
const headroom = 1.2;
/** Part by which the target grows if the load should need no more jobs, but the lag is still high. */
const smallStep = 0.1;
/** Most that the target is multiplied with while it is not known what a job completes. */
const largestFactor = 2;

/** Fewest jobs now: those of the settings, or of a request to pre-warm. */
export function floorOf(
  settings: Pick<FleetSettings, 'min' | 'max' | 'queues'>,
  prewarm: StoredPrewarm | undefined,
  now: Date,
): number {
  const wanted = prewarm && prewarm.until > now ? Math.max(settings.min, prewarm.jobs) : settings.min;
  return Math.min(wanted, ceilingOf(settings));
}

/** Lag in seconds: the age of the oldest unit, or the time that the waiting units take if that is longer. */
export function lagOf({ waiting, oldestSeconds, unitsPerJobSecond, running }: FleetLoad): number {
  if (waiting === 0) return 0;
  if (unitsPerJobSecond === undefined || running === 0) return oldestSeconds;
  return Math.max(oldestSeconds, waiting / (unitsPerJobSecond * running));
}

/** Decides about the number of jobs; undefined if it stays. */
export function scale(
  settings: FleetSettings,
  { target, targetAt, prewarm }: ScalingState,
  load: FleetLoad,
  now: Date,
): Scaling | undefined {
  const ceiling = ceilingOf(settings);
  const floor = floorOf(settings, prewarm, now);
  if (target > ceiling) return to(ceiling, 'MAXIMUM', `the maximum is ${plural(ceiling, 'job')}`);
  if (target < floor)
    return floor > settings.min
      ? to(floor, 'PREWARMED', `prewarmed to ${plural(floor, 'job')} until ${prewarm?.until.toISOString()}`)
      : to(floor, 'MINIMUM', `the minimum is ${plural(floor, 'job')}`);
  const lag = lagOf(load);
  const restingSeconds = (now.getTime() - targetAt.getTime()) / 1000;
  const { targetLagSeconds } = settings;
  if (lag > targetLagSeconds) {
    const next = Math.min(ceiling, raised(settings, target, load, lag));
    if (next <= target || restingSeconds < settings.upCooldownSeconds) return undefined;
    return to(
      next,
      'LAG_HIGH',
      `lag of ${shown(lag)} s with ${load.waiting} units waiting; wanted at most ${targetLagSeconds} s`,
    );
  }
  if (load.waiting === 0 && load.idle > 0) {
    const next = Math.max(floor, target - load.idle);
    if (next < target)
      return to(next, 'IDLE', `${plural(load.idle, 'job')} had no unit for ${settings.idleSeconds} s`);
  }
  if (lag >= targetLagSeconds * lowMark || restingSeconds < settings.downCooldownSeconds) return undefined;
  const needed = neededJobs(settings, load);
  const next = needed === undefined ? target : Math.max(floor, Math.ceil(needed * headroom));
  if (next >= target) return undefined;
  return to(
    next,
    'LAG_LOW',
    `lag of ${shown(lag)} s; ${shown(load.arrivalsPerSecond)} units per second need ${plural(Math.ceil(needed ?? 0), 'job')}`,
  );
}

function to(target: number, reason: FleetReason, message: string): Scaling {
  return { target, reason, message };
}

/** Jobs that keep up with the arrivals and work off the waiting units within the wanted lag. */
function neededJobs(
  { targetLagSeconds }: FleetSettings,
  { arrivalsPerSecond, waiting, unitsPerJobSecond }: FleetLoad,
): number | undefined {
  if (unitsPerJobSecond === undefined) return undefined;
  return (arrivalsPerSecond + waiting / targetLagSeconds) / unitsPerJobSecond;
}

function raised(settings: FleetSettings, target: number, load: FleetLoad, lag: number): number {
  const needed = Math.ceil(neededJobs(settings, load) ?? 0);
  // Units that jobs without any do not take wait for something else.
  if (load.busy > 0 && load.idle >= load.busy) return target;
  // More jobs than units would have nothing to do.
  const useful = load.busy + load.waiting;
  if (needed > target) return Math.min(needed, useful);
  // Jobs that do not work yet would be counted as too few again and again.
  if (load.busy + load.idle < target) return target;
  const factor =
    load.unitsPerJobSecond === undefined
      ? Math.min(largestFactor, lag / settings.targetLagSeconds)
      : 1 + smallStep;
  return Math.min(useful, Math.max(target + 1, Math.ceil(target * factor)));
}

function shown(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}
