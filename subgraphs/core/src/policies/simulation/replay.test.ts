import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aFailedEnd, aFailedJob, aRule } from '../../../test/support/policies.fixture.js';
import type { StoredAvoidance } from '../../jobs/model/decision.types.js';
import type { StoredAttempt, StoredRequirements } from '../../jobs/model/job.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { compilePolicy, type CompiledPolicy } from '../compiled-policy.js';
import { decideFailure, needsLog } from '../decide-failure.js';
import type { FailedEnd, FailedJob, FailureDecision } from '../failure.types.js';
import type { PolicyContent, PolicyRule, RetryAction, RuleAction, RuleMatch } from '../policy.types.js';
import { type Replay, replayJob, type ReplayedJob } from './replay.js';
import { addJob, noTotals, type SimulationTotals } from './simulation-totals.js';

const begin = new Date('2030-05-01T00:00:00Z').getTime();
const hourMs = 3_600_000;
const policyOf = (content: PolicyContent): CompiledPolicy => compilePolicy('experiment/alpha', 1, content);

interface End {
  readonly end: FailedEnd;
  readonly host: string;
  readonly site: string;
  readonly log: string | null;
}

/** Stored job whose attempts end like this, each after an hour; then one finishes. */
function history(ends: readonly End[], policies: readonly CompiledPolicy[]): ReplayedJob {
  const { requirements, ...job } = aFailedJob();
  let now = requirements;
  let avoid: StoredAvoidance | undefined;
  const attempts: StoredAttempt[] = [];
  for (const one of ends) {
    const attempt = attemptOf(attempts.length + 1, one);
    const failed = { ...job, requirements: now, classId: classIdOf(now), attempt: attempt.number };
    const decision = decided(
      { ...failed, attempts: [...attempts, attempt], ...(avoid ? { avoid } : {}) },
      one,
      policies,
      endOf(attempt),
    );
    attempts.push({ ...attempt, ...one.end, ...ended(attempt, decision) });
    now = decision.requirements?.requirements ?? now;
    avoid = decision.avoid ?? avoid;
    if (decision.after.to === 'FAILED') return jobOf(job, now, attempts, 'FAILED');
    if ('hold' in decision.after) return jobOf(job, now, attempts, 'PENDING');
  }
  const last = attemptOf(attempts.length + 1, { host: 'host-9', site: 'home' });
  return jobOf(job, now, [...attempts, { ...last, endedAt: endOf(last), outcome: 'FINISHED' }], 'FINISHED');
}

function jobOf(
  { _id, experiment, owner, labels, retry }: Omit<FailedJob, 'requirements'>,
  requirements: StoredRequirements,
  attempts: readonly StoredAttempt[],
  state: ReplayedJob['state'],
): ReplayedJob {
  return { _id, experiment, owner, labels, retry, requirements, attempts, state };
}

function attemptOf(number: number, { host, site }: Pick<End, 'host' | 'site'>): StoredAttempt {
  const startedAt = new Date(begin + number * 2 * hourMs);
  const ids = { id: `attempt_${number}`, workerId: 'worker_1', queueId: 'queue_1', deviceIds: [] };
  return { number, ...ids, host, site, fence: number, sentAt: startedAt, startedAt };
}

function endOf({ startedAt }: StoredAttempt): Date {
  return new Date((startedAt?.getTime() ?? 0) + hourMs);
}

function ended(attempt: StoredAttempt, { decision }: FailureDecision) {
  return { endedAt: endOf(attempt), outcome: 'FAILED' as const, ...(decision ? { decision } : {}) };
}

function decided(job: FailedJob, { end, log }: End, policies: readonly CompiledPolicy[], now: Date) {
  const decision = decideFailure({ job, end }, policies, now, log);
  if (decision === needsLog) throw new Error('the log was given');
  return decision;
}

function replay(
  job: ReplayedJob,
  policies: readonly CompiledPolicy[],
  logs: readonly (string | null)[] = [],
): Replay {
  const found = replayJob(job, {
    book: { of: () => policies },
    since: new Date(begin),
    queueName: () => 'main',
    log: (attempt) => logs[attempt - 1] ?? null,
  });
  if ('logOf' in found) throw new Error('the log was given');
  return found;
}

