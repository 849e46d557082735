/** For tests: policies that are enabled, and failures to decide about. */
import { compilePolicy } from '../../src/policies/compiled-policy.js';
import { decideFailure, type LogTail, needsLog } from '../../src/policies/decide-failure.js';
import type {
  FailedEnd,
  FailedJob,
  Failure,
  FailureDecision,
  OfferedAmounts,
} from '../../src/policies/failure.types.js';
import { policyId, type PolicyDocument } from '../../src/policies/policy.document.js';
import type { PolicyContent, PolicyRule, PolicyScope, RetryAction } from '../../src/policies/policy.types.js';
import { classIdOf } from '../../src/jobs/model/requirement-class-id.js';
import { someRequirements } from './scheduler.fixture.js';

const at = new Date('2030-01-01T00:00:00Z');

/** An enabled policy. */
export function enabledPolicy(
  scope: PolicyScope,
  content: PolicyContent,
  version = 1,
): readonly [string, PolicyDocument] {
  const id = policyId(scope);
  const enabled = { version, by: 'manager@example', at, content };
  const base = { schemaVersion: 1, revision: version, createdAt: at, updatedAt: at };
  return [id, { _id: id, ...base, ...scope, newest: version, enabled, applies: true }];
}

/** A rule that matches every failure and retries it. */
export function aRule(change: Partial<PolicyRule> = {}): PolicyRule {
  return { name: 'a rule', match: { attempts: { from: 1, to: 20 } }, action: { retry: {} }, ...change };
}

/** A job whose first attempt failed on host-1 of site "home". */
export function aFailedJob(change: Partial<FailedJob> = {}): FailedJob {
  const requirements = change.requirements ?? someRequirements();
  return {
    _id: 'job_1',
    attempt: 1,
    attempts: [{ number: 1, host: 'host-1', site: 'home' }],
    retry: { maxAttempts: 3, backoffSeconds: 0, backoffFactor: 2, retryOn: ['WORKER', 'SYSTEM'] },
    experiment: 'alpha',
    owner: 'user:someone@alpha.org',
    labels: [{ key: 'campaign', value: 'mc26' }],
    requirements,
    classId: classIdOf(requirements),
    queue: 'main',
    ...change,
  };
}

/** The end of an attempt whose payload used too much memory. */
export function aFailedEnd(change: Partial<FailedEnd> = {}): FailedEnd {
  const error = {
    family: 'LIMIT',
    code: 'MEMORY_EXCEEDED',
    message: 'The payload used 1100 MiB; it requested 1024 MiB',
    retryable: false,
  } as const;
  return {
    signal: 'SIGKILL',
    error,
    metrics: { peakMemoryMiB: 1100, wallSeconds: 90, cpuSeconds: 80, isPartial: false },
    ...change,
  };
}

/** Time of the decisions. */
export const failedAt = new Date('2030-05-01T12:00:00Z');
/** A time after that of the decisions. */
export const later = (seconds: number): Date => new Date(failedAt.getTime() + seconds * 1000);

/** A failure, apart from {@link aFailedJob} and {@link aFailedEnd}, and what is known about it. */
export interface FailureWorld {
  readonly job?: Partial<FailedJob>;
  readonly end?: Partial<FailedEnd>;
  readonly log?: LogTail;
  readonly offers?: readonly OfferedAmounts[];
  readonly taskStates?: Failure['taskStates'];
}

/** Decides by one policy of the experiment for each content, the most specific first. */
export function decide(
  contents: readonly PolicyContent[],
  { job, end, log, offers, taskStates }: FailureWorld = {},
) {
  const policies = contents.map((content, index) => compilePolicy(`experiment/${index}`, 7, content));
  const failure = {
    job: aFailedJob(job),
    end: aFailedEnd(end),
    offers: offers && (() => offers),
    taskStates,
  };
  return decideFailure(failure, policies, failedAt, log);
}

/** Decides by one policy of the experiment, without need of the log. */
export function decided(rules: readonly PolicyRule[], world?: FailureWorld): FailureDecision {
  const decision = decide([{ rules }], world);
  if (decision === needsLog) throw new Error('the log is needed');
  return decision;
}

/** Decides by one rule that retries. */
export const retried = (retry: RetryAction, world?: FailureWorld): FailureDecision =>
  decided([aRule({ action: { retry } })], world);
