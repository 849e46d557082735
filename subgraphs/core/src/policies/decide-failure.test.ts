import { describe, expect, it } from '@jest/globals';
import {
  aFailedEnd,
  aFailedJob,
  aRule,
  decide,
  decided,
  type FailureWorld,
  failedAt,
  later,
  retried,
} from '../../test/support/policies.fixture.js';
import { someRequirements } from '../../test/support/scheduler.fixture.js';
import { canaryOwner } from '../jobs/model/canary-owner.js';
import { needsLog } from './decide-failure.js';
import type { RetryAction, RuleMatch } from './policy.types.js';

const matches = (match: RuleMatch, world?: FailureWorld): boolean =>
  decided([aRule({ match })], world).decision?.rule === 'a rule';

describe('a rule', () => {
  const cases: readonly (readonly [string, RuleMatch, RuleMatch, FailureWorld?])[] = [
    ['family', { families: ['LIMIT', 'DATA'] }, { families: ['PAYLOAD'] }],
    ['code', { codes: ['MEMORY_EXCEEDED'] }, { codes: ['EXIT_CODE'] }],
    [
      'exit code',
      {
        exitCodes: [
          { from: 1, to: 2 },
          { from: 60, to: 70 },
        ],
      },
      {
        exitCodes: [
          { from: 1, to: 64 },
          { from: 66, to: 255 },
        ],
      },
      { end: { exitCode: 65 } },
    ],
    ['signal', { signals: ['SIGSEGV', 'SIGKILL'] }, { signals: ['SIGTERM'] }],
    ['site', { sites: ['home'] }, { sites: ['away'] }],
    ['queue', { queues: ['main'] }, { queues: ['other'] }],
    ['host', { hosts: ['host-1'] }, { hosts: ['host-2'] }],
    ['attempt', { attempts: { from: 1, to: 1 } }, { attempts: { from: 2, to: 20 } }],
    ['requirement class', { classIds: [aFailedJob().classId] }, { classIds: ['class_other'] }],
    [
      'labels',
      { labels: [{ key: 'campaign', value: 'mc26' }] },
      {
        labels: [
          { key: 'campaign', value: 'mc26' },
          { key: 'step', value: 'reco' },
        ],
      },
    ],
    [
      'condition',
      {
        condition:
          'double(failure.peakMemoryMiB) > 0.9 * double(job.memoryMiB) && job.labels["campaign"] == "mc26"',
      },
      { condition: 'failure.wallSeconds > 3600.0' },
    ],
    [
      'log pattern',
      { logPattern: '(?i)bad_alloc$' },
      { logPattern: '^terminate$' },
      { log: 'begin\nterminate called: std::bad_alloc\nend' },
    ],
  ];

  it.each(cases.map(([name, met, unmet, world = {}]) => ({ name, met, unmet, world })))(
    'matches the $name',
    ({ met, unmet, world }) => {
      expect(matches(met, world)).toBe(true);
      expect(matches(unmet, world)).toBe(false);
    },
  );

  it('needs all criteria, and unknown values meet none', () => {
    expect(matches({ codes: ['MEMORY_EXCEEDED'], hosts: ['host-1'] })).toBe(true);
    expect(matches({ codes: ['MEMORY_EXCEEDED'], hosts: ['host-2'] })).toBe(false);
    expect(matches({ exitCodes: [{ from: -1, to: 255 }] })).toBe(false);
    expect(matches({ hosts: ['host-1'] }, { job: { attempts: [{ number: 1 }] } })).toBe(false);
    expect(matches({ condition: 'failure.exitCode != 0' })).toBe(false);
  });

  it('counts no attempt that was lost through a fault of the service', () => {
    const error = { family: 'WORKER', code: 'CONTACT_LOST', retryable: true };
    const attempts = [{ number: 1, error }, { number: 2 }];
    expect(matches({ attempts: { from: 1, to: 1 } }, { job: { attempt: 2, attempts } })).toBe(true);
  });

  it('records the evidence, with the line that matched', () => {
    const match = { codes: ['MEMORY_EXCEEDED'], attempts: { from: 1, to: 3 }, logPattern: 'bad_alloc' };
    const { decision } = decided([aRule({ match })], { log: `x\nstd::bad_alloc ${'y'.repeat(300)}\nz` });
    expect(decision).toMatchObject({
      policyId: 'experiment/0',
      version: 7,
      rule: 'a rule',
      outcome: 'RETRY',
    });
    expect(decision?.evidence).toEqual([
      { criterion: 'codes', value: 'MEMORY_EXCEEDED' },
      { criterion: 'attempts', value: '1' },
      { criterion: 'logPattern', value: `std::bad_alloc ${'y'.repeat(184)}…` },
    ]);
  });
});

