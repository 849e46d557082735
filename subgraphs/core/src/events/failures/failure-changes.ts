/** Changes of the counts of failures that an event makes. Pure. */
import { isCanary } from '../../jobs/model/canary-owner.js';
import type { StoredFailure } from '../../jobs/model/job.types.js';
import type { LostTimeDocument } from '../../workers/adoption/lost-time.document.js';
import type { StreamedJobEvent } from '../feed/job-event.js';
import { type FailureKey, type HourlyRollup, rollupFields } from './failure-counts.document.js';

/** A failure to be added, or one that no longer counts. */
export interface FailureChange {
  /** Position of the event in the stream; absent for lost time, which has no event. */
  readonly token?: string;
  readonly sign: 1 | -1;
  readonly experiment: string;
  readonly key: FailureKey;
  readonly coreSeconds: number;
  readonly gpuSeconds: number;
  readonly at: Date;
  readonly jobId: string;
}

/** A document that a change concerns. */
export interface FailureTarget {
  readonly id: string;
  readonly rollup: HourlyRollup | 'TOTAL';
  readonly experiment: string;
  readonly hour?: Date;
  readonly site?: string | null;
}

export const hourMs = 3_600_000;

/** Begin of the hour of a time. */
export function hourOf(at: Date): Date {
  return new Date(Math.floor(at.getTime() / hourMs) * hourMs);
}

/** The change of an event; undefined for an event without a failure, and for canary jobs. */
export function failureChange({ token, jobId, last }: StreamedJobEvent): FailureChange | undefined {
  const { failure, revoked, experiment, taskId } = last;
  const facts = isCanary(last) ? undefined : (failure ?? revoked);
  return facts && { token, sign: failure ? 1 : -1, ...amountsOf(facts, taskId), experiment, jobId };
}

/** The change of time that a superseded attempt lost. */
export function lostTimeChange({ jobId, experiment, taskId, failure }: LostTimeDocument): FailureChange {
  return { sign: 1, ...amountsOf(failure, taskId), experiment, jobId };
}

function amountsOf(
  facts: StoredFailure,
  taskId: string | undefined,
): Pick<FailureChange, 'key' | 'coreSeconds' | 'gpuSeconds' | 'at'> {
  const { cores, gpus = 0, seconds, at } = facts;
  return {
    key: keyOf(facts, taskId),
    coreSeconds: Math.max(0, seconds) * cores,
    gpuSeconds: Math.max(0, seconds) * gpus,
    at,
  };
}

function keyOf(facts: StoredFailure, taskId: string | undefined): FailureKey {
  const {
    family = null,
    code,
    queue = null,
    site = null,
    host = null,
    image = null,
    exitCode = null,
  } = facts;
  return { family, code, site, queue, host, taskId: taskId ?? null, image, exitCode };
}

/** The documents that a change concerns: one of each hourly rollup, and the total. */
export function targetsOf({ experiment, key: { site }, at }: FailureChange): readonly FailureTarget[] {
  const hour = hourOf(at);
  const hourly = (Object.keys(rollupFields) as HourlyRollup[]).map((rollup) => ({
    id: `${rollup} ${experiment} ${hour.toISOString()}`,
    rollup,
    experiment,
    hour,
  }));
  return [...hourly, { id: `TOTAL ${experiment} ${site ?? ''}`, rollup: 'TOTAL', experiment, site }];
}
