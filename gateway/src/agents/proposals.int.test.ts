import { beforeEach, describe, expect, it } from '@jest/globals';
import { createPrincipal, never, type Principal } from '@rhizome/authz';
import { waitFor } from '@rhizome/testkit';
import { bring } from '../testing/live-registry.js';
import { type ProposalSystem, startProposalSystem } from '../testing/proposal-system.js';

const create = `mutation ($input: CreateProposalInput!) {
  createProposal(input: $input) {
    isNew
    proposal {
      id ref status mutation operation variables stakes experimentName isFourEyes viewerCanDecide
      agent { subject } person { subject }
      preview { targetCount coreHours gpuHours refusedCount isDryRun dryRun targets { type id state attempt } }
    }
    userErrors { code path message }
  }
}`;
const decided = `proposal {
  id status viewerCanDecide decision { isApproval by { subject } note }
  outcome { data isUnknown errors { code message } }
} userErrors { code message }`;
const approve = `mutation ($input: ApproveProposalInput!) { approveProposal(input: $input) { ${decided} } }`;
const deny = `mutation ($input: DenyProposalInput!) { denyProposal(input: $input) { ${decided} } }`;
const withdraw = `mutation ($input: WithdrawProposalInput!) { withdrawProposal(input: $input) { ${decided} } }`;
const cancel = 'mutation C($input: CancelJobsInput!) { cancelJobs(input: $input) { jobs { secretNote } } }';
const pause = 'mutation P($input: PauseTaskInput!) { pauseTask(input: $input) { userErrors { code } } }';
const egretSdl = `
  "An error." type SubmitEgretRunUserError implements UserError {
    "Text." message: String! "Path." path: [String!]! "Code." code: SubmitEgretRunUserErrorCode!
  }
  "Codes." enum SubmitEgretRunUserErrorCode { "No such run." EGRET_RUN_NOT_FOUND }
  "A run." input SubmitEgretRunInput { "A key." idempotencyKey: String! }
  "The result." type SubmitEgretRunPayload { "Errors." userErrors: [SubmitEgretRunUserError!]! }
  type Mutation { "Submits a run." submitEgretRun("The run." input: SubmitEgretRunInput!): SubmitEgretRunPayload! }
`;
const submitRun =
  'mutation ($input: SubmitEgretRunInput!) { submitEgretRun(input: $input) { userErrors { code } } }';
const status = 'query ($id: ID!) { proposal(id: $id) { status outcome { isUnknown data } } }';

let system: ProposalSystem;
let person: string;
let agent: string;

beforeEach(async () => {
  system ??= await startProposalSystem({ fourEyes: ['egret'], openLimit: 3 });
  system.jobs.clear();
  system.calls.length = 0;
  system.arrivals.length = 0;
  system.task.state = 'RUNNING';
  system.refusal = null;
  const subject = `ada-${nextPerson++}@example`;
  person = await system.tokens.human(subject, { heron: 'USER', egret: 'USER' });
  agent = await system.tokens.agent(subject, { heron: 'USER', egret: 'USER' });
});
let nextPerson = 1;

function addJobs(experiment: string, ...states: readonly string[]): readonly string[] {
  return states.map((state) => {
    const id = `job_${system.jobs.size + 1}`;
    system.jobs.set(id, { id, experiment, state, attempt: 1, owner: `ada-${nextPerson - 1}@example` });
    return id;
  });
}

function setAttempt(id: string | undefined, attempt: number): void {
  const job = system.jobs.get(id ?? '');
  if (!job) throw new Error(`no job ${id}`);
  job.attempt = attempt;
}

const cancelling = (selection: object, further: object = {}) => ({
  ...{ operation: cancel, variables: { input: { selection } }, reason: 'They fail', ...further },
});

function personOf(): Principal {
  const grants = [{ experiment: 'heron', roles: ['USER' as const] }];
  return createPrincipal({
    ...{ kind: 'HUMAN', subject: `ada-${nextPerson - 1}@example`, grants, expiresAt: never },
  });
}

async function propose(input: object, token = agent) {
  const { data, messages } = await system.ask(create, { input }, token);
  expect(messages).toEqual([]);
  return data.createProposal;
}

async function proposed(
  input: object,
  token = agent,
): Promise<{ readonly id: string; readonly ref: string }> {
  const { proposal, userErrors } = await propose(input, token);
  expect(userErrors).toEqual([]);
  return proposal;
}

