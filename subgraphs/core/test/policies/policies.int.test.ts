import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal, Role } from '@rhizome/authz';
import { testPrincipal } from '@rhizome/testkit';
import { admin, type Answer, seed, startCore } from '../support/core.fixture.js';

let core: Awaited<ReturnType<typeof startCore>>;
let taskId: string;

beforeAll(async () => {
  core = await startCore();
  await seed(core);
  await core.ask(
    'mutation { createQueue(input: { name: "south", site: "Pole", experiments: ["alpha"] }) { userErrors { message } } }',
  );
  const input = {
    ...{ experiment: 'alpha', idempotencyKey: 'task', name: 'task', jobs: { count: 1 } },
    template: { name: 'x', payload: { command: 'true' }, requirements: { cores: 4000 } },
  };
  const { submitTask } = await core.ask(
    'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id } userErrors { message } } }',
    { input },
    person('owner', 'USER'),
  );
  taskId = String(submitTask?.['task']?.['id']);
});

function person(name: string, role: Role, experiment = 'alpha'): Principal {
  return testPrincipal({ subject: `${name}@example`, grants: { [experiment]: [role] } });
}

const aRule = (name = 'a rule', reason = 'It never works') => ({
  name,
  match: { codes: ['EXIT_CODE'], exitCodes: [{ from: 1, to: 2 }] },
  action: { fail: { reason } },
});
const adding = `mutation ($input: AddPolicyVersionInput!) {
  addPolicyVersion(input: $input) { version { number author { subject } } userErrors { code path } }
}`;
const enabling = `mutation ($input: EnablePolicyInput!) {
  enablePolicy(input: $input) { policy { enabledVersion { number } enabledBy { subject } } userErrors { code message } }
}`;
const ofAlpha = { scope: { experiment: 'alpha' } };

/** Adds a version, and returns the code of its error or refusal. */
async function codeOf(scope: object, principal: Principal): Promise<unknown> {
  const { data, errors } = await core.run(adding, { input: { scope, rules: [aRule()] } }, principal);
  if (errors) return errors[0]?.extensions?.['code'];
  const answer = JSON.parse(JSON.stringify(data)) as Answer;
  return answer['addPolicyVersion']?.['userErrors']?.[0]?.['code'] ?? 'added';
}

describe('addPolicyVersion', () => {
  it('is for managers of the experiment', async () => {
    expect(await codeOf({ experiment: 'alpha' }, person('manager', 'PRODUCTION'))).toBe('added');
    for (const role of ['USER', 'OPERATOR', 'SERVICE', 'READER'] as const)
      expect([role, await codeOf({ experiment: 'alpha' }, person('one', role))]).toEqual([role, 'FORBIDDEN']);
    expect(await codeOf({ experiment: 'alpha' }, person('one', 'PRODUCTION', 'beta'))).toBe(
      'EXPERIMENT_NOT_FOUND',
    );
  });

  it('is for operators of the queue in all of its experiments', async () => {
    expect(await codeOf({ queue: 'south' }, person('operator', 'OPERATOR'))).toBe('added');
    expect(await codeOf({ queue: 'south' }, person('manager', 'PRODUCTION'))).toBe('FORBIDDEN');
    expect(await codeOf({ queue: 'north' }, person('operator', 'OPERATOR'))).toBe('FORBIDDEN');
    expect(await codeOf({ queue: 'north' }, admin)).toBe('added');
    expect(await codeOf({ queue: 'south' }, person('operator', 'OPERATOR', 'beta'))).toBe('QUEUE_NOT_FOUND');
  });

  it('is for the owner of the task, and for those who may manage jobs of others', async () => {
    expect(await codeOf({ taskId }, person('owner', 'USER'))).toBe('added');
    expect(await codeOf({ taskId }, person('manager', 'PRODUCTION'))).toBe('added');
    expect(await codeOf({ taskId }, person('operator', 'OPERATOR'))).toBe('added');
    expect(await codeOf({ taskId }, person('one', 'USER'))).toBe('FORBIDDEN');
    expect(await codeOf({ taskId }, person('owner', 'READER'))).toBe('FORBIDDEN');
    expect(await codeOf({ taskId }, person('owner', 'USER', 'beta'))).toBe('TASK_NOT_FOUND');
  });

  it('numbers versions without gaps, and adds the same content once', async () => {
    const scope = { queue: 'north' };
    const numbers = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (reason) => {
        const input = { scope, rules: [aRule('numbered', reason)] };
        const { addPolicyVersion } = await core.ask(adding, { input });
        return addPolicyVersion?.['version']?.['number'];
      }),
    );
    expect([...numbers].sort()).toEqual([2, 3, 4, 5]);
    const input = { scope, rules: [aRule('numbered', 'repeated')] };
    const repeated = [await core.ask(adding, { input }), await core.ask(adding, { input })];
    expect(repeated.map(({ addPolicyVersion }) => addPolicyVersion?.['version']?.['number'])).toEqual([6, 6]);
  });
});

