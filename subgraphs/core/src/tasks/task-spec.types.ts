/** Tasks as callers describe them; nothing is checked yet. */
import type { JobSpec, PayloadSpec, RequirementsSpec } from '../jobs/submit/submit.types.js';

/** The values of one job. */
export interface ParameterSetSpec {
  readonly parameters: readonly { readonly name: string; readonly value: string }[];
  readonly dependsOn?: readonly string[] | null | undefined;
  /** Position in the task's variants; the template where it is left out. */
  readonly variant?: number | null | undefined;
}

/** A task to submit. Exactly one of `parameterSets` and `count` is given; both are in `jobs` of the caller's input. */
export interface TaskSpec {
  readonly experiment: string;
  readonly idempotencyKey: string;
  readonly name: string;
  readonly template: JobSpec;
  readonly variants?: readonly VariantSpec[] | null | undefined;
  readonly parameterSets?: readonly ParameterSetSpec[] | null | undefined;
  readonly count?: number | null | undefined;
  /** Whose it is; the caller's unless given. */
  readonly onBehalfOf?: string | null | undefined;
}

/** Another shape of job: what is given stands in the place of the template's. */
export interface VariantSpec {
  readonly name?: string | null | undefined;
  readonly requirements?: RequirementsSpec | null | undefined;
  readonly payload?: PayloadSpec | null | undefined;
}
