// Gateways end at each step between an approval and its outcome: the mutation runs once, or is not repeated.
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { leaseMs, type ProposalDocument } from '@rhizome/agents';
import { createPrincipal, never } from '@rhizome/authz';
import { waitFor } from '@rhizome/testkit';
import { type ProposalSystem, startProposalSystem } from '../testing/proposal-system.js';

const person = createPrincipal({
  ...{ kind: 'HUMAN', subject: 'ada@example', expiresAt: never },
  grants: [{ experiment: 'heron', roles: ['USER'] }],
});
const create = `mutation ($input: CreateProposalInput!) {
  createProposal(input: $input) { proposal { id } userErrors { message } }
}`;
const cancel = 'mutation C($input: CancelJobsInput!) { cancelJobs(input: $input) { changedCount } }';
const pause = 'mutation P($input: PauseTaskInput!) { pauseTask(input: $input) { userErrors { code } } }';

let system: ProposalSystem;
let count = 0;

beforeAll(async () => {
  system = await startProposalSystem();
});
beforeEach(() => {
  system.jobs.clear();
  system.calls.length = 0;
  system.arrivals.length = 0;
  system.task.state = 'RUNNING';
  system.refusal = null;
});

async function propose(operation: string, input: object): Promise<string> {
  const token = await system.tokens.human(person.subject, { heron: 'USER' });
  const variables = { input: { operation, variables: { input }, reason: `Reason ${count}` } };
  const { data } = await system.ask(create, variables, token);
  expect(data.createProposal.userErrors).toEqual([]);
  return data.createProposal.proposal.id as string;
}

function cancelling(): Promise<string> {
  const id = `job_${++count}`;
  system.jobs.set(id, { id, experiment: 'heron', state: 'RUNNING', attempt: 1, owner: person.subject });
  return propose(cancel, { selection: { ids: [id] } });
}

/** Approves as a gateway that ends before it runs the mutation. */
async function approvedByLostGateway(id: string): Promise<ProposalDocument> {
  const approved = await system.agents.proposals.approve(id, person, null);
  if (!approved) throw new Error(`${id} does not wait`);
  return approved;
}

/** Runs the mutation as the gateway that ends before it stores the outcome. */
async function run(proposal: ProposalDocument): Promise<void> {
  const { operation, variables } = proposal;
  expect(await system.agents.proposals.send(proposal)).toBe(true);
  const token = await system.tokens.human(person.subject, { heron: 'USER' });
  const { codes } = await system.ask(operation, JSON.parse(variables) as object, token);
  expect(codes).toEqual([]);
}

/** The proposal after another gateway has ended it. */
function ended(id: string): Promise<ProposalDocument> {
  const read = async () => {
    const found = await system.agents.proposals.find(id, person);
    return found?.outcome ? found : null;
  };
  return waitFor('the outcome', read, { deadlineMs: 60_000 });
}

describe('an execution whose gateway ends', () => {
  it('runs at another gateway after its lease if the mutation has not run', async () => {
    const id = await cancelling();
    await approvedByLostGateway(id);
    expect(await system.agents.proposals.takeOver()).toBeNull();
    expect(system.calls).toEqual([]);
    system.advance(leaseMs + 1);
    expect(await ended(id)).toMatchObject({ status: 'DONE', execution: { tries: 2 } });
    expect(system.calls).toMatchObject([{ subject: 'ada@example', input: { idempotencyKey: id } }]);
  });

  it('changes nothing twice if the mutation has run by its key, and gives its answer', async () => {
    const id = await cancelling();
    await run(await approvedByLostGateway(id));
    system.advance(leaseMs + 1);
    const { status, outcome } = await ended(id);
    expect(status).toBe('DONE');
    expect(JSON.parse(outcome?.data ?? '')).toMatchObject({ changedCount: 1 });
    expect(system.calls).toHaveLength(1);
    expect(system.arrivals).toHaveLength(2);
  });

  it('runs a mutation without a key that was not sent if its object is as it was', async () => {
    const id = await propose(pause, { taskId: 'task_1', reason: `wait ${++count}` });
    await approvedByLostGateway(id);
    system.advance(leaseMs + 1);
    expect(await ended(id)).toMatchObject({ status: 'DONE' });
    expect(system.calls).toHaveLength(1);
  });

  it('does not repeat a mutation without a key whose object has changed: its outcome is unknown', async () => {
    const id = await propose(pause, { taskId: 'task_1', reason: `wait ${++count}` });
    await run(await approvedByLostGateway(id));
    system.advance(leaseMs + 1);
    expect(await ended(id)).toMatchObject({ status: 'FAILED', outcome: { isUnknown: true } });
    expect(system.calls).toHaveLength(1);
  });

  it('does not repeat a mutation without a key whose object somebody has set back', async () => {
    const id = await propose(pause, { taskId: 'task_1', reason: `wait ${++count}` });
    await run(await approvedByLostGateway(id));
    system.task.state = 'RUNNING';
    system.advance(leaseMs + 1);
    expect(await ended(id)).toMatchObject({ status: 'FAILED', outcome: { isUnknown: true } });
    expect(system.arrivals).toEqual(['pauseTask']);
    expect(system.task.state).toBe('RUNNING');
  });

  it('sends nothing if a job has another attempt when its approval is taken over', async () => {
    const id = await cancelling();
    await approvedByLostGateway(id);
    for (const job of system.jobs.values()) job.attempt++;
    system.advance(leaseMs + 1);
    expect(await ended(id)).toMatchObject({
      status: 'FAILED',
      outcome: { isUnknown: false, errors: [{ code: 'PROPOSAL_STALE' }] },
    });
    expect(system.arrivals).toEqual([]);
  });

  it('sends nothing a day after the approval', async () => {
    const id = await cancelling();
    await approvedByLostGateway(id);
    system.advance(86_400_001);
    expect(await ended(id)).toMatchObject({ status: 'FAILED', outcome: { isUnknown: false } });
    expect(system.arrivals).toEqual([]);
  });

  it('sends nothing without its lease', async () => {
    const id = await cancelling();
    const approved = await approvedByLostGateway(id);
    system.advance(leaseMs + 1);
    expect(await system.agents.proposals.send(approved)).toBe(false);
    await ended(id);
  });

  it('is tried again while core does not answer', async () => {
    const id = await cancelling();
    await approvedByLostGateway(id);
    system.refusal = 'SERVICE_UNAVAILABLE';
    system.advance(leaseMs + 1);
    await waitFor('a refused try', () => Promise.resolve(system.arrivals.length > 0), { deadlineMs: 60_000 });
    system.refusal = null;
    const again = async () => {
      system.advance(leaseMs);
      return (await system.agents.proposals.find(id, person))?.outcome ?? null;
    };
    await waitFor('the outcome', again, { deadlineMs: 60_000 });
    expect((await ended(id)).status).toBe('DONE');
    expect(system.calls).toHaveLength(1);
  });

  it('stores nothing for a run that has lost its lease', async () => {
    const id = await cancelling();
    const first = await approvedByLostGateway(id);
    system.advance(leaseMs + 1);
    const { revision } = await ended(id);
    const outcome = { data: null, errors: [], isUnknown: true };
    expect(await system.agents.proposals.finish(first, 'FAILED', outcome)).toBeNull();
    expect(await system.agents.proposals.renew(first)).toBe(false);
    expect((await ended(id)).revision).toBe(revision);
  });
});
