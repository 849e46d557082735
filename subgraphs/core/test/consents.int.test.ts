import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Grant, Principal, RightsHolder } from '@rhizome/authz';
import { type Clock, systemClock } from '@rhizome/clock';
import { testPrincipal } from '@rhizome/testkit';
import { startCore, type TestCore } from './support/core.fixture.js';

let core: TestCore;
/** Days that the clock of core is ahead. */
let days = 0;
const grants = new Map<string, readonly Grant[]>();
let serial = 0;

const clock: Clock = {
  now: () => new Date(systemClock.now().getTime() + days * 86_400_000),
  monotonicMs: () => systemClock.monotonicMs(),
};

beforeAll(async () => {
  const of = async ({ subject }: RightsHolder) => ({ isRevoked: false, grants: grants.get(subject) });
  core = await startCore({ clock, rights: { of } });
  const text =
    'mutation ($i: RegisterExperimentInput!) { registerExperiment(input: $i) { userErrors { code } } }';
  for (const name of ['alpha', 'beta']) await core.ask(text, { i: { name, title: name } });
});

async function ask(text: string, variables: object, principal: Principal): Promise<Record<string, unknown>> {
  const { data, errors = [] } = await core.run(text, variables, principal);
  if (errors[0]) return { code: errors[0].extensions?.['code'] };
  return JSON.parse(JSON.stringify(data)) as Record<string, unknown>;
}

const user = (subject: string): Principal => testPrincipal({ subject, grants: { alpha: 'USER' } });
const serviceOf = (name: string): Principal =>
  testPrincipal({ kind: 'SERVICE', subject: `experiment:${name}`, grants: { [name]: 'SERVICE' } });
const allow = (principal: Principal, more: object = {}): Promise<Record<string, unknown>> =>
  ask(
    'mutation ($i: AllowSubmissionOnBehalfInput!) { allowSubmissionOnBehalf(input: $i) { consent { experimentName } userErrors { code } } }',
    { i: { experiment: 'alpha', ...more } },
    principal,
  );
const withdraw = (principal: Principal): Promise<Record<string, unknown>> =>
  ask(
    'mutation { withdrawSubmissionConsent(input: { experiment: "alpha" }) { isWithdrawn } }',
    {},
    principal,
  );

/** Codes of a submission of a job, and of a task, for a person. */
async function submitFor(subject: string, experiment = 'alpha'): Promise<readonly unknown[]> {
  const payload = { command: 'true' };
  const common = { experiment, idempotencyKey: `key ${(serial += 1)}`, onBehalfOf: subject };
  const jobs = await ask(
    'mutation ($i: SubmitJobsInput!) { submitJobs(input: $i) { userErrors { code path } } }',
    { i: { ...common, jobs: [{ name: 'x', payload }] } },
    serviceOf(experiment),
  );
  const task = await ask(
    'mutation ($i: SubmitTaskInput!) { submitTask(input: $i) { userErrors { code path } } }',
    { i: { ...common, name: 'x', jobs: { count: 1 }, template: { name: 'x', payload } } },
    serviceOf(experiment),
  );
  const codes = [jobs['submitJobs'], task['submitTask']] as { userErrors: { code: string }[] }[];
  return codes.map(({ userErrors }) => userErrors[0]?.code);
}

const accepted = [undefined, undefined];
const refused = ['CONSENT_MISSING', 'CONSENT_MISSING'];

describe('a service that submits for a person', () => {
  it('is refused without the consent of the person, and after it was withdrawn', async () => {
    const ada = user('ada@example');
    expect(await submitFor('ada@example')).toEqual(refused);
    expect(await allow(ada)).toEqual({
      allowSubmissionOnBehalf: { consent: { experimentName: 'alpha' }, userErrors: [] },
    });
    expect(await submitFor('ada@example')).toEqual(accepted);
    expect(await withdraw(ada)).toEqual({ withdrawSubmissionConsent: { isWithdrawn: true } });
    expect(await withdraw(ada)).toEqual({ withdrawSubmissionConsent: { isWithdrawn: false } });
    expect(await submitFor('ada@example')).toEqual(refused);
  });

  it('is refused for other people and by other experiments', async () => {
    await allow(user('ben@example'));
    expect(await submitFor('ben@example')).toEqual(accepted);
    expect(await submitFor('Ben@example')).toEqual(refused);
    expect(await submitFor('ben@example', 'beta')).toEqual(refused);
  });

  it('is refused after the consent has ended, until the person renews it', async () => {
    const cyd = user('cyd@example');
    await allow(cyd, { days: 2 });
    expect(await submitFor('cyd@example')).toEqual(accepted);
    days = 2;
    expect(await submitFor('cyd@example')).toEqual(refused);
    expect(await ask('{ viewer { submissionConsents { experimentName } } }', {}, cyd)).toEqual({
      viewer: { submissionConsents: [] },
    });
    await allow(cyd);
    expect(await submitFor('cyd@example')).toEqual(accepted);
    days = 0;
  });

  it('is refused for a person who may no longer submit', async () => {
    await allow(user('dan@example'));
    grants.set('dan@example', [{ experiment: 'alpha', roles: ['USER'] }]);
    expect(await submitFor('dan@example')).toEqual(accepted);
    grants.set('dan@example', [{ experiment: 'alpha', roles: ['READER'] }]);
    expect(await submitFor('dan@example')).toEqual(refused);
  });
});

describe('allowSubmissionOnBehalf', () => {
  it('is for people who may submit, and shows them their own consents only', async () => {
    for (const principal of [
      testPrincipal({ subject: 'eve@example', grants: { alpha: 'READER' } }),
      serviceOf('alpha'),
      testPrincipal({ kind: 'AGENT', subject: 'bot', actsFor: 'ada@example', grants: { alpha: 'USER' } }),
      testPrincipal({ kind: 'PILOT', subject: 'pilot:north', grants: { alpha: 'PILOT' } }),
      testPrincipal({ subject: 'fay@example', grants: { beta: 'USER' } }),
    ])
      expect(await allow(principal)).toEqual({ code: 'FORBIDDEN' });
    const gil = user('gil@example');
    await allow(gil, { days: 30 });
    const mine = '{ viewer { submissionConsents { experiment { name title } experimentName } } }';
    expect(await ask(mine, {}, gil)).toEqual({
      viewer: {
        submissionConsents: [
          { experiment: { name: 'alpha', title: expect.any(String) }, experimentName: 'alpha' },
        ],
      },
    });
    expect(await ask(mine, {}, user('hal@example'))).toEqual({ viewer: { submissionConsents: [] } });
  });

  it('refuses other terms', async () => {
    const errors = async (more: object): Promise<unknown> =>
      (
        (await allow(testPrincipal(), more))['allowSubmissionOnBehalf'] as {
          userErrors: { code: string }[];
        }
      ).userErrors;
    expect(await errors({ days: 401 })).toEqual([{ code: 'INVALID_VALUE' }]);
    expect(await errors({ experiment: 'nowhere' })).toEqual([{ code: 'EXPERIMENT_NOT_FOUND' }]);
  });
});