describe('simulatePolicy', () => {
  const simulating = `query ($input: SimulatePolicyInput!) {
    simulatePolicy(input: $input) {
      simulation { status endCursor coverage scannedJobs savedCoreHours rules { name jobs } samples { jobId job { name } } }
      userErrors { code path }
    }
  }`;
  const simulate = async (input: object, principal = admin) =>
    (await core.ask(simulating, { input }, principal))['simulatePolicy'];

  it('is for those who may set the policy', async () => {
    const input = { ...ofAlpha, content: { rules: [aRule()] } };
    expect(await simulate(input, person('manager', 'PRODUCTION'))).toEqual({
      simulation: {
        ...{ status: 'COMPLETE', endCursor: null, savedCoreHours: 0, samples: [] },
        // The job of the task may not exist yet.
        scannedJobs: expect.any(Number) as unknown,
        coverage: expect.stringMatching(
          /^All attempts that failed since .*, of jobs that were submitted since /,
        ) as unknown,
        rules: [{ name: 'a rule', jobs: 0 }],
      },
      userErrors: [],
    });
    const { errors } = await core.run(simulating, { input }, person('one', 'USER'));
    expect(errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
    expect(await simulate(input, person('one', 'PRODUCTION', 'beta'))).toMatchObject({
      userErrors: [{ code: 'EXPERIMENT_NOT_FOUND', path: ['scope', 'experiment'] }],
    });
  });

  it('needs a version of the policy or valid content, and a number of days', async () => {
    const codesOf = async (input: object) => (await simulate({ ...ofAlpha, ...input }))?.['userErrors'];
    expect(await codesOf({})).toEqual([{ code: 'INVALID_VALUE', path: ['version'] }]);
    expect(await codesOf({ version: 77 })).toEqual([{ code: 'VERSION_NOT_FOUND', path: ['version'] }]);
    expect(await codesOf({ version: 1, days: 91 })).toEqual([{ code: 'INVALID_VALUE', path: ['days'] }]);
    expect(await codesOf({ content: { rules: [] } })).toEqual([
      { code: 'INVALID_VALUE', path: ['content', 'rules'] },
    ]);
  });
});

describe('a policy', () => {
  it('shows its enabled version, its authors, and its history', async () => {
    const manager = person('manager', 'PRODUCTION');
    const rules = [
      {
        ...aRule('more'),
        maxPerJob: 2,
        action: { retry: { memory: { factor: 1.5, max: 8000 }, anotherHostSeconds: 60, maxAttempts: 4 } },
      },
    ];
    const input = { ...ofAlpha, rules, placement: { otherHostSeconds: 10 }, comment: 'Second' };
    await core.ask(adding, { input }, manager);
    await core.ask(enabling, { input: { ...ofAlpha, version: 2 } }, person('other-manager', 'ADMIN'));
    const text = `{
      policy(scope: { experiment: "alpha" }) {
        id scope name newestVersion
        enabledBy { subject }
        enabledVersion {
          number
          rules { name maxPerJob match { codes exitCodes { from to } hosts } action { retry { memory { factor add max } anotherHostSeconds walltime { add } } fail { reason } } }
          placement { otherHostSeconds otherSiteSeconds otherSiteAfter }
        }
        versions(first: 1) { nodes { number author { subject } comment } totalCount pageInfo { hasNextPage } }
      }
      policies { nodes { name scope } }
    }`;
    const answer = await core.ask(text, {}, person('reader', 'READER'));
    expect(answer['policy']).toEqual({
      id: 'policy_experiment/alpha',
      scope: 'EXPERIMENT',
      name: 'alpha',
      newestVersion: 2,
      enabledBy: { subject: 'other-manager@example' },
      enabledVersion: {
        number: 2,
        rules: [
          {
            name: 'more',
            maxPerJob: 2,
            match: { codes: ['EXIT_CODE'], exitCodes: [{ from: 1, to: 2 }], hosts: null },
            action: {
              retry: {
                memory: { factor: 1.5, add: null, max: 8000 },
                anotherHostSeconds: 60,
                walltime: null,
              },
              fail: null,
            },
          },
        ],
        placement: { otherHostSeconds: 10, otherSiteSeconds: 300, otherSiteAfter: 2 },
      },
      versions: {
        nodes: [{ number: 2, author: { subject: 'manager@example' }, comment: 'Second' }],
        totalCount: 2,
        pageInfo: { hasNextPage: true },
      },
    });
    expect(answer['policies']?.['nodes']).toEqual([
      { name: 'alpha', scope: 'EXPERIMENT' },
      { name: 'north', scope: 'QUEUE' },
      { name: 'south', scope: 'QUEUE' },
      { name: taskId, scope: 'TASK' },
    ]);
    const stranger = person('reader', 'READER', 'beta');
    expect((await core.ask(text, {}, stranger))['policy']).toBeNull();
    expect((await core.ask(text, {}, stranger))['policies']?.['nodes']).toEqual([
      { name: 'north', scope: 'QUEUE' },
    ]);
  });

  it('is not enabled in a version that it does not have', async () => {
    const { enablePolicy } = await core.ask(enabling, { input: { ...ofAlpha, version: 9 } });
    expect(enablePolicy?.['userErrors']).toEqual([
      { code: 'VERSION_NOT_FOUND', message: expect.stringContaining('must be 1 to 2') as unknown },
    ]);
  });

  it('is disabled, and keeps its versions', async () => {
    await core.ask(enabling, { input: { scope: { queue: 'south' }, version: 1 } });
    const disabling = `mutation ($input: DisablePolicyInput!) {
      disablePolicy(input: $input) { policy { enabledAt enabledVersion { number } newestVersion } userErrors { code } }
    }`;
    const disabled = await core.ask(disabling, { input: { scope: { queue: 'south' } } });
    expect(disabled['disablePolicy']).toEqual({
      policy: { enabledAt: null, enabledVersion: null, newestVersion: 1 },
      userErrors: [],
    });
  });
});