async function decide(text: string, id: string, token = person, note?: string) {
  const { data, messages } = await system.ask(text, { input: { id, ...(note && { note }) } }, token);
  expect(messages).toEqual([]);
  return Object.values(data)[0] as { proposal: { status: string }; userErrors: readonly { code: string }[] };
}

describe('createProposal', () => {
  it('freezes the operation, names the jobs of a filter, and adds up what they ask for', async () => {
    const ids = addJobs('heron', 'RUNNING', 'PENDING', 'FINISHED');
    const { proposal } = await propose(cancelling({ filter: { ids } }));
    expect(proposal).toMatchObject({
      ...{ status: 'PROPOSED', mutation: 'cancelJobs', stakes: 'IRREVERSIBLE', experimentName: 'heron' },
      ...{ isFourEyes: false, viewerCanDecide: false },
      preview: { targetCount: 3, coreHours: 24, gpuHours: 6, refusedCount: 1, isDryRun: false },
      variables: { input: { selection: { ids }, idempotencyKey: proposal.id } },
    });
    expect(proposal.agent.subject).toMatch(/^agent-of-ada/);
    expect(proposal.person.subject).toMatch(/^ada/);
    expect(proposal.preview.targets[0]).toEqual({ type: 'Job', id: ids[0], state: 'RUNNING', attempt: 1 });
    expect(proposal.operation).not.toContain('secretNote');
    expect(system.calls).toEqual([]);
  });

  it('checks the change by a dry run where the mutation has one', async () => {
    const input = {
      operation: pause,
      variables: { input: { taskId: 'task_1', reason: 'wait' } },
      reason: 'x',
    };
    const { proposal } = await propose(input);
    expect(proposal).toMatchObject({
      stakes: 'UNDOABLE',
      preview: { targetCount: 7, isDryRun: true, dryRun: { effect: { jobCount: 7 } } },
    });
    system.task.state = 'FINISHED';
    const { userErrors } = await propose(input);
    expect(userErrors).toMatchObject([{ code: 'CHANGE_REFUSED', message: 'taskId: the task is FINISHED' }]);
  });

  it('returns the open proposal of the same change', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const first = await propose(cancelling({ ids: [id] }));
    const second = await propose(cancelling({ ids: [id] }, { reason: 'Once more' }));
    expect([first.isNew, second.isNew]).toEqual([true, false]);
    expect(second.proposal.id).toBe(first.proposal.id);
  });

  it('stores one proposal for calls at the same time', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const all = await Promise.all(Array.from({ length: 8 }, () => propose(cancelling({ ids: [id] }))));
    expect(new Set(all.map(({ proposal }) => proposal.id)).size).toBe(1);
    expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
  });

  it('makes at most eight proposals of a person at once', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    let open: () => void = () => undefined;
    system.gate = new Promise((resolve) => (open = resolve));
    const all = Array.from({ length: 9 }, () => propose(cancelling({ ids: [id] })));
    const { userErrors } = await Promise.race(all);
    system.gate = undefined;
    open();
    expect(userErrors).toMatchObject([{ code: 'TOO_MANY_PROPOSALS' }]);
    expect(userErrors[0].message).toMatch(/^8 proposals of ada-\d+@example are being made/);
    const made = (await Promise.all(all)).flatMap(({ proposal }) => proposal?.id ?? []);
    expect(made).toHaveLength(8);
    expect(new Set(made).size).toBe(1);
  });

  it.each([
    [
      'two fields',
      `${cancel.slice(0, -1)} b: cancelJobs(input: $input) { changedCount } }`,
      'OPERATION_INVALID',
    ],
    ['a query', '{ jobs { nodes { id } } }', 'OPERATION_INVALID'],
    ['no GraphQL', 'cancel everything', 'OPERATION_INVALID'],
    [
      'a mutation that could change something twice',
      'mutation { deleteJobs(input: { ids: ["job_1"] }) { userErrors { code } } }',
      'MUTATION_NOT_SUPPORTED',
    ],
    [
      'a mutation of identities',
      'mutation { rotateSigningKey(input: {}) { userErrors { code } } }',
      'MUTATION_NOT_SUPPORTED',
    ],
    [
      'a decision',
      'mutation { approveProposal(input: { id: "pr-1" }) { userErrors { code } } }',
      'MUTATION_NOT_SUPPORTED',
    ],
  ])('refuses %s', async (_what, operation, code) => {
    const variables = { input: { selection: { ids: ['job_1'] } } };
    const { userErrors, proposal } = await propose({ operation, variables, reason: 'x' });
    expect(proposal).toBeNull();
    expect(userErrors.map((one: { code: string }) => one.code)).toEqual([code]);
  });

  it('refuses jobs that are not there, and jobs in no state to be changed', async () => {
    const [ended] = addJobs('heron', 'FINISHED');
    const codesOf = async (ids: readonly (string | undefined)[]) =>
      (await propose(cancelling({ ids }))).userErrors.map((one: { code: string }) => one.code);
    expect(await codesOf(['job_9'])).toEqual(['TARGET_NOT_FOUND']);
    expect(await codesOf([ended])).toEqual(['CHANGE_REFUSED']);
  });

  it('refuses a change that the person has no permission for', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const reader = await system.tokens.agent('rea@example', { heron: 'READER' });
    const { userErrors } = await propose(cancelling({ ids: [id] }), reader);
    expect(userErrors).toMatchObject([
      { code: 'FORBIDDEN', message: 'rea@example may not job:cancel in "heron"' },
    ]);
  });

  it('refuses a change of jobs that the person may not change, although an operator could approve it', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const other = await system.tokens.agent('uma@example', { heron: 'USER' });
    const { userErrors } = await propose(cancelling({ ids: [id] }), other);
    expect(userErrors).toMatchObject([{ code: 'FORBIDDEN', path: ['variables'] }]);
    expect(userErrors[0].message).toMatch(/^job "job_1" belongs to ada-\d+@example; uma@example may not/);
    const operators = await system.tokens.agent('olga@example', { heron: 'OPERATOR' });
    await proposed(cancelling({ ids: [id] }), operators);
  });

  it('refuses a change in an experiment that the token of the agent does not name', async () => {
    const [id] = addJobs('egret', 'RUNNING');
    const subject = `ada-${nextPerson - 1}@example`;
    const narrow = await system.tokens.mint({
      ...{ kind: 'AGENT', subject: 'agent-of-ada', actsFor: subject },
      grants: [{ experiment: 'heron', roles: ['USER'] }],
      boundedBy: ['heron', 'egret'].map((experiment) => ({ experiment, roles: ['USER'] })),
    });
    const { userErrors } = await propose(cancelling({ ids: [id] }), narrow);
    const message = 'agent-of-ada has no role in "egret"; its token must name the experiment';
    expect(userErrors).toMatchObject([{ code: 'FORBIDDEN', message }]);
  });

  it('refuses more proposals than may wait for one person', async () => {
    const ids = addJobs('heron', 'RUNNING', 'RUNNING', 'RUNNING', 'RUNNING');
    for (const id of ids.slice(0, 3)) await proposed(cancelling({ ids: [id] }));
    const { userErrors } = await propose(cancelling({ ids: [ids[3]] }));
    expect(userErrors).toMatchObject([{ code: 'TOO_MANY_PROPOSALS' }]);
  });
});

