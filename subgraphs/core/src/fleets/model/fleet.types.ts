/** Parts of fleets: settings, job templates, members and decisions. */
import type { StoredPayload, StoredRequirements, StoredRetryPolicy } from '../../jobs/model/job.types.js';

/** States of a fleet. */
export const fleetStates = ['RUNNING', 'PAUSED', 'DRAINING', 'ENDED'] as const;

/** One of {@link fleetStates}. */
export type FleetState = (typeof fleetStates)[number];

/** States in which a fleet may have jobs. */
export const openFleetStates = ['RUNNING', 'PAUSED', 'DRAINING'] as const satisfies readonly FleetState[];

/** Reasons of decisions. */
export const fleetReasons = [
  'CREATED',
  'UPDATED',
  'PAUSED',
  'RESUMED',
  'PREWARMED',
  'DRAINED',
  'MINIMUM',
  'MAXIMUM',
  'LAG_HIGH',
  'LAG_LOW',
  'IDLE',
  'REPLACED',
  'SURPLUS',
  'TEMPLATE',
  'UNRESPONSIVE',
  'FAILING',
  'QUOTA',
  'POOL_DRAINED',
  'ENDED',
] as const;

/** One of {@link fleetReasons}. */
export type FleetReason = (typeof fleetReasons)[number];

/** Queue that jobs of a fleet may wait in. */
export interface FleetQueue {
  /** Name of the queue. */
  readonly queue: string;
  /** Most jobs of the fleet there. */
  readonly max: number;
}

/** Settings of a fleet. */
export interface FleetSettings {
  /** Fewest jobs. */
  readonly min: number;
  /** Most jobs. */
  readonly max: number;
  /** Lag above which jobs are added. Below half of it, jobs may be removed. */
  readonly targetLagSeconds: number;
  /** Least time between a change of the target because of the lag and the next increase. */
  readonly upCooldownSeconds: number;
  /** Least time between a change of the target because of the lag and the next decrease. */
  readonly downCooldownSeconds: number;
  /** Time without units after which a job is released. */
  readonly idleSeconds: number;
  /** Time after its release after which a job that has not ended is cancelled. */
  readonly drainSeconds: number;
  /** Queues of the jobs; empty for any queue without a limit. */
  readonly queues: readonly FleetQueue[];
}

/** Requirements with their class. */
export interface ClassifiedRequirements {
  readonly requirements: StoredRequirements;
  readonly classId: string;
}

/** Jobs that a fleet submits, in the stored form. */
export interface FleetTemplate extends ClassifiedRequirements {
  /** Number of the version, from 1. */
  readonly version: number;
  readonly name: string;
  readonly priority: number;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  readonly payload: StoredPayload;
  readonly retry: StoredRetryPolicy;
  /** Bytes of the payload, for quotas. */
  readonly bytes: number;
  /** Requirements in each queue of the fleet. */
  readonly inQueues: readonly (ClassifiedRequirements & { readonly queue: string })[];
}

/** Job of a fleet that had not ended when the fleet was last written. */
export interface FleetMember {
  readonly id: string;
  /** Version of the template. */
  readonly version: number;
  /** Queue that it was submitted to, if the fleet names queues. */
  readonly queue?: string;
  /** Time from which it receives no further units. */
  readonly releasedAt?: Date;
}

/** Jobs that are wanted until a time, whatever the lag. */
export interface StoredPrewarm {
  readonly jobs: number;
  readonly until: Date;
  /** Subject of the principal. */
  readonly by: string;
}

/** Failures of jobs one after another. */
export interface FailureStreak {
  readonly count: number;
  readonly lastAt: Date;
}

/** Facts of a decision that callers see. */
export interface DecisionFacts {
  readonly reason: FleetReason;
  readonly message: string;
  /** Subject of the principal, or `system:fleets`. */
  readonly by: string;
  /** Number of jobs that is wanted after the decision, and before it. */
  readonly target: number;
  readonly previousTarget: number;
  /** Jobs of the fleet that receive units or wait to run, before the decision. */
  readonly jobs: number;
  /** Units that waited, and the lag; absent in a decision of a person. */
  readonly waiting?: number;
  readonly lagSeconds?: number;
  /** Numbers of jobs that the decision starts, releases and cancels. */
  readonly started: number;
  readonly released: number;
  readonly cancelled: number;
}

/** Decision until it is carried out. */
export interface OpenDecision extends DecisionFacts {
  readonly at: Date;
  /** Queues of the jobs to start, by position; '' for any queue. */
  readonly start: readonly string[];
  /** Identifiers of the jobs to cancel if they wait to run. Those that run by then are released. */
  readonly cancel: readonly string[];
  /** Identifiers of the jobs to cancel even if they run. */
  readonly overdue: readonly string[];
}

/** Actor of decisions that nobody called for. */
export const fleetActor = 'system:fleets';
/** Most jobs of a fleet. */
export const maxFleetJobs = 2000;
/** Most jobs that one decision starts. */
export const maxStarts = 500;

/** Most jobs that the settings admit. */
export function ceilingOf({ max, queues }: Pick<FleetSettings, 'max' | 'queues'>): number {
  if (queues.length === 0) return max;
  return Math.min(
    max,
    queues.reduce((sum, queue) => sum + queue.max, 0),
  );
}
