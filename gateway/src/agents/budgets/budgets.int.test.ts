import { beforeEach, describe, expect, it } from '@jest/globals';
import { openAgents } from '@rhizome/agents';
import { createPrincipal, never, type Role } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { leftovers, testDatabase, testMongo, waitFor } from '@rhizome/testkit';
import { connectClient, mcpUrl, textsOf } from '../../testing/mcp-system.js';
import { type ProposalSystem, startProposalSystem } from '../../testing/proposal-system.js';

const setBudget = `mutation ($input: SetAgentBudgetInput!) {
  setAgentBudget(input: $input) {
    budget { id authority unit window limit softLimit spent isSoftLimitReached resetsAt person { subject } }
    userErrors { code path message }
  }
}`;
const stop = `mutation ($input: StopAgentsInput!) {
  stopAgents(input: $input) { stop { id authority reason setBy { subject } } userErrors { code path } }
}`;
const resume = `mutation ($input: ResumeAgentsInput!) {
  resumeAgents(input: $input) { stop { id } userErrors { code } }
}`;
const jobs = '{ jobs { nodes { id } } }';
const limits = '{ myAgentLimits { stops { id } budgets { unit limit spent isSoftLimitReached } } }';
const create = `mutation ($input: CreateProposalInput!) {
  createProposal(input: $input) { isNew proposal { id } userErrors { code message } }
}`;

let system: ProposalSystem;
let subject: string;
let person: string;
let agent: string;
let nextPerson = 1;

beforeEach(async () => {
  system ??= await startProposalSystem({ mcpUrl });
  system.jobs.clear();
  subject = `ada-${nextPerson++}@example`;
  person = await system.tokens.human(subject, { heron: 'USER' });
  agent = await system.tokens.agent(subject, { heron: 'USER' });
});

/** A budget of the agents of the person. */
const own = (further: object): object => ({ person: subject, unit: 'CALLS', window: 'DAY', ...further });

/** A payload of a mutation. */
type Result = Awaited<ReturnType<ProposalSystem['ask']>>['data'];

async function changed(text: string, input: object, token = person) {
  const { data, messages } = await system.ask(text, { input }, token);
  expect(messages).toEqual([]);
  return Object.values(data)[0] as Result;
}