describe('approveProposal', () => {
  it('runs the mutation once as the approver, and stores the answer', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { id: proposal, ref } = await proposed(cancelling({ ids: [id] }));
    const result = await decide(approve, ref, person, 'go on');
    expect(result).toMatchObject({
      proposal: {
        ...{ status: 'DONE', decision: { isApproval: true, note: 'go on' } },
        outcome: {
          data: { changedCount: 1, jobs: [{ id, state: 'CANCELLED' }] },
          isUnknown: false,
          errors: [],
        },
      },
      userErrors: [],
    });
    expect(JSON.stringify(result)).not.toContain('for approvers only');
    expect(system.calls).toMatchObject([{ kind: 'HUMAN', input: { idempotencyKey: proposal } }]);
    expect(system.calls[0]?.subject).toMatch(/^ada/);
    expect(await decide(approve, ref)).toMatchObject({ proposal: { status: 'DONE' }, userErrors: [] });
    expect(system.calls).toHaveLength(1);
  });

  it('runs the mutation once for approvals at the same time', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [id] }));
    await Promise.all(Array.from({ length: 6 }, () => decide(approve, ref)));
    expect(system.arrivals).toEqual(['cancelJobs']);
    expect(system.calls).toHaveLength(1);
    expect((await system.ask(status, { id: ref }, person)).data.proposal.status).toBe('DONE');
  });

  it('is refused to agents, services and pilots', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [id] }));
    const others = [agent, await system.tokens.service('heron'), await system.tokens.pilot('cern')];
    for (const token of others)
      for (const text of [approve, deny])
        expect((await system.ask(text, { input: { id: ref } }, token)).codes).toEqual(['FORBIDDEN']);
    expect(system.calls).toEqual([]);
  });

  it('refuses a token that was passed on or is limited', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [id] }));
    const limited = await system.tokens.mint({
      ...{ subject: `ada-${nextPerson - 1}@example`, kind: 'HUMAN', limited: true },
      grants: [{ experiment: 'heron', roles: ['USER'] }],
    });
    expect((await decide(approve, ref, limited)).userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  it('runs nothing if a job has changed its state or attempt', async () => {
    const ids = addJobs('heron', 'RUNNING', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids }));
    setAttempt(ids[1], 2);
    const { proposal, userErrors } = await decide(approve, ref);
    expect(proposal).toMatchObject({ status: 'STALE', decision: null });
    expect(userErrors).toMatchObject([{ code: 'PROPOSAL_STALE' }]);
    expect(system.calls).toEqual([]);
  });

  it('runs although some jobs have ended, or have gone on, since it was proposed', async () => {
    const ids = addJobs('heron', 'RUNNING', 'PENDING');
    const { ref } = await proposed(cancelling({ ids }));
    for (const [id, state] of [
      [ids[0], 'FINISHED'],
      [ids[1], 'RUNNING'],
    ] as const) {
      const job = system.jobs.get(id ?? '');
      if (job) job.state = state;
    }
    expect((await decide(approve, ref)).proposal.status).toBe('DONE');
    expect(system.arrivals).toEqual(['cancelJobs']);
  });

  it('asks for another person where the experiment does, and uses the rights of that person', async () => {
    const [id] = addJobs('egret', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [id] }));
    expect((await decide(approve, ref)).userErrors).toMatchObject([{ code: 'FOUR_EYES_REQUIRED' }]);
    const user = await system.tokens.human('uma@example', { egret: 'USER' });
    expect((await decide(approve, ref, user)).userErrors).toMatchObject([{ code: 'PROPOSAL_NOT_FOUND' }]);
    const operator = await system.tokens.human('olga@example', { egret: 'OPERATOR' });
    expect((await decide(approve, ref, operator)).proposal.status).toBe('DONE');
    expect(system.calls).toMatchObject([{ subject: 'olga@example' }]);
  });

  it('asks for another person for a mutation of the experiment, whose input does not name it', async () => {
    await bring(system, 'egret', egretSdl, 'Egret');
    const { proposal } = await propose({ operation: submitRun, variables: { input: {} }, reason: 'A run' });
    expect(proposal).toMatchObject({ isFourEyes: true, experimentName: 'egret' });
    expect((await decide(approve, proposal.id)).userErrors).toMatchObject([{ code: 'FOUR_EYES_REQUIRED' }]);
  });

  it('stores what the mutation refused', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [id] }));
    system.refusal = 'FORBIDDEN';
    expect((await decide(approve, ref)).proposal).toMatchObject({
      ...{ status: 'FAILED', outcome: { isUnknown: false, errors: [{ code: 'FORBIDDEN' }] } },
    });
  });

  it('is an entry of the audit log, and so is the mutation with the proposal as its request', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { id: proposal, ref } = await proposed(cancelling({ ids: [id] }));
    await decide(approve, ref);
    const read = async () => {
      const { nodes } = await system.audit.repository.page({}, '*', { first: 50, after: null });
      const run = nodes.find(({ requestId }) => requestId === proposal);
      return run?.outcome ? nodes : null;
    };
    const nodes = await waitFor('the entry of the mutation', read, { deadlineMs: 60_000 });
    const run = nodes.find(({ requestId }) => requestId === proposal);
    expect(run).toMatchObject({
      ...{ action: 'Mutation.cancelJobs', outcome: { result: 'SUCCEEDED' }, targets: { ids: [id] } },
      client: { name: `proposal ${ref}`, version: expect.stringMatching(/^agent-of-ada/) },
    });
    expect(run?.actor?.subject).toMatch(/^ada/);
    const made = nodes.find(({ action }) => action === 'Mutation.createProposal');
    expect(made?.actor).toMatchObject({ kind: 'AGENT', human: run?.actor?.subject });
  });
});

