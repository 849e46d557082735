import { beforeEach, describe, expect, it } from '@jest/globals';
import { createPrincipal, never } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { waitFor } from '@rhizome/testkit';
import { type ProposalSystem, startProposalSystem } from '../../testing/proposal-system.js';
import { MandateApprovals } from './approvals.js';

const create = `mutation ($input: CreateProposalInput!) {
  createProposal(input: $input) {
    isNew proposal { id status decision { isApproval mandateId by { subject } } outcome { errors { code } } }
    userErrors { code message }
  }
}`;
const grant = `mutation ($input: GrantMandateInput!) {
  grantMandate(input: $input) {
    mandate { id mutation input free maxPerDay usedToday isActive grantor { subject } }
    userErrors { code path message }
  }
}`;
const revoke = `mutation ($input: RevokeMandateInput!) {
  revokeMandate(input: $input) { mandate { isActive revokedBy { subject } } userErrors { code } }
}`;
const list = '{ mandates { nodes { id usedToday isActive } } }';

let system: ProposalSystem;
let subject: string;
let person: string;
let agent: string;
let nextPerson = 1;

beforeEach(async () => {
  system ??= await startProposalSystem({ fourEyes: ['egret'] });
  system.calls.length = 0;
  system.task.state = 'RUNNING';
  subject = `ada-${nextPerson++}@example`;
  person = await system.tokens.human(subject, { heron: 'USER' });
  agent = await system.tokens.agent(subject, { heron: 'USER' });
});

async function changed(text: string, input: object, token = person) {
  const { data, messages } = await system.ask(text, { input }, token);
  expect(messages).toEqual([]);
  return Object.values(data)[0] as Awaited<ReturnType<ProposalSystem['ask']>>['data'];
}

/** A mandate for pauses of the task, with 14 jobs a day; each pause concerns 7. */
const mandate = (further: object = {}) => ({
  ...{ agent: `agent-of-${subject}`, experiment: 'heron', mutation: 'pauseTask' },
  ...{ input: { reason: 'wait' }, free: ['taskId'], maxPerDay: 14, reason: 'Nights' },
  expiresAt: new Date(system.clock.now().getTime() + 86_400_000).toISOString(),
  ...further,
});

async function granted(further: object = {}): Promise<string> {
  const { mandate: made, userErrors } = await changed(grant, mandate(further));
  expect(userErrors).toEqual([]);
  return made.id as string;
}

/** Proposes to pause the task, which runs again. */
async function proposePause(reason = 'wait', by = agent, taskId = 'task_1') {
  return (await askToPause(reason, by, taskId)).proposal;
}

async function askToPause(reason: string, by: string, taskId = 'task_1') {
  system.task.state = 'RUNNING';
  const operation =
    'mutation P($input: PauseTaskInput!) { pauseTask(input: $input) { userErrors { code } } }';
  const input = { operation, variables: { input: { taskId, reason } }, reason: 'It fails' };
  return changed(create, input, by);
}

/** The end of the run of a proposal whose gateway ended after its approval by a mandate. */
async function takenOver(proposalId: string, mandateId: string) {
  const by = { kind: 'HUMAN', subject, grants: [{ experiment: 'heron', roles: ['USER'] }] } as never;
  await system.agents.proposals.approve(proposalId, by, null, mandateId);
  system.advance(31_000);
  const other = await system.gateway();
  other.gateway.announce();
  const status = 'query ($id: ID!) { proposal(id: $id) { status outcome { errors { code message } } } }';
  return waitFor(
    'the end of the proposal',
    async () => {
      const { data } = await system.ask(status, { id: proposalId }, person);
      return data.proposal.status === 'FAILED' && data.proposal;
    },
    { deadlineMs: 60_000 },
  );
}

