/** Pure checks of inputs about queues. */
import { InputErrors } from '@rhizome/errors';
import {
  checkContinuityPolicy,
  type ContinuityPolicyInput,
  mergeContinuityPolicy,
} from '../shared/continuity.js';
import { checkKey } from '../shared/idempotency.js';
import { longestNoticeSeconds } from '../shared/notice.js';
import { type CanaryInput, checkCanary, checkCanaryLimits } from './canary.js';
import { checkExperimentLimits, type ExperimentLimitsInput } from './experiment-limits.js';
import type {
  QueueDocument,
  QueueExecutor,
  QueueIsolation,
  QueueState,
  StoredQueueLimits,
} from './queue.document.js';
import { longestWalltimeSeconds } from './walltime.js';

/** Codes with which a change of a queue is refused. */
export type QueueProblemCode =
  | 'QUEUE_NOT_FOUND'
  | 'QUEUE_NAME_TAKEN'
  | 'EXPERIMENT_NOT_FOUND'
  | 'SHARE_NOT_FOUND'
  | 'REVISION_CONFLICT'
  | 'IDEMPOTENCY_KEY_REUSED';

/** Limits as given: an absent limit is not changed, null removes a limit. */
export type LimitsInput = {
  readonly [K in Exclude<keyof StoredQueueLimits, 'gpuSharing'>]?: StoredQueueLimits[K] | null | undefined;
} & { readonly isGpuSharingEnabled?: boolean | null | undefined };

/** Queue to create. */
export interface CreateQueue {
  readonly name: string;
  readonly site: string;
  readonly experiments?: readonly string[] | null | undefined;
  readonly executor?: QueueExecutor | null | undefined;
  readonly limits?: LimitsInput | null | undefined;
  /** Limits of the experiments that are named; those of others do not change. */
  readonly experimentLimits?: readonly ExperimentLimitsInput[] | null | undefined;
  readonly continuity?: ContinuityPolicyInput | null | undefined;
  readonly isolation?: QueueIsolation | null | undefined;
  readonly labels?: QueueDocument['labels'] | null | undefined;
  readonly state?: QueueState | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

/** Changes of a queue; absent or null members are not changed. */
export interface UpdateQueue extends Omit<CreateQueue, 'site' | 'state' | 'idempotencyKey'> {
  readonly site?: string | null | undefined;
  /** Replaces the canary jobs; null ends them. */
  readonly canary?: CanaryInput | null | undefined;
  readonly expectedRevision?: number | null | undefined;
}

/** Defaults of a new queue. */
export const defaultLimits: StoredQueueLimits = { heartbeatSeconds: 10, leaseSeconds: 30 };

/** Pattern of queue names. */
const queueName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const nameForm = '1 to 63 letters, digits, ".", "_" or "-", beginning with a letter or digit';
const largest = {
  maxCores: 4096,
  maxMemoryMiB: 16_777_216,
  maxWalltimeSeconds: longestWalltimeSeconds,
  maxNoticeSeconds: longestNoticeSeconds,
  maxRunningJobs: 10_000_000,
  maxPreemptionsPerMinute: 1000,
};
const longestHeartbeat = 300;
const longestLease = 3600;
const logIntervals = { min: 100, max: 300_000 };

/** Errors of a queue to create. */
export function checkCreate(input: CreateQueue): InputErrors {
  const errors = new InputErrors();
  errors.form(['name'], input.name, queueName, nameForm);
  // Pilots, sites and scripts use the name as a key of objects and as a file name.
  if (input.name in Object.prototype)
    errors.add(['name'], input.name, 'a name that is not a built-in property of objects');
  checkKey(errors, input.idempotencyKey);
  checkCommon(errors, input);
  checkLimits(errors, mergeLimits(defaultLimits, input.limits));
  checkContinuityPolicy(errors, ['continuity'], mergeContinuityPolicy(undefined, input.continuity));
  return errors;
}

/** Errors of a change of the given queue. */
export function checkUpdate(input: UpdateQueue, current: QueueDocument): InputErrors {
  const errors = new InputErrors();
  checkCommon(errors, input, current);
  const limits = mergeLimits(current.limits, input.limits);
  if (input.canary) checkCanary(errors, input.canary, limits);
  else if (input.canary === undefined && input.limits && current.canary)
    checkCanaryLimits(errors, current.canary, limits);
  checkLimits(errors, limits);
  checkContinuityPolicy(errors, ['continuity'], mergeContinuityPolicy(current.continuity, input.continuity));
  return errors;
}

/** Errors of a reason. */
export function checkReason(reason: string): InputErrors {
  const errors = new InputErrors();
  errors.text(['reason'], reason, 1, 500);
  return errors;
}

/** Limits after a change. */
export function mergeLimits(
  current: StoredQueueLimits,
  change: LimitsInput | null | undefined,
): StoredQueueLimits {
  const merged: Record<string, number | boolean> = { ...current };
  for (const [given, value] of Object.entries(change ?? {})) {
    if (value === undefined) continue;
    const name = given === 'isGpuSharingEnabled' ? 'gpuSharing' : given;
    if (value !== null) merged[name] = value;
    else delete merged[name];
  }
  return { ...defaultLimits, ...merged };
}

function checkCommon(
  errors: InputErrors,
  { site, experiments, experimentLimits, labels }: Omit<UpdateQueue, 'name'>,
  current?: QueueDocument,
): void {
  if (typeof site === 'string') errors.text(['site'], site, 1, 63);
  errors.distinct(['experiments'], experiments ?? [], 1000);
  checkExperimentLimits(errors, experimentLimits, current?.experimentLimits);
  errors.labels(['labels'], labels ?? [], 32);
}

function checkLimits(errors: InputErrors, limits: StoredQueueLimits): void {
  for (const [name, max] of Object.entries(largest)) {
    errors.int(['limits', name], limits[name as keyof typeof largest], 1, max);
  }
  const { heartbeatSeconds, leaseSeconds, logIntervalMs } = limits;
  errors.int(['limits', 'logIntervalMs'], logIntervalMs, logIntervals.min, logIntervals.max);
  errors.int(['limits', 'heartbeatSeconds'], heartbeatSeconds, 1, longestHeartbeat);
  const shortestLease = 2 * heartbeatSeconds;
  if (!Number.isInteger(leaseSeconds) || leaseSeconds < shortestLease || leaseSeconds > longestLease) {
    const expected = `a whole number from ${shortestLease} (twice the heartbeat) to ${longestLease}`;
    errors.add(['limits', 'leaseSeconds'], leaseSeconds, expected);
  }
}
