import { beforeAll, describe, expect, it } from '@jest/globals';
import { type CoreAction, createPrincipal, type Principal } from '@rhizome/authz';
import { type Clock, systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { accessGrantsCollection } from '../src/access/access-grant.document.js';
import { accessOwnersCollection } from '../src/access/access-owner.document.js';
import type { JobAccess, Maybe, Mutation, Query } from '../src/types.generated.js';
import { startCore } from './support/core.fixture.js';

let core: Awaited<ReturnType<typeof startCore>>;
/** Days that the clock of core is ahead. */
let days = 0;
let serial = 0;

const clock: Clock = {
  now: () => new Date(systemClock.now().getTime() + days * 86_400_000),
  monotonicMs: () => systemClock.monotonicMs(),
};

/** Answer to an operation, with the fields that the operation selects; the code if it has errors. */
type Answered = Query & Mutation & { readonly code?: unknown };

async function ask(text: string, variables: object, principal: Principal): Promise<Answered> {
  const { data, errors = [] } = await core.run(text, variables, principal);
  return JSON.parse(JSON.stringify(errors[0] ? { code: errors[0].extensions?.['code'] } : data)) as Answered;
}

const user = (subject: string, experiment = 'alpha'): Principal =>
  testPrincipal({ subject, grants: { [experiment]: 'USER' } });
const ada = user('ada@example');
const bob = user('bob@example');
const operator = testPrincipal({ subject: 'op@example', grants: { alpha: 'OPERATOR' } });
const payload = { command: 'true', environment: [{ name: 'KEY', value: 'of ada' }] };

interface Work {
  readonly taskId: string;
  readonly inTask: string;
  readonly alone: string;
}

/** A task of ada with one job, and a job without a task. */
async function work(): Promise<Work> {
  const requirements = { cores: 4096 };
  const common = { experiment: 'alpha', idempotencyKey: `key ${(serial += 1)}` };
  const template = { name: 'x', payload, requirements };
  const { submitTask } = await ask(
    'mutation ($i: SubmitTaskInput!) { submitTask(input: $i) { task { id jobs { nodes { id } } } userErrors { message } } }',
    { i: { ...common, name: 'x', jobs: { count: 1 }, template } },
    ada,
  );
  const { submitJobs } = await ask(
    'mutation ($i: SubmitJobsInput!) { submitJobs(input: $i) { jobs { id } userErrors { message } } }',
    { i: { ...common, jobs: [{ name: 'x', payload, requirements }] } },
    ada,
  );
  const taskId = submitTask.task?.id ?? '';
  const inTask = async (): Promise<string | undefined> => {
    const text = 'query ($t: [ID!]) { jobs(filter: { taskIds: $t }) { nodes { id } } }';
    return (await ask(text, { t: [taskId] }, ada)).jobs.nodes[0]?.id;
  };
  return {
    taskId,
    inTask: (await waitFor('the job of the task', inTask, { deadlineMs: 120_000 })) ?? '',
    alone: submitJobs.jobs?.[0]?.id ?? '',
  };
}

const grantText =
  'mutation ($i: GrantJobAccessInput!) { grantJobAccess(input: $i) { access { id expiresAt } userErrors { code path } } }';
const to = (subject: string) => ({ subject });
const grant = (change: object = {}, by = ada) =>
  ask(grantText, { i: { experiment: 'alpha', grantee: to('bob@example'), level: 'MANAGE', ...change } }, by);
const revoke = (access: Maybe<Pick<JobAccess, 'id'>>, by: Principal) => {
  if (!access) throw new Error('There is no access to end');
  const text = 'mutation ($id: ID!) { revokeJobAccess(input: { id: $id }) { userErrors { code message } } }';
  return ask(text, { id: access.id }, by);
};

/** Rights that somebody has: to cancel the job, and to see its variables. */
async function rightsOf(principal: Principal, id: string): Promise<string> {
  const text = 'query ($id: ID!) { job(id: $id) { viewerCanCancel payload { environment { value } } } }';
  const { job } = await ask(text, { id }, principal);
  return `${job?.viewerCanCancel ? 'manage' : '-'} ${job?.payload.environment ? 'read' : '-'}`;
}

/** Holds the job and releases it again. @returns the refusals */
async function changes(principal: Principal, id: string): Promise<readonly string[]> {
  const input = { selection: { ids: [id] }, reason: 'a test' };
  const text = 'mutation ($i: HoldJobsInput!) { holdJobs(input: $i) { userErrors { code } } }';
  const { holdJobs } = await ask(text, { i: input }, principal);
  return holdJobs.userErrors.map(({ code }) => code);
}

beforeAll(async () => {
  core = await startCore({ clock });
  const text =
    'mutation ($i: RegisterExperimentInput!) { registerExperiment(input: $i) { userErrors { code } } }';
  for (const name of ['alpha', 'beta']) await core.ask(text, { i: { name, title: name } });
  const shares = ['default', 'other'].map((leaf) => ({ leaf, nominalCores: 10 }));
  await core.ask('mutation ($i: SetSharesInput!) { setShares(input: $i) { userErrors { code } } }', {
    i: { experiment: 'alpha', shares },
  });
});

describe('access to jobs of another owner', () => {
  it('lets a person change them, until it is revoked', async () => {
    const { inTask, alone } = await work();
    expect([await rightsOf(bob, alone), await changes(bob, alone)]).toEqual(['- -', ['FORBIDDEN']]);
    const { grantJobAccess } = await grant();
    expect(grantJobAccess.userErrors).toEqual([]);
    for (const id of [inTask, alone]) {
      expect(await rightsOf(bob, id)).toBe('manage read');
      expect(await changes(bob, id)).toEqual([]);
    }
    const { revokeJobAccess } = await revoke(grantJobAccess.access, ada);
    expect(revokeJobAccess.userErrors).toEqual([]);
    expect([await rightsOf(bob, alone), await changes(bob, alone)]).toEqual(['- -', ['FORBIDDEN']]);
  });

  it('shows variables only, at the level READ', async () => {
    const { alone } = await work();
    const { grantJobAccess } = await grant({ level: 'READ' });
    expect([await rightsOf(bob, alone), await changes(bob, alone)]).toEqual(['- read', ['FORBIDDEN']]);
    await revoke(grantJobAccess.access, ada);
  });

  it.each<[string, (of: Work) => object]>([
    ['a task', ({ taskId }) => ({ taskId })],
    ['a job', ({ inTask }) => ({ jobId: inTask })],
  ])('is limited to %s', async (_, jobsOf) => {
    const found = await work();
    const { inTask, alone } = found;
    const { grantJobAccess } = await grant({ jobs: jobsOf(found) });
    expect([await rightsOf(bob, inTask), await rightsOf(bob, alone)]).toEqual(['manage read', '- -']);
    expect([await changes(bob, inTask), await changes(bob, alone)]).toEqual([[], ['FORBIDDEN']]);
    await revoke(grantJobAccess.access, ada);
  });

  it('is limited to a share, for all owners', async () => {
    const { alone } = await work();
    const jobs = { share: 'alpha/other' };
    expect((await grant({ jobs })).grantJobAccess.userErrors).toEqual([
      { code: 'TARGET_NOT_FOUND', path: ['jobs'] },
    ]);
    const other = await grant({ jobs }, operator);
    expect(await rightsOf(bob, alone)).toBe('- -');
    const { grantJobAccess } = await grant({ jobs: { share: 'alpha/default' } }, operator);
    expect([await rightsOf(bob, alone), await changes(bob, alone)]).toEqual(['manage read', []]);
    for (const { access } of [other.grantJobAccess, grantJobAccess]) await revoke(access, operator);
    expect(await rightsOf(bob, alone)).toBe('- -');
  });

  it('holds for the members of a group only while they belong to it', async () => {
    const { alone } = await work();
    const groupId = `grp_${'0'.repeat(26)}`;
    const member = createPrincipal({ ...bob, groups: [groupId] });
    const { grantJobAccess } = await grant({ grantee: { groupId } });
    expect([await rightsOf(member, alone), await changes(member, alone)]).toEqual(['manage read', []]);
    expect([await rightsOf(bob, alone), await changes(bob, alone)]).toEqual(['- -', ['FORBIDDEN']]);
    const listed = await ask('{ jobAccess { nodes { id groupId task { id } share { path } } } }', {}, member);
    expect(listed.jobAccess.nodes).toContainEqual({
      ...{ id: grantJobAccess.access?.id, groupId },
      ...{ task: null, share: null },
    });
    await revoke(grantJobAccess.access, ada);
  });

  it('is shown at the job: all to the owner, and their own to others', async () => {
    const { alone } = await work();
    const both = [
      await grant({ jobs: { jobId: alone } }),
      await grant({ grantee: to('flo@example'), level: 'READ' }),
    ];
    const accessOf = async (principal: Principal) => {
      const text =
        'query ($id: ID!) { job(id: $id) { access { grantee { subject } jobId job { id } level } } }';
      return (await ask(text, { id: alone }, principal)).job?.access;
    };
    const ofBob = {
      ...{ grantee: { subject: 'bob@example' }, level: 'MANAGE' },
      ...{ jobId: alone, job: { id: alone } },
    };
    const ofFlo = { grantee: { subject: 'flo@example' }, jobId: null, job: null, level: 'READ' };
    const all = [ofBob, ofFlo];
    expect(await accessOf(ada)).toEqual(expect.arrayContaining(all));
    expect(await accessOf(operator)).toHaveLength(all.length);
    expect([await accessOf(bob), await accessOf(user('flo@example'))]).toEqual([[ofBob], [ofFlo]]);
    expect(await accessOf(user('gus@example'))).toEqual([]);
    for (const { grantJobAccess } of both) await revoke(grantJobAccess.access, ada);
  });

  it('answers in the same way for jobs of others and for jobs that do not exist', async () => {
    const { alone, taskId } = await work();
    const textOf = async (jobs: object, id: string, by: Principal) => {
      const { grantJobAccess } = await ask(
        'mutation ($i: GrantJobAccessInput!) { grantJobAccess(input: $i) { userErrors { code message } } }',
        { i: { experiment: 'alpha', grantee: to('eve@example'), level: 'READ', jobs } },
        by,
      );
      const [error] = grantJobAccess.userErrors;
      return `${error?.code} ${error?.message.replace(id, '')}`;
    };
    for (const [id, name] of [
      [alone, 'jobId'],
      [taskId, 'taskId'],
    ] as const)
      expect(await textOf({ [name]: id }, id, bob)).toBe(
        await textOf({ [name]: `${name}_nowhere` }, `${name}_nowhere`, bob),
      );
  });

  it('is limited in number for each owner, also by concurrent calls', async () => {
    const zoe = user('zoe@example');
    const { grantJobAccess: first } = await grant({ grantee: to('friend') }, zoe);
    const grants = collection(core.db, accessGrantsCollection);
    const stored = await grants.findOne({ _id: first.access?.id ?? '' });
    if (!stored) throw new Error('the grant is not stored');
    const more = Array.from({ length: 196 }, (_, n) => ({
      ...stored,
      _id: `access_0000${n}`,
      grantee: `z${n}`,
    }));
    await grants.insertMany(more);
    // As a day after the last grant.
    await collection(core.db, accessOwnersCollection).deleteMany({});
    const add = async (_: unknown, n: number) => {
      const { userErrors } = (await grant({ grantee: to(`friend ${n}`) }, zoe)).grantJobAccess;
      return userErrors.map(({ code, path }) => `${code} ${path?.join()}`).join();
    };
    const refused = 'TOO_MANY_GRANTS jobs';
    const answers = await Promise.all(Array.from({ length: 8 }, add));
    expect(answers.sort()).toEqual([...Array<string>(3).fill(''), ...Array<string>(5).fill(refused)]);
    expect(await grants.countDocuments({ owner: 'zoe@example' })).toBe(200);
    // The same grant again is a change of it, and one that was ended makes space for another.
    expect((await grant({ grantee: to('friend'), days: 3 }, zoe)).grantJobAccess.userErrors).toEqual([]);
    await revoke(first.access, zoe);
    expect([await add(0, 9), await add(0, 10)]).toEqual(['', refused]);
  });

  it('ends by itself', async () => {
    const { alone } = await work();
    await grant({ days: 2 });
    expect(await rightsOf(bob, alone)).toBe('manage read');
    days += 3;
    expect([await rightsOf(bob, alone), await changes(bob, alone)]).toEqual(['- -', ['FORBIDDEN']]);
  });

  it('gives no permission that roles do not give', async () => {
    const { alone } = await work();
    const text = 'query ($id: ID!) { job(id: $id) { id } }';
    await grant({ grantee: to('eve@example') });
    await grant({ grantee: to('rex@example') });
    const eve = user('eve@example', 'beta');
    expect(await ask(text, { id: alone }, eve)).toEqual({ job: null });
    const rex = testPrincipal({ subject: 'rex@example', grants: { alpha: 'READER' } });
    expect(await rightsOf(rex, alone)).toBe('- read');
    const agent = testPrincipal({
      ...{ kind: 'AGENT', subject: 'bob@example', actsFor: 'bob@example' },
      grants: { alpha: 'USER' },
    });
    await grant();
    expect(await rightsOf(agent, alone)).toBe('- -');
  });

  it('is granted for others by those who manage their jobs', async () => {
    const { alone } = await work();
    const other = { owner: 'ada@example', grantee: to('cid@example') };
    expect((await grant(other, bob)).grantJobAccess.userErrors[0]?.code).toBe('TARGET_NOT_FOUND');
    expect((await grant(other, operator)).grantJobAccess.userErrors).toEqual([]);
    expect(await rightsOf(user('cid@example'), alone)).toBe('manage read');
    const foreign = testPrincipal({ subject: 'op@example', grants: { beta: 'OPERATOR' } });
    expect(await grant(other, foreign)).toEqual({ code: 'FORBIDDEN' });
  });

  it('is listed for both sides and for managers; for others it does not exist', async () => {
    const { grantJobAccess } = await grant({ grantee: to('dan@example') });
    const { access } = grantJobAccess;
    const seen = async (principal: Principal): Promise<boolean> => {
      const text = '{ jobAccess(first: 100) { nodes { id owner { subject } grantee { subject } level } } }';
      const { jobAccess } = await ask(text, {}, principal);
      return jobAccess.nodes.some(({ id }) => id === access?.id);
    };
    const manager = testPrincipal({ subject: 'op@example', grants: { alpha: 'PRODUCTION' } });
    const sides = [ada, user('dan@example'), manager, bob, user('eve@example', 'beta')];
    expect(await Promise.all(sides.map(seen))).toEqual([true, true, true, false, false]);
    const messageOf = async (one: Maybe<Pick<JobAccess, 'id'>>) => {
      const [error] = (await revoke(one, bob)).revokeJobAccess.userErrors;
      return error?.message.replace(one?.id ?? '', 'access_0');
    };
    expect(await messageOf(access)).toMatch(/access_0/);
    expect(await messageOf(access)).toBe(await messageOf({ id: 'access_0' }));
    expect((await revoke(access, user('dan@example'))).revokeJobAccess.userErrors).toEqual([]);
    expect(await seen(ada)).toBe(false);
  });

  it('ends with the elevation without which it could not be granted', async () => {
    const until = new Date(clock.now().getTime() + 3_600_000);
    const roles = ['OPERATOR'] as const;
    const elevated = createPrincipal({
      ...testPrincipal({ subject: 'ann@example', grants: { alpha: 'OPERATOR' } }),
      elevation: { id: 'elv_1', experiment: 'alpha', roles, until },
    });
    const endOf = async (change: object, by: Principal): Promise<Date> => {
      const { grantJobAccess } = await grant({ grantee: to('joe@example'), ...change }, by);
      await revoke(grantJobAccess.access, operator);
      return new Date(grantJobAccess.access?.expiresAt ?? Number.NaN);
    };
    const ofAda = { owner: 'ada@example' };
    expect(await endOf(ofAda, elevated)).toEqual(until);
    const jobs = { share: 'alpha/default' };
    expect(await endOf({ jobs }, elevated)).toEqual(until);
    for (const [change, by] of [
      [{}, elevated],
      [ofAda, operator],
      [ofAda, createPrincipal({ ...elevated, grants: [{ experiment: '*', roles: ['OPERATOR'] }] })],
    ] as const)
      expect((await endOf(change, by)).getTime()).toBeGreaterThan(until.getTime() + 86_400_000);
  });

  it('is not granted with a token for other actions', async () => {
    const limitedTo = (action: CoreAction) => createPrincipal({ ...ada, actions: [action] });
    expect(await grant({ grantee: to('kim@example') }, limitedTo('job:cancel'))).toEqual({
      code: 'FORBIDDEN',
    });
    const { grantJobAccess } = await grant({ grantee: to('kim@example') }, limitedTo('job:grantAccess'));
    expect(grantJobAccess.userErrors).toEqual([]);
  });

  it('is not ended by an agent, nor by a token for other actions', async () => {
    const { grantJobAccess } = await grant({ grantee: to('kim@example') });
    const { access } = grantJobAccess;
    const agent = testPrincipal({
      ...{ kind: 'AGENT', subject: 'ada@example', actsFor: 'ada@example' },
      grants: { alpha: 'ADMIN' },
    });
    const reading = createPrincipal({ ...ada, actions: ['job:read'] });
    const cancelling = createPrincipal({ ...ada, actions: ['job:cancel'] });
    const managing = createPrincipal({ ...operator, actions: ['job:manageAny'] });
    for (const by of [agent, reading, cancelling, managing])
      expect((await revoke(access, by)).revokeJobAccess.userErrors).toMatchObject([
        { code: 'ACCESS_NOT_FOUND' },
      ]);
    const granting = createPrincipal({ ...ada, actions: ['job:grantAccess'] });
    expect((await revoke(access, granting)).revokeJobAccess.userErrors).toEqual([]);
  });

  it.each<[string, object, string, string]>([
    ['a task that does not exist', { jobs: { taskId: 'task_nowhere' } }, 'TARGET_NOT_FOUND', 'jobs'],
    ['a group by its name', { grantee: { groupId: 'crew' } }, 'INVALID_VALUE', 'grantee'],
    ['the owner', { grantee: to('ada@example') }, 'INVALID_VALUE', 'grantee'],
    ['an empty name', { grantee: to('') }, 'INVALID_VALUE', 'grantee'],
    ['more than 400 days', { days: 401 }, 'INVALID_VALUE', 'days'],
  ])('refuses %s', async (_, change, code, field) => {
    const { grantJobAccess } = await grant(change);
    expect(grantJobAccess).toMatchObject({
      access: null,
      userErrors: [{ code, path: expect.arrayContaining([field]) }],
    });
  });
});