describe('the log', () => {
  const withPattern = aRule({ match: { codes: ['MEMORY_EXCEEDED'], logPattern: 'bad_alloc' } });

  it('is needed only if a rule with a pattern could decide', () => {
    expect(decide([{ rules: [withPattern] }])).toBe(needsLog);
    expect(decide([{ rules: [aRule(), withPattern] }])).not.toBe(needsLog);
    const other = aRule({ match: { codes: ['EXIT_CODE'], logPattern: 'bad_alloc' } });
    expect(decide([{ rules: [other] }])).not.toBe(needsLog);
  });

  it('matches no pattern if it is empty', () => {
    expect(decided([withPattern], { log: null }).decision).toBeUndefined();
  });
});

describe('the order of rules', () => {
  const named = (name: string, reason: string) => aRule({ name, action: { fail: { reason } } });

  it('is that of the policies, the most specific first, and of their lists', () => {
    const ofTask = { rules: [aRule({ match: { codes: ['EXIT_CODE'] } }), named('second', 'b')] };
    expect(decide([ofTask, { rules: [named('other', 'c')] }])).toMatchObject({
      after: { to: 'FAILED' },
      decision: { policyId: 'experiment/0', rule: 'second', reason: 'b' },
    });
  });

  it('passes over a rule that has decided about the job as often as it may', () => {
    const decision = { policyId: 'experiment/0', rule: 'first' } as never;
    const job = { attempt: 2, attempts: [{ number: 1, decision }, { number: 2 }] };
    const rules = [aRule({ name: 'first', maxPerJob: 1 }), named('second', 'twice')];
    expect(decided(rules).decision).toMatchObject({ rule: 'first' });
    expect(decided(rules, { job }).decision).toMatchObject({ rule: 'second' });
  });
});

