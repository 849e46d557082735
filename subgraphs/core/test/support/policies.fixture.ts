/** For tests: policies that are enabled, and failures to decide about. */
import type { FailedEnd, FailedJob } from '../../src/policies/failure.types.js';
import { policyId, type PolicyDocument } from '../../src/policies/policy.document.js';
import type { PolicyContent, PolicyRule, PolicyScope } from '../../src/policies/policy.types.js';
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