const codes = ['MEMORY_EXCEEDED', 'EXIT_CODE', 'GRANT_LOST', 'LEASE_LOST'] as const;
const hosts = ['host-1', 'host-2', 'host-3'] as const;
const anyEnd: fc.Arbitrary<End> = fc.record({
  end: fc.record({ code: fc.constantFrom(...codes), retryable: fc.boolean() }).map(({ code, retryable }) => {
    const family = code === 'MEMORY_EXCEEDED' ? 'LIMIT' : code === 'EXIT_CODE' ? 'PAYLOAD' : 'WORKER';
    return aFailedEnd({ error: { family, code, message: code, retryable } });
  }),
  host: fc.constantFrom(...hosts),
  site: fc.constantFrom('home', 'away'),
  log: fc.constantFrom(null, 'all is well', 'No space left'),
});
const anyMatch: fc.Arbitrary<RuleMatch> = fc.oneof(
  fc.constantFrom<RuleMatch>(
    { logPattern: 'No space' },
    { condition: 'failure.attempt >= 2' },
    { condition: 'job.memoryMiB > 1500' },
    { queues: ['main'] },
    { attempts: { from: 2, to: 4 } },
  ),
  fc.constantFrom(...codes).map((code) => ({ codes: [code] })),
  fc.constantFrom(...hosts).map((host) => ({ hosts: [host] })),
);
const anyRetry: fc.Arbitrary<RetryAction> = fc.constantFrom<RetryAction>(
  {},
  { memory: { factor: 1.5, max: 3000 } },
  { disk: { add: 10 }, maxAttempts: 6 },
  { walltime: { value: 60 }, backoffSeconds: 10 },
  { anotherHostSeconds: 60, maxAttempts: 20 },
);
const anyAction: fc.Arbitrary<RuleAction> = fc.oneof(
  { weight: 4, arbitrary: anyRetry.map((retry) => ({ retry })) },
  fc.constantFrom<RuleAction>({ fail: { reason: 'It fails' } }, { hold: { reason: 'It is held' } }),
);
const anyRules: fc.Arbitrary<readonly PolicyRule[]> = fc
  .array(fc.tuple(anyMatch, anyAction, fc.constantFrom(undefined, 1, 2)), { minLength: 1, maxLength: 5 })
  .map((all) =>
    all.map(([match, action, maxPerJob], index) =>
      aRule({ name: `rule ${index}`, match, action, ...(maxPerJob ? { maxPerJob } : {}) }),
    ),
  );
const anyEnds = fc.array(anyEnd, { minLength: 1, maxLength: 12 });

function totalsOf(job: ReplayedJob, found: Replay, rules: readonly PolicyRule[]): SimulationTotals {
  return addJob(noTotals(rules.map(({ name }) => name)), job, found, 'experiment/alpha');
}

describe('the replay of a job', () => {
  it('gives what happened, under the policy that decided', () => {
    fc.assert(
      fc.property(anyRules, anyEnds, (rules, ends) => {
        const policies = [policyOf({ rules })];
        const job = history(ends, policies);
        const found = replay(
          job,
          policies,
          ends.map(({ log }) => log),
        );
        const failed = job.attempts.filter(({ outcome }) => outcome === 'FAILED');
        expect(found.attempts.map(({ attempt }) => attempt.number)).toEqual(
          failed.map(({ number }) => number),
        );
        for (const { attempt, decision, happened, wouldHappen, nextThen, nextNow } of found.attempts) {
          expect(decision).toEqual(attempt.decision);
          expect(wouldHappen).toBe(happened);
          expect(nextNow).toEqual(nextThen);
        }
        expect(totalsOf(job, found, rules)).toMatchObject({
          failedAttempts: failed.length,
          ...{ changedJobs: 0, stoppedJobs: 0, continuedJobs: 0, resizedJobs: 0, samples: [] },
          ...{ savedCoreSeconds: 0, addedCoreSeconds: 0, addedMemoryMiBSeconds: 0 },
        });
      }),
    );
  });

  it('ends where something else would have happened', () => {
    fc.assert(
      fc.property(anyRules, anyRules, anyEnds, (before, rules, ends) => {
        const job = history(ends, [policyOf({ rules: before })]);
        const found = replay(
          job,
          [policyOf({ rules })],
          ends.map(({ log }) => log),
        );
        const others = found.attempts.filter(({ happened, wouldHappen }) => happened !== wouldHappen);
        expect(others.length).toBeLessThanOrEqual(1);
        expect(others[0] ?? found.attempts.at(-1)).toBe(found.attempts.at(-1));
      }),
    );
  });
});

const outOfMemory: End = { end: aFailedEnd(), host: 'host-1', site: 'home', log: null };
const withMemory = (factor: number): readonly PolicyRule[] => [
  aRule({ action: { retry: { memory: { factor }, maxAttempts: 5 } } }),
];

describe('addJob', () => {
  const job = history([outOfMemory, outOfMemory], [policyOf({ rules: withMemory(2) })]);

  it('adds the time of attempts that would not have run', () => {
    const rules = [aRule({ action: { fail: { reason: 'No' } } })];
    expect(totalsOf(job, replay(job, [policyOf({ rules })]), rules)).toMatchObject({
      ...{ failedJobs: 1, failedAttempts: 1, changedJobs: 1, stoppedJobs: 1, stoppedFinishedJobs: 1 },
      savedCoreSeconds: 2 * 3600,
      rules: [{ name: 'a rule', failed: 1, retried: 0, held: 0, effects: 0, jobs: 1 }],
      samples: [{ jobId: 'job_1', attempt: 1, rule: 'a rule', happened: 'RETRY', wouldHappen: 'FAIL' }],
    });
  });

  it('adds the memory that the attempts would have requested in addition', () => {
    const rules = withMemory(3);
    expect(totalsOf(job, replay(job, [policyOf({ rules })]), rules)).toMatchObject({
      ...{ changedJobs: 1, resizedJobs: 1, stoppedJobs: 0 },
      // 1024 MiB twice and three times as large, then four and nine times.
      addedMemoryMiBSeconds: 3600 * 1024 * (3 - 2 + (9 - 4)),
    });
  });

  it('adds the time of additional attempts, as long as the failed one', () => {
    const failed = history(
      [outOfMemory],
      [policyOf({ rules: [aRule({ action: { fail: { reason: 'No' } } })] })],
    );
    const rules = withMemory(2);
    expect(totalsOf(failed, replay(failed, [policyOf({ rules })]), rules)).toMatchObject({
      ...{ changedJobs: 1, continuedJobs: 1, addedCoreSeconds: 3600 },
    });
  });
});