describe('the budgets of agents', () => {
  it('never spends more than the limit for 64 callers of two processes', async () => {
    const { databaseName: database } = await testDatabase('agents');
    const { uri: mongoUri } = await testMongo();
    const open = () => openAgents({ mongoUri, database }, { log: silentLogger(), clock: system.clock });
    const processes = [await open(), await open()];
    leftovers.defer('the agents', () => Promise.all(processes.map((one) => one.close())));
    const grants = [{ experiment: 'heron', roles: ['USER'] as Role[] }];
    const caller = createPrincipal({
      ...{ kind: 'AGENT', subject: 'agt_1', actsFor: 'ada@example', grants, boundedBy: grants },
      expiresAt: never,
    });
    const [first] = processes;
    const scope = { agent: null, person: 'ada@example', experiment: null };
    const common = { unit: 'CALLS', window: 'MONTH', softLimit: null } as const;
    await first?.budgets.set({ ...scope, ...common, limit: 100 }, 'PERSON', 'ada@example');
    const wide = { agent: null, person: null, experiment: 'heron' };
    await first?.budgets.set({ ...wide, ...common, limit: 70 }, 'EXPERIMENT', 'eve@example');
    const refusals = await Promise.all(
      Array.from({ length: 64 }, async (_each, at) => {
        const budgets = processes[at % 2]?.budgets;
        return [await budgets?.spend(caller, 'CALLS', 1), await budgets?.spend(caller, 'CALLS', 1)];
      }),
    );
    expect(refusals.flat().filter((one) => one === undefined)).toHaveLength(70);
    const { budgets } = (await first?.budgets.limitsOf(caller)) ?? { budgets: [] };
    expect(budgets.map(({ spent }) => spent)).toEqual([70, 70]);
  });

  it('spends of each budget, however many concern an agent, and limits those that its person sets', async () => {
    const { budgets } = system.agents;
    const grants = [{ experiment: '*', roles: ['USER'] as Role[] }];
    const caller = createPrincipal({
      ...{ kind: 'AGENT', subject: 'agt_many', actsFor: subject, grants, boundedBy: grants },
      expiresAt: never,
    });
    const common = { agent: null, unit: 'CALLS', window: 'DAY', limit: 9, softLimit: null } as const;
    await Promise.all(
      Array.from({ length: 205 }, (_each, at) =>
        budgets.set({ ...common, person: subject, experiment: `e${at}` }, 'PERSON', subject),
      ),
    );
    expect(await budgets.spend(caller, 'CALLS', 1)).toBeUndefined();
    const { budgets: found } = await budgets.limitsOf(caller);
    expect(found.filter(({ spent }) => spent === 1)).toHaveLength(205);
    const { userErrors } = await changed(setBudget, own({ limit: 2 }));
    expect(userErrors).toMatchObject([{ path: ['person'], message: expect.stringContaining('100 budgets') }]);
    expect((await changed(setBudget, own({ experiment: 'e1', limit: null }))).userErrors).toEqual([]);
  });

  it('refuses calls at /graphql beyond the limit until the window ends', async () => {
    const { budget } = await changed(setBudget, own({ limit: 2, softLimit: 1 }));
    expect(budget).toMatchObject({ authority: 'PERSON', limit: 2, spent: 0, person: { subject } });
    expect((await system.ask(jobs, {}, agent)).messages).toEqual([]);
    expect((await system.ask(jobs, {}, agent)).messages).toEqual([]);
    const refused = await system.ask(jobs, {}, agent);
    expect(refused.messages).toEqual([
      `CALLS: 2 of 2 are spent in this day; must wait until ${String(budget.resetsAt)}`,
    ]);
    const { data } = await system.ask(limits, {}, person);
    expect(data.myAgentLimits.budgets).toEqual([
      { unit: 'CALLS', limit: 2, spent: 2, isSoftLimitReached: true },
    ]);
    expect((await system.ask(jobs, {}, person)).messages).toEqual([]);
    system.advance(86_400_000);
    expect((await system.ask(jobs, {}, agent)).messages).toEqual([]);
    expect((await changed(setBudget, own({ limit: null }))).budget).toMatchObject({ limit: 2 });
    const after = await system.ask(limits, {}, person);
    expect(after.data.myAgentLimits.budgets).toEqual([]);
  });

  it('withholds an answer that does not fit the tokens that are left', async () => {
    await changed(setBudget, own({ unit: 'ANSWER_TOKENS', limit: 5 }));
    const { data, messages } = await system.ask(jobs, {}, agent);
    expect([data, messages]).toEqual([
      undefined,
      [expect.stringMatching(/^ANSWER_TOKENS: 0 of 5 are spent in this day, and this answer needs \d+/)],
    ]);
  });

  it('refuses proposals of agents beyond the limit, and none of people', async () => {
    await changed(setBudget, own({ unit: 'PROPOSALS', window: 'HOUR', limit: 1 }));
    system.jobs.set('job_1', {
      ...{ id: 'job_1', experiment: 'heron', state: 'RUNNING' },
      attempt: 1,
      owner: subject,
    });
    const input = {
      operation: 'mutation C($input: CancelJobsInput!) { cancelJobs(input: $input) { changedCount } }',
      ...{ variables: { input: { selection: { ids: ['job_1'] } } }, reason: 'It fails' },
    };
    expect((await changed(create, input, agent)).isNew).toBe(true);
    const refused = await system.ask(create, { input }, agent);
    expect(refused.messages).toEqual([expect.stringMatching(/^PROPOSALS: 1 of 1 are spent in this hour/)]);
    expect((await changed(create, input)).isNew).toBe(false);
  });

  it('counts calls of tools at /mcp once, and shows them by my_limits', async () => {
    await changed(setBudget, own({ limit: 1 }));
    const grants = [{ experiment: 'heron', roles: ['USER' as const] }];
    const token = await system.tokens.mint({
      ...{ subject: 'agt_mcp', kind: 'AGENT', actsFor: subject, grants, boundedBy: grants, audience: mcpUrl },
    });
    const client = await connectClient(new URL('/mcp', system.url).href, 'modern', token);
    const search = { name: 'run_query', arguments: { query: jobs } };
    const [first, second] = [await client.callTool(search), await client.callTool(search)];
    expect([first.isError ?? false, second.isError]).toEqual([false, true]);
    expect(textsOf(second)[0]).toMatch(/^LIMIT_EXCEEDED: CALLS: 1 of 1 are spent in this day/);
    const shown = JSON.parse(textsOf(await client.callTool({ name: 'my_limits' }))[0] ?? '');
    expect(shown.budgets).toMatchObject([{ unit: 'CALLS', window: 'DAY', limit: 1, spent: 1 }]);
    await changed(stop, { person: subject, reason: 'It loops' });
    await expect(client.callTool({ name: 'my_limits' })).rejects.toThrow(/were stopped by/);
    await client.close();
  });

  it('accepts limits for others from administrators only, and keeps them in addition to those of the person', async () => {
    const eve = await system.tokens.human('eve@example', { heron: 'USER' });
    const refused = await system.ask(setBudget, { input: own({ limit: 2 }) }, eve);
    expect(refused.messages).toEqual([expect.stringContaining('may not limit or stop these agents')]);
    const ofAgent = await system.ask(setBudget, { input: own({ limit: 2 }) }, agent);
    expect(ofAgent.messages).toEqual([expect.stringContaining('only people decide')]);
    const admin = await system.tokens.human('adm@example', { heron: 'ADMIN' });
    const input = own({ experiment: 'heron', limit: 3 });
    expect((await changed(setBudget, input, admin)).budget.authority).toBe('EXPERIMENT');
    expect((await changed(setBudget, own({ experiment: 'heron', limit: 9 }))).budget.authority).toBe(
      'PERSON',
    );
    const { data } = await system.ask(limits, {}, agent);
    expect(data.myAgentLimits.budgets.map((one: { limit: number }) => one.limit).sort()).toEqual([3, 9]);
    const list = '{ agentBudgets { nodes { limit } totalCount } }';
    const found = async (token: string) => (await system.ask(list, {}, token)).data.agentBudgets.totalCount;
    expect([await found(admin), await found(person), await found(eve)]).toEqual([1 + 1, 2, 0]);
    const wrong = await changed(setBudget, own({ limit: 2, softLimit: 3 }));
    expect(wrong.userErrors).toMatchObject([{ code: 'INVALID_VALUE', path: ['softLimit'] }]);
  });
});