describe('a proposal that fits a mandate', () => {
  it('runs at once as the grantor, and names the mandate', async () => {
    const id = await granted();
    expect(await proposePause()).toMatchObject({
      status: 'DONE',
      decision: { isApproval: true, mandateId: id, by: { subject } },
      outcome: { errors: [] },
    });
    expect(system.calls).toMatchObject([{ mutation: 'pauseTask', subject, kind: 'HUMAN' }]);
    const { data } = await system.ask(list, {}, agent);
    expect(data.mandates.nodes).toEqual([{ id, usedToday: 7, isActive: true }]);
  });

  it('waits for a person once the objects of the day are used up', async () => {
    await granted();
    expect((await proposePause()).status).toBe('DONE');
    expect((await proposePause()).status).toBe('DONE');
    expect((await proposePause()).status).toBe('PROPOSED');
    expect(system.calls).toHaveLength(2);
  });

  it('is counted exactly when several come at once', async () => {
    const id = await granted({ free: ['taskId', 'reason'], input: {} });
    const reasons = ['a', 'b', 'c', 'd', 'e'];
    const found = await Promise.all(reasons.map((reason, at) => proposePause(reason, agent, `task_${at}`)));
    expect(found.filter(({ status }) => status !== 'PROPOSED').length).toBeLessThanOrEqual(2);
    // The change is the same whatever its reason: a call may get the proposal of another one back.
    const approved = new Set(found.filter(({ decision }) => decision !== null).map((one) => one.id));
    expect(approved.size).toBeLessThanOrEqual(2);
    const { data } = await system.ask(list, {}, person);
    const { usedToday } = data.mandates.nodes.find((one: { id: string }) => one.id === id);
    expect(usedToday).toBeLessThanOrEqual(14);
    expect(usedToday).toBe(7 * approved.size);
  });

  it('waits for a person if its input differs, and once the mandate is revoked', async () => {
    const id = await granted();
    expect((await proposePause('another reason')).status).toBe('PROPOSED');
    const { mandate: ended } = await changed(revoke, { id });
    expect(ended).toEqual({ isActive: false, revokedBy: { subject } });
    expect((await proposePause()).status).toBe('PROPOSED');
    expect(system.calls).toEqual([]);
  });

  it('does not run if the mandate is revoked before it starts', async () => {
    const id = await granted();
    await changed(revoke, { id });
    const waiting = await proposePause();
    const end = await takenOver(waiting.id, id);
    expect(end.outcome.errors).toEqual([
      { code: 'FORBIDDEN', message: 'The mandate was revoked, or has ended' },
    ]);
    expect(system.calls).toEqual([]);
  });

  it('does not run if the agent is stopped before it starts', async () => {
    const waiting = await proposePause();
    const scope = { agent: null, person: subject, experiment: null };
    await system.agents.budgets.stop(scope, 'PERSON', 'It loops', subject);
    const end = await takenOver(waiting.id, await granted());
    expect(end.outcome.errors).toMatchObject([
      { code: 'FORBIDDEN', message: expect.stringContaining('was stopped') },
    ]);
    expect(system.calls).toEqual([]);
  });

  it('ends the mandate if the token of its grantor was revoked', async () => {
    const waiting = await proposePause();
    const id = await granted();
    const by = createPrincipal({ kind: 'HUMAN', subject, grants: [], expiresAt: never });
    const proposal = await system.agents.proposals.find(waiting.id, by);
    const approvals = new MandateApprovals({
      ...{ agents: () => system.agents, clock: system.clock, log: silentLogger() },
      // A revoked grantor reaches neither of them.
      ...{ borrow: undefined as never, executions: undefined as never },
      rights: () => ({ of: async () => ({ isRevoked: true, grants: [] }) }),
    });
    if (!proposal) throw new Error('The proposal is missing');
    expect(await approvals.apply(proposal)).toMatchObject({ status: 'PROPOSED' });
    expect(await system.agents.mandates.find(id, by)).toMatchObject({
      revokedAt: expect.any(Date),
      revokedBy: null,
    });
  });

  it('gives objects back to the day on which they were counted', async () => {
    const { mandates } = system.agents;
    const by = createPrincipal({ kind: 'HUMAN', subject, grants: [], expiresAt: never });
    const found = await mandates.find(await granted(), by);
    if (!found) throw new Error('The mandate is missing');
    const counted = await mandates.use(found, 7);
    system.advance(86_400_000);
    expect(await mandates.use(found, 14)).toBeDefined();
    await mandates.giveBack(counted ?? '', 7);
    expect((await mandates.usedToday([found._id])).get(found._id)).toBe(14);
  });

  it('waits on if another agent of the person proposes the same change, which does not see it', async () => {
    const { id } = await proposePause();
    await granted();
    const grants = [{ experiment: 'heron', roles: ['USER' as const] }];
    const other = await system.tokens.mint({
      ...{ subject: 'agt_other', kind: 'AGENT', actsFor: subject, grants, boundedBy: grants },
    });
    const refused = await askToPause('wait', other);
    expect(refused).toMatchObject({ proposal: null, userErrors: [{ code: 'CHANGE_REFUSED' }] });
    const { data } = await system.ask('query ($id: ID!) { proposal(id: $id) { status } }', { id }, person);
    expect(data.proposal.status).toBe('PROPOSED');
    expect(system.calls).toEqual([]);
  });
});