describe('denyProposal', () => {
  it('keeps the same change from being proposed for a week, and other changes not', async () => {
    const ids = addJobs('heron', 'RUNNING', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [ids[0]] }));
    expect(await decide(deny, ref, person, 'no')).toMatchObject({
      proposal: { status: 'DENIED', decision: { isApproval: false, note: 'no' } },
    });
    expect(await decide(approve, ref)).toMatchObject({ userErrors: [{ code: 'PROPOSAL_STATE_CONFLICT' }] });
    const again = await propose(cancelling({ ids: [ids[0]] }));
    expect(again.userErrors).toMatchObject([{ code: 'PROPOSAL_DENIED_BEFORE' }]);
    expect(again.userErrors[0].message).toContain('no');
    const other = cancelling({ ids: [ids[0]] });
    const reworded = await propose({
      ...other,
      variables: { input: { ...other.variables.input, reason: 'Once more' } },
    });
    expect(reworded.userErrors).toMatchObject([{ code: 'PROPOSAL_DENIED_BEFORE' }]);
    await proposed(cancelling({ ids: [ids[1]] }));
    system.advance(8 * 86_400_000);
    await proposed(cancelling({ ids: [ids[0]] }));
  });
});

describe('withdrawProposal', () => {
  it('is for the agent that made the proposal and for its person', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [id] }));
    const stranger = await system.tokens.agent('eve@example', { heron: 'USER' });
    expect((await decide(withdraw, ref, stranger)).userErrors).toMatchObject([
      { code: 'PROPOSAL_NOT_FOUND' },
    ]);
    const operator = await system.tokens.human('olga@example', { heron: 'OPERATOR' });
    expect((await decide(withdraw, ref, operator)).userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect((await decide(withdraw, ref, agent)).proposal.status).toBe('WITHDRAWN');
    expect((await decide(approve, ref)).userErrors).toMatchObject([{ code: 'PROPOSAL_STATE_CONFLICT' }]);
  });
});

