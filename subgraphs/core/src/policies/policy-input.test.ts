import { expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import { aRule } from '../../test/support/policies.fixture.js';
import { checkedContent, type GivenContent } from './policy-input.js';
import type { PolicyRule, PolicyScopeKind, RuleMatch } from './policy.types.js';

function errorsOf(content: GivenContent, kind: PolicyScopeKind = 'EXPERIMENT'): readonly string[] {
  const errors = new InputErrors();
  checkedContent(content, errors, kind);
  return errors.all.map(({ message }) => message);
}
const ofRule = (rule: Partial<PolicyRule>) => errorsOf({ rules: [aRule(rule)] });
const ofMatch = (match: RuleMatch) => ofRule({ match });

it('accepts a rule with every criterion and change, and drops absent values', () => {
  const errors = new InputErrors();
  const rule: PolicyRule = {
    name: 'more memory',
    match: {
      families: ['LIMIT'],
      codes: ['MEMORY_EXCEEDED'],
      exitCodes: [{ from: -1, to: 255 }],
      signals: ['SIGKILL'],
      logPattern: 'bad_alloc|Killed',
      sites: ['home'],
      queues: ['main'],
      hosts: ['host-1'],
      attempts: { from: 1, to: 20 },
      classIds: ['class_1'],
      labels: [{ key: 'a', value: 'b' }],
      condition: 'failure.attempt < 3 && job.memoryMiB < 8000',
    },
    action: { retry: { memory: { factor: 2, max: 16_000 }, walltime: { add: 60 }, disk: { value: 1 } } },
    maxPerJob: 2,
  };
  const given = { ...rule, maxPerJob: null, match: { ...rule.match, sites: null } };
  const { maxPerJob: _most, match, ...rest } = rule;
  const { sites: _sites, ...others } = match;
  expect(checkedContent({ rules: [rule, { ...given, name: 'two' }], placement: {} }, errors, 'TASK')).toEqual(
    {
      rules: [rule, { ...rest, name: 'two', match: others }],
      placement: { otherHostSeconds: 120, otherSiteSeconds: 300, otherSiteAfter: 2 },
    },
  );
  expect(errors.all).toEqual([]);
});

it.each<readonly [string, readonly string[]]>([
  ['rules: [] is not valid; must be at least one rule', errorsOf({ rules: [] })],
  ['rules.1: "a rule" occurs twice; must be unique', errorsOf({ rules: [aRule(), aRule()] })],
  [
    'rules: 51 entries are too many; must be at most 50',
    errorsOf({ rules: Array.from({ length: 51 }, (_, n) => aRule({ name: `r${n}` })) }),
  ],
  ['rules.0.name: "" is not valid; must be 1 to 63 letters', ofRule({ name: '' })],
  ['rules.0.maxPerJob: 0 is too small; must be at least 1', ofRule({ maxPerJob: 0 })],
  ['rules.0.match: {} is not valid; must be at least one criterion', ofMatch({})],
  ['rules.0.match.codes.0: "exit" is not valid; must be up to 64 letters', ofMatch({ codes: ['exit'] })],
  [
    'rules.0.match.signals.0: "KILL" is not valid; must be a name such as SIGKILL',
    ofMatch({ signals: ['KILL'] }),
  ],
  [
    'rules.0.match.exitCodes.0.from: -2 is too small; must be at least -1',
    ofMatch({ exitCodes: [{ from: -2, to: 5 }] }),
  ],
  [
    'rules.0.match.attempts.to: 1 is too small; must be at least 2',
    ofMatch({ attempts: { from: 2, to: 1 } }),
  ],
  ['rules.0.match.hosts: 0 entries are too few; must be at least 1', ofMatch({ hosts: [] })],
  [
    'rules.0.match.condition: "failure.hostname == \\"x\\"" is not valid; must be known attributes',
    ofMatch({ condition: 'failure.hostname == "x"' }),
  ],
  [
    'rules.0.match.condition: "1 == 2" is not valid; must be a condition that a failure can meet',
    ofMatch({ condition: '1 == 2' }),
  ],
  [
    'rules.0.match.condition: "failure.code.matches(\\"x\\")" is not valid; must be no call of matches',
    ofMatch({ condition: 'failure.code.matches("x")' }),
  ],
  [
    'rules.0.match.logPattern: "(" is not valid; must be a regular expression in RE2 syntax',
    ofMatch({ logPattern: '(' }),
  ],
  [
    'rules.0.match.logPattern: "(a)\\\\1" is not valid; must be a regular expression in RE2 syntax',
    ofMatch({ logPattern: '(a)\\1' }),
  ],
  [
    'rules.0.match.logPattern: "(?:a{50}){20}" is not valid; must be a smaller pattern',
    ofMatch({ logPattern: '(?:a{50}){20}' }),
  ],
  [
    'rules.0.action.retry.memory: "2 of factor, add and value" is not valid; must be exactly one',
    ofRule({ action: { retry: { memory: { add: 1, factor: 2 } } } }),
  ],
  [
    'rules.0.action.retry.memory.factor: 0 is not valid; must be a number above 0',
    ofRule({ action: { retry: { memory: { factor: 0 } } } }),
  ],
  [
    'rules.0.action.retry.maxAttempts: 21 is too large; must be at most 20',
    ofRule({ action: { retry: { maxAttempts: 21 } } }),
  ],
  [
    'rules.0.action.hold.reason: "" is not valid; must be 1 to 500 characters',
    ofRule({ action: { hold: { reason: '' } } }),
  ],
  [
    'placement.otherSiteAfter: 0 is too small; must be at least 1',
    errorsOf({ rules: [], placement: { otherSiteAfter: 0 } }),
  ],
])('refuses %s', (message, errors) => {
  expect(errors).toEqual([expect.stringContaining(message)]);
});

it('lets only policies of queues exclude hosts', () => {
  const rules = [aRule({ action: { excludeHost: { reason: 'broken disk', seconds: 600 } } })];
  expect(errorsOf({ rules }, 'QUEUE')).toEqual([]);
  for (const kind of ['EXPERIMENT', 'TASK'] as const)
    expect(errorsOf({ rules }, kind)).toEqual([
      expect.stringMatching(/^rules\.0\.action\.excludeHost: .*must be in a policy of a queue$/),
    ]);
});

it('checks the failure rate of a rule that pauses a task', () => {
  const pauseTask = { reason: 'too many failures', maxFailedFraction: 1, minEndedJobs: 0 };
  expect(ofRule({ action: { pauseTask }, maxPerJob: 1 })).toEqual([
    expect.stringMatching(/^rules\.0\.maxPerJob: 1 /),
    expect.stringMatching(/minEndedJobs: 0 is too small/),
    expect.stringMatching(/maxFailedFraction: 1 /),
  ]);
});