describe('a stop of agents', () => {
  it('refuses calls at once until the agents are resumed', async () => {
    const { stop: made } = await changed(stop, { person: subject, reason: 'It loops' });
    expect(made).toMatchObject({ authority: 'PERSON', reason: 'It loops', setBy: { subject } });
    const refused = await system.ask(jobs, {}, agent);
    expect(refused.messages).toEqual([expect.stringMatching(/^Agents were stopped by .*; ask a person/)]);
    expect((await system.ask(jobs, {}, person)).messages).toEqual([]);
    const other = await system.tokens.agent('eve@example', { heron: 'USER' });
    expect((await system.ask(jobs, {}, other)).messages).toEqual([]);
    expect((await changed(resume, { person: subject })).stop.id).toBe(made.id);
    expect((await system.ask(jobs, {}, agent)).messages).toEqual([]);
    expect((await changed(resume, { person: subject })).stop).toBeNull();
  });

  it('refuses the agents with rights in an experiment, by its administrators', async () => {
    const admin = await system.tokens.human('adm@example', { egret: 'ADMIN' });
    await changed(stop, { experiment: 'egret', reason: 'Night' }, admin);
    const inEgret = await system.tokens.agent(subject, { egret: 'USER' });
    expect((await system.ask(jobs, {}, inEgret)).messages).toEqual([expect.stringMatching(/in egret/)]);
    expect((await system.ask(jobs, {}, agent)).messages).toEqual([]);
    const list = '{ agentStops { experimentName reason } }';
    const stops = { agentStops: [{ experimentName: 'egret', reason: 'Night' }] };
    expect((await system.ask(list, {}, admin)).data).toEqual(stops);
    expect((await system.ask(list, {}, person)).data).toEqual({ agentStops: [] });
    const everybody = await system.ask(stop, { input: { reason: 'All' } }, admin);
    expect(everybody.messages).toEqual([expect.stringContaining('may not limit or stop')]);
    await changed(resume, { experiment: 'egret' }, admin);
  });

  it('ends open streams of the agents', async () => {
    const grants = [{ experiment: 'heron', roles: ['USER' as const] }];
    const token = await system.tokens.mint({
      ...{ subject: 'agt_listens', kind: 'AGENT', actsFor: subject, grants, boundedBy: grants },
      audience: mcpUrl,
    });
    const version = '2026-07-28';
    const meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': { name: 'tests', version: '1' },
    };
    const method = 'subscriptions/listen';
    const params = { _meta: meta, notifications: { toolsListChanged: true } };
    const response = await fetch(new URL('/mcp', system.url), {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        ...{ authorization: `Bearer ${token}`, 'mcp-protocol-version': version, 'mcp-method': method },
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
    expect(response.status).toBe(200);
    const ended = response.text().catch(() => 'cut off');
    await changed(stop, { agent: 'agt_listens', person: subject, reason: 'It loops' });
    await waitFor('the end of the stream', ended, { deadlineMs: 60_000 });
  });
});