describe('proposals', () => {
  const list = `query ($filter: ProposalFilter) { proposals(filter: $filter) { nodes { ref status } totalCount } }`;

  it('shows people their own, agents their own, and operators those of their experiment', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [id] }));
    const refsOf = async (token: string): Promise<readonly string[]> =>
      (await system.ask(list, {}, token)).data.proposals.nodes.map((one: { ref: string }) => one.ref);
    const other = await system.tokens.human('uma@example', { heron: 'USER' });
    const operator = await system.tokens.human('olga@example', { heron: 'OPERATOR' });
    const elsewhere = await system.tokens.human('oscar@example', { tern: 'OPERATOR' });
    for (const token of [person, agent, operator]) expect(await refsOf(token)).toContain(ref);
    for (const token of [other, elsewhere]) expect(await refsOf(token)).not.toContain(ref);
    expect((await system.ask(status, { id: ref }, elsewhere)).data).toEqual({ proposal: null });
  });

  it('reads what lists leave out where it is selected', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [id] }));
    const { data } = await system.ask(
      '{ proposals { nodes { ref variables preview { targets { id } dryRun } } } }',
      {},
      person,
    );
    expect(data.proposals.nodes).toMatchObject([
      {
        ref,
        variables: { input: { selection: { ids: [id] } } },
        preview: { targets: [{ id }], dryRun: null },
      },
    ]);
    const page = await system.agents.proposals.page({}, personOf(), { first: 1 });
    expect(page.nodes[0]).not.toHaveProperty('variables');
    expect(page.nodes[0]).not.toHaveProperty('targets');
  });

  it('counts a proposal that nobody decided in time as expired', async () => {
    const [id] = addJobs('heron', 'RUNNING');
    const { ref } = await proposed(cancelling({ ids: [id] }, { expiresInSeconds: 60 }));
    system.advance(61_000);
    expect((await system.ask(status, { id: ref }, person)).data.proposal.status).toBe('EXPIRED');
    const { data } = await system.ask(list, { filter: { statuses: ['EXPIRED'] } }, person);
    expect(data.proposals.nodes).toEqual([{ ref, status: 'EXPIRED' }]);
    expect((await decide(approve, ref)).userErrors).toMatchObject([{ code: 'PROPOSAL_STATE_CONFLICT' }]);
  });
});