describe('another attempt', () => {
  it('does not follow the failure of a canary job, whatever the rules say', () => {
    const job = { owner: canaryOwner, attempt: 1, retry: { ...aFailedJob().retry, maxAttempts: 1 } };
    const { after, decision } = decided([aRule()], { job });
    expect([after, decision]).toEqual([{ to: 'FAILED' }, undefined]);
  });

  it('follows although the worker and the retry policy of the job say no', () => {
    expect(decided([]).after).toEqual({ to: 'FAILED' });
    expect(retried({}).after).toEqual({ to: 'ACTIVATED' });
  });

  it.each<readonly [RetryAction, object]>([
    [{ memory: { factor: 1.5 } }, { memoryMiB: 1536 }],
    [{ memory: { factor: 1.5, max: 1200 } }, { memoryMiB: 1200 }],
    [{ memory: { add: 100 } }, { memoryMiB: 1124 }],
    [{ memory: { value: 4096 } }, { memoryMiB: 4096 }],
    [{ walltime: { factor: 2 } }, { walltimeSeconds: 7200 }],
    [
      { disk: { add: 1 }, memory: { factor: 0.5 } },
      { diskMiB: 1025, memoryMiB: 512 },
    ],
  ])('changes requirements: %j', (action, changed) => {
    const { requirements, decision } = retried(action);
    expect(requirements?.requirements).toEqual({ ...someRequirements(), ...changed });
    expect(requirements?.classId).not.toBe(aFailedJob().classId);
    const before = someRequirements();
    expect([...(decision?.changes ?? [])].sort((a, b) => (a.field < b.field ? -1 : 1))).toEqual(
      Object.entries(changed)
        .map(([field, after]) => ({ field, before: before[field as 'memoryMiB'], after: after as number }))
        .sort((a, b) => (a.field < b.field ? -1 : 1)),
    );
  });

  it('is decided by the next rule when no amount can grow any more', () => {
    const requirements = someRequirements({ memoryMiB: 8192 });
    const rules = [
      aRule({ action: { retry: { memory: { factor: 2, max: 8000 } } } }),
      aRule({ name: 'enough', action: { fail: { reason: 'It needs more than 8000 MiB' } } }),
    ];
    expect(decided(rules, { job: { requirements } }).decision).toMatchObject({ rule: 'enough', changes: [] });
  });

  it('follows up to the attempts of the job, or of the rule', () => {
    const job = { attempt: 3, attempts: [{ number: 1 }, { number: 2 }, { number: 3 }] };
    expect(retried({}, { job })).toMatchObject({
      after: { to: 'FAILED' },
      decision: { outcome: 'FAIL', rule: 'a rule', reason: 'Attempt 3 of 3: no attempt is left' },
    });
    expect(retried({ maxAttempts: 4 }, { job }).after).toEqual({ to: 'ACTIVATED' });
  });

  it('follows after any number of attempts that ended as planned', () => {
    const job = { attempt: 25, plannedEnds: 23, attempts: [{ number: 24 }, { number: 25 }] };
    expect(retried({}, { job }).after).toEqual({ to: 'ACTIVATED' });
  });

  it('waits for the backoff of the rule, or else of the job', () => {
    const retry = { maxAttempts: 3, backoffSeconds: 60, backoffFactor: 2, retryOn: [] };
    const after = (seconds: number) => ({ to: 'PENDING', notBefore: later(seconds) });
    expect(retried({}, { job: { retry } }).after).toEqual(after(60));
    expect(retried({ backoffSeconds: 10 }, { job: { retry } }).after).toEqual(after(10));
    expect(retried({ backoffSeconds: 0 }, { job: { retry } }).after).toEqual({ to: 'ACTIVATED' });
  });

  it('requires another host or site for a time, in addition to earlier ones', () => {
    const avoid = { hosts: ['host-0', 'host-1'], sites: [], until: failedAt };
    expect(retried({ anotherHostSeconds: 600, backoffSeconds: 60 }, { job: { avoid } }).avoid).toEqual({
      hosts: ['host-0', 'host-1'],
      sites: [],
      until: later(660),
      isRequired: true,
    });
    const { avoid: both } = retried({ anotherHostSeconds: 60, anotherSiteSeconds: 600 });
    expect(both).toEqual({ hosts: ['host-1'], sites: ['home'], until: later(600), isRequired: true });
  });
});

describe('a retry policy with growing memory', () => {
  const retry = { maxAttempts: 3, backoffSeconds: 0, backoffFactor: 2, retryOn: [], memoryFactor: 2 };
  const before = aFailedJob().requirements.memoryMiB;

  it('repeats a job that exceeded its memory, with more of it', () => {
    const { after, requirements, decision } = decided([], { job: { retry } });
    expect(after).toEqual({ to: 'ACTIVATED' });
    expect(requirements?.requirements.memoryMiB).toBe(before * 2);
    expect(decision?.changes).toEqual([{ field: 'memoryMiB', before, after: before * 2 }]);
  });

  it('stops at the largest memory and at the last attempt', () => {
    const most = { retry: { ...retry, maxMemoryMiB: before } };
    expect(decided([], { job: most }).after).toEqual({ to: 'FAILED' });
    const last = { retry, attempt: 3, attempts: [{ number: 1 }, { number: 2 }, { number: 3 }] };
    expect(decided([], { job: last }).after).toEqual({ to: 'FAILED' });
  });

  it('does not repeat a job for another error, and leaves the decision to a rule', () => {
    const error = { ...aFailedEnd().error, code: 'WALLTIME_EXCEEDED' };
    expect(decided([], { job: { retry }, end: { error } }).after).toEqual({ to: 'FAILED' });
    const rule = aRule({ action: { fail: { reason: 'It never works' } } });
    expect(decided([rule], { job: { retry } }).after).toEqual({ to: 'FAILED' });
  });
});

