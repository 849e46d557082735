/** Decisions about failed attempts, as the job stores them. */

/** Hosts and sites that the next attempt avoids, until a time. */
export interface StoredAvoidance {
  readonly hosts: readonly string[];
  readonly sites: readonly string[];
  readonly until: Date;
  /** The job waits until then even if no other host could run it. */
  readonly isRequired?: true;
}

/** Outcome of the decision about a failed attempt. */
export type FailureOutcome = 'RETRY' | 'FAIL' | 'HOLD';

/** Effects of rules other than what follows at once for the job. */
export type EffectKind = 'PAUSE_TASK' | 'STOP_TASK' | 'EXCLUDE_HOST' | 'RETRY_IF_HOST_EXCLUDED';

/** Failed jobs of a task since its beginning, and the limits of the rule. */
export interface FailureRate {
  readonly failed: number;
  readonly ended: number;
  readonly maxFailedFraction: number;
  readonly minEndedJobs: number;
}

/** Effect of a rule on a task or a host, because of a failed attempt. */
export interface StoredEffect {
  readonly kind: EffectKind;
  readonly policyId: string;
  readonly version: number;
  readonly rule: string;
  readonly reason: string;
  /** Values that met the criteria of the rule. */
  readonly evidence: readonly { readonly criterion: string; readonly value: string }[];
  /** Id of the task, or name of the host. */
  readonly target: string;
  /** Queue of the host. */
  readonly queue?: string;
  /** End of the exclusion. */
  readonly until?: Date;
  /** Of an effect on a task. */
  readonly rate?: FailureRate;
}

/** Decision about a failed attempt, other than by the retry policy of the job alone. */
export interface StoredDecision {
  readonly outcome: FailureOutcome;
  /** Id of the policy of the rule; absent if no rule matched. */
  readonly policyId?: string;
  readonly version?: number;
  readonly rule?: string;
  /** One sentence. */
  readonly reason: string;
  /** Values that met the criteria of the rule. */
  readonly evidence: readonly { readonly criterion: string; readonly value: string }[];
  /** Changed requirements of the next attempt. */
  readonly changes: readonly StoredChange[];
  /** Amounts that rules asked for and that nothing offers; absent if there are none. */
  readonly limits?: readonly StoredLimit[];
  /** Effects on the task or the host; absent if there are none. */
  readonly effects?: readonly StoredEffect[];
  readonly notBefore?: Date;
  readonly avoid?: StoredAvoidance;
}

/** Requirements that a rule may change. */
export type ChangeableAmount = 'memoryMiB' | 'walltimeSeconds' | 'diskMiB';

/** One changed requirement. */
export interface StoredChange {
  readonly field: ChangeableAmount;
  readonly before: number;
  readonly after: number;
}

/** Amount that a rule asked for, and the largest one that was offered to the job then. */
export interface StoredLimit {
  /** Name of the rule, or of the retry policy of the job. */
  readonly rule: string;
  readonly field: ChangeableAmount;
  readonly wanted: number;
  readonly limit: number;
}
