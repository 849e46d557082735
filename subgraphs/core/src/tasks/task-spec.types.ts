/** Tasks as callers describe them, unchecked. */
import type { TaskDatasetSpec } from './files/task-dataset.types.js';
import type { FailureLimitSpec } from './limits/failure-limit.js';
import type { ScoutsSpec } from './scouts/scout-input.js';
import type { JobSpec, PayloadSpec, RequirementsSpec } from '../jobs/submit/submit.types.js';

/** Values of one job. */
export interface ParameterSetSpec {
  readonly parameters: readonly { readonly name: string; readonly value: string }[];
  readonly dependsOn?: readonly string[] | null | undefined;
  /** Position in the task's variants; absent for the template. */
  readonly variant?: number | null | undefined;
}

/**
 * Task to submit. Exactly one of `parameterSets`, `count` and `dataset` is given; they are in `jobs` of the
 * caller's input.
 */
export interface TaskSpec {
  readonly experiment: string;
  readonly idempotencyKey: string;
  readonly name: string;
  readonly template: JobSpec;
  readonly variants?: readonly VariantSpec[] | null | undefined;
  readonly parameterSets?: readonly ParameterSetSpec[] | null | undefined;
  readonly count?: number | null | undefined;
  /** Closed dataset whose files the jobs process. */
  readonly dataset?: TaskDatasetSpec | null | undefined;
  /** Jobs that run first; their use decides about the requirements of the others. */
  readonly scouts?: ScoutsSpec | null | undefined;
  /** Failures after which the task is paused or stopped. */
  readonly failureLimit?: FailureLimitSpec | null | undefined;
  /** Maximum number of jobs that run at a time. */
  readonly maxRunningJobs?: number | null | undefined;
  /** Owner of the task; defaults to the caller. */
  readonly onBehalfOf?: string | null | undefined;
}

/** Alternative shape of jobs; its values replace those of the template. */
export interface VariantSpec {
  readonly name?: string | null | undefined;
  readonly requirements?: RequirementsSpec | null | undefined;
  readonly payload?: PayloadSpec | null | undefined;
}