describe('grantMandate', () => {
  it('refuses changes that cannot be taken back, and fields that are neither fixed nor free', async () => {
    const { userErrors: irreversible } = await changed(grant, mandate({ mutation: 'cancelJobs' }));
    expect(irreversible).toMatchObject([{ code: 'MUTATION_NOT_SUPPORTED', path: ['mutation'] }]);
    const { userErrors: missing } = await changed(grant, mandate({ free: [] }));
    expect(missing).toMatchObject([
      { path: ['input'], message: expect.stringContaining('taskId is missing') },
    ]);
    const { userErrors: typed } = await changed(grant, mandate({ input: { reason: 7 } }));
    expect(typed).toMatchObject([{ path: ['input'], message: expect.stringContaining('input.reason') }]);
    const late = { expiresAt: new Date(system.clock.now().getTime() + 31 * 86_400_000).toISOString() };
    expect((await changed(grant, mandate(late))).userErrors).toMatchObject([{ path: ['expiresAt'] }]);
  });

  it('refuses agents, people without the permission, and people whose experiment asks for four eyes', async () => {
    const asked = async (token: string, further: object = {}) =>
      (await system.ask(grant, { input: mandate(further) }, token)).messages;
    expect(await asked(agent)).toEqual([expect.stringContaining('only people decide')]);
    const reader = await system.tokens.human('eve@example', { heron: 'READER' });
    expect(await asked(reader)).toEqual([expect.stringContaining('may not job:hold in "heron"')]);
    const both = await system.tokens.human(subject, { egret: 'USER' });
    const { userErrors } = await changed(grant, mandate({ experiment: 'egret' }), both);
    expect(userErrors).toMatchObject([{ code: 'FOUR_EYES_REQUIRED' }]);
  });

  it('changes the limits of an equal mandate', async () => {
    const id = await granted();
    expect(await granted({ maxPerDay: 7 })).toBe(id);
    expect((await proposePause()).status).toBe('DONE');
    expect((await proposePause()).status).toBe('PROPOSED');
  });
});

describe('MandatesService.find', () => {
  it('hides mandates from tokens of jobs, and from those that are limited to other actions', async () => {
    const id = await granted();
    const by = { kind: 'HUMAN', subject, grants: [], expiresAt: never } as const;
    const find = (further: object) => system.agents.mandates.find(id, createPrincipal({ ...by, ...further }));
    expect(await find({})).toMatchObject({ _id: id });
    expect(await find({ attempt: { jobId: 'job_1', attempt: 1 } })).toBeNull();
    expect(await find({ actions: ['job:submit'] })).toBeNull();
  });
});

describe('revokeMandate', () => {
  it('refuses people who did not grant it, and hides it from strangers', async () => {
    const id = await granted();
    const operator = await system.tokens.human('op@example', { heron: 'OPERATOR' });
    expect((await system.ask(revoke, { input: { id } }, operator)).messages).toEqual([
      expect.stringContaining('may not revoke mandates of'),
    ]);
    const stranger = await system.tokens.human('eve@example', { egret: 'USER' });
    const hidden = await changed(revoke, { id }, stranger);
    expect(hidden.userErrors).toEqual([{ code: 'MANDATE_NOT_FOUND' }]);
    const admin = await system.tokens.human('adm@example', { heron: 'ADMIN' });
    expect((await changed(revoke, { id }, admin)).mandate.isActive).toBe(false);
  });
});
