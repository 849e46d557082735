/** Contents of policies: rules for failed attempts, in their order. */
import type { JobErrorFamily } from '../jobs/model/job.types.js';

/** Kind of the objects that a policy applies to. */
export type PolicyScopeKind = 'EXPERIMENT' | 'QUEUE' | 'TASK';

/** The jobs of one experiment, queue or task. */
export interface PolicyScope {
  readonly kind: PolicyScopeKind;
  /** Name of the experiment or queue, or id of the task. */
  readonly name: string;
}

/** Whole numbers from one to another, both included. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

/** Criteria of a rule; all that are given must be met. A list is met by any of its entries. */
export interface RuleMatch {
  readonly families?: readonly JobErrorFamily[];
  readonly codes?: readonly string[];
  readonly exitCodes?: readonly NumberRange[];
  readonly signals?: readonly string[];
  /** Regular expression in RE2 syntax. */
  readonly logPattern?: string;
  readonly sites?: readonly string[];
  readonly queues?: readonly string[];
  readonly hosts?: readonly string[];
  readonly attempts?: NumberRange;
  readonly classIds?: readonly string[];
  /** All of them must be labels of the job. */
  readonly labels?: readonly { readonly key: string; readonly value: string }[];
  /** CEL. */
  readonly condition?: string;
}

/** Change of an amount: exactly one of factor, addition and value. */
export interface AmountRule {
  readonly factor?: number;
  readonly add?: number;
  readonly value?: number;
  /** Largest result; an amount that has reached it is not changed. */
  readonly max?: number;
}

/** Another attempt. */
export interface RetryAction {
  readonly memory?: AmountRule;
  readonly walltime?: AmountRule;
  readonly disk?: AmountRule;
  /** Longest time for which the job waits for another host, in seconds. */
  readonly anotherHostSeconds?: number;
  readonly anotherSiteSeconds?: number;
  readonly backoffSeconds?: number;
  /** Attempts of the job in all, instead of those that its retry policy allows. */
  readonly maxAttempts?: number;
}

/** Command to the task of the job, if its failure rate exceeds a limit. */
export interface TaskAction {
  readonly reason: string;
  /** A larger fraction of the ended jobs of the task than this is FAILED. */
  readonly maxFailedFraction: number;
  /** Number of ended jobs below which the fraction does not count. */
  readonly minEndedJobs: number;
}

/** Exclusion of the host of the attempt. */
export interface HostAction {
  readonly reason: string;
  readonly seconds: number;
}

/** Action of a rule; exactly one. */
export interface RuleAction {
  readonly retry?: RetryAction;
  readonly fail?: { readonly reason: string };
  readonly hold?: { readonly reason: string };
  readonly pauseTask?: TaskAction;
  readonly stopTask?: TaskAction;
  /** Only in policies of queues. */
  readonly excludeHost?: HostAction;
  /** Retry of a job that is FAILED, if core excludes the host of its last attempt because of it. */
  readonly retryIfHostExcluded?: { readonly reason: string };
}

/** Rule for failed attempts. */
export interface PolicyRule {
  /** Unique in its policy. */
  readonly name: string;
  readonly match: RuleMatch;
  readonly action: RuleAction;
  /** Most failures of one job that the rule decides. */
  readonly maxPerJob?: number;
}

/** Where the next attempt goes, if no rule decides it. */
export interface AfterFailurePlacement {
  /** Time for which another host is preferred; 0 for no preference. */
  readonly otherHostSeconds: number;
  readonly otherSiteSeconds: number;
  /** Number of failures at a site after which another site is preferred. */
  readonly otherSiteAfter: number;
}

/** One version of a policy. */
export interface PolicyContent {
  readonly rules: readonly PolicyRule[];
  readonly placement?: AfterFailurePlacement;
}

/** Placement after a failure where no policy has one. */
export const defaultPlacement: AfterFailurePlacement = {
  otherHostSeconds: 120,
  otherSiteSeconds: 300,
  otherSiteAfter: 2,
};