describe('a decision', () => {
  it('ends the job, or holds it', () => {
    const retryable = {
      end: { error: { ...aFailedEnd().error, family: 'WORKER' as const, retryable: true } },
    };
    expect(decided([], retryable).after).toEqual({ to: 'ACTIVATED' });
    expect(decided([aRule({ action: { fail: { reason: 'It never works' } } })], retryable)).toEqual({
      after: { to: 'FAILED' },
      decision: expect.objectContaining({ outcome: 'FAIL', reason: 'It never works' }) as object,
    });
    expect(decided([aRule({ action: { hold: { reason: 'Look at the input' } } })], retryable)).toEqual({
      after: { to: 'PENDING', hold: { by: 'system:policy', reason: 'Look at the input' } },
      decision: expect.objectContaining({ outcome: 'HOLD', reason: 'Look at the input' }) as object,
    });
  });

  it('holds no job that has had all attempts that a job can have', () => {
    const attempts = Array.from({ length: 20 }, (_, index) => ({ number: index + 1 }));
    const hold = aRule({ action: { hold: { reason: 'Look' } } });
    expect(decided([hold], { job: { attempt: 20, attempts } }).after).toEqual({ to: 'FAILED' });
  });
});

describe('the host of the next attempt', () => {
  const lost = { family: 'WORKER', code: 'LEASE_LOST', message: 'lost', retryable: true } as const;
  const end = { error: lost };

  it('is preferably another one, and after two failures at a site at another site', () => {
    expect(decided([], { end })).toMatchObject({
      after: { to: 'ACTIVATED' },
      avoid: { hosts: ['host-1'], sites: [], until: later(120) },
      decision: { outcome: 'RETRY', evidence: [] },
    });
    const attempts = [
      { number: 1, host: 'host-0', site: 'home', error: { ...lost, code: 'EXIT_CODE' } },
      { number: 2, host: 'host-1', site: 'home' },
    ];
    expect(decided([], { end, job: { attempt: 2, attempts } }).avoid).toEqual({
      hosts: ['host-1'],
      sites: ['home'],
      until: later(300),
    });
  });

  it('is chosen by the first policy that says so', () => {
    const placement = { otherHostSeconds: 0, otherSiteSeconds: 900, otherSiteAfter: 1 };
    const decision = decide([{ rules: [] }, { rules: [], placement }], { end });
    expect(decision).toMatchObject({ avoid: { hosts: [], sites: ['home'], until: later(900) } });
    const nowhere = { otherHostSeconds: 0, otherSiteSeconds: 0, otherSiteAfter: 1 };
    expect(decide([{ rules: [], placement: nowhere }], { end })).toEqual({ after: { to: 'ACTIVATED' } });
  });

  it.each(['INPUT_UNREACHABLE', 'INPUT_ADDRESS_REFUSED', 'OUTPUT_ADDRESS_REFUSED'])(
    'is another site at once after %s',
    (code) => {
      const error = { family: 'DATA', code, message: 'no way', retryable: true } as const;
      const retry = { maxAttempts: 3, backoffSeconds: 0, backoffFactor: 2, retryOn: ['DATA' as const] };
      expect(decided([], { end: { error }, job: { retry } })).toMatchObject({
        avoid: { hosts: ['host-1'], sites: ['home'], until: later(300) },
      });
    },
  );

  it('does not matter after a failure that says nothing about the host', () => {
    for (const code of ['GRANT_LOST', 'WORKER_ENDED', 'CONTACT_LOST'])
      expect(decided([], { end: { error: { ...lost, code } } })).toEqual({ after: { to: 'ACTIVATED' } });
  });
});

it('decides by no rule about an attempt that does not count', () => {
  const error = { family: 'WORKER', code: 'CONTACT_LOST', message: 'lost', retryable: true } as const;
  const fail = aRule({ action: { fail: { reason: 'never' } } });
  expect(decided([fail], { end: { error } })).toEqual({ after: { to: 'ACTIVATED' } });
});

it('repeats a failed test of a host elsewhere, whatever rules and the retry policy say', () => {
  const fail = aRule({ action: { fail: { reason: 'never' } } });
  const attempts = [{ number: 1, host: 'host-1', site: 'home', uncounted: 'HOST_TEST' as const }];
  expect(decided([fail], { job: { attempts } })).toMatchObject({
    after: { to: 'ACTIVATED' },
    avoid: { hosts: ['host-1'] },
    decision: { outcome: 'RETRY', reason: 'The attempt was a test of its host, and does not count' },
  });
});
