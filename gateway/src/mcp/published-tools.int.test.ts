import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { coreSdl, live, liveSystem, publish, rollback, sdlOf } from '../testing/live-registry.js';
import { openTestAudit } from '../testing/audit-system.js';
import { connectClient, mcpUrl, startMcpSystem, textsOf } from '../testing/mcp-system.js';
import { startProposalSystem } from '../testing/proposal-system.js';
import { endpointOf, type RegistrySystem } from '../testing/registry-system.js';

let system: RegistrySystem;
let before: number;
beforeAll(async () => {
  system = await liveSystem(['heron'], { mcpUrl });
  before = await live(system);
});

const nests = '"Lists nests." query Nests { jobs { id heron { nest } } }';
const sizes = '"Lists sizes." query HeronSizes { jobs { size } }';

async function published(input: object, text = publish, field = 'publishSchema') {
  const { data, messages } = await system.ask(text, { input });
  expect(messages).toEqual([]);
  return data[field];
}

/** Names of the tools of experiments, at any gateway. */
async function toolsAt(url: string): Promise<readonly string[]> {
  const token = await system.tokens.mint({
    ...{ subject: 'ada@example', kind: 'HUMAN', audience: mcpUrl },
    grants: [{ experiment: '*', roles: ['READER'] }],
  });
  const client = await connectClient(new URL('/mcp', url).href, 'modern', token);
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name }) => name).filter((name) => name.startsWith('heron_'));
}

describe('operations that are published with a schema', () => {
  it('reports operations that do not fit, and publishes nothing', async () => {
    const agentOperations = [nests, '"Lists eggs." query Eggs { jobs { heron { eggs } } }'];
    const { version, check } = await published({ subgraph: 'heron', agentOperations });
    expect(version).toBeNull();
    expect(check.findings).toMatchObject([
      { rule: 'AGENT_OPERATION', coordinate: 'heron.Eggs', message: expect.stringContaining('"eggs"') },
    ]);
    expect(await live(system)).toBe(before);
  });

  it('gives tools at every gateway, also with an unchanged schema', async () => {
    const { version } = await published({ subgraph: 'heron', agentOperations: [nests, sizes] });
    expect(version.number).toBe(before + 1);
    expect(await toolsAt(system.url)).toEqual(['heron_nests', 'heron_sizes']);
    const other = await system.gateway();
    expect(await toolsAt(other.url)).toEqual(['heron_nests', 'heron_sizes']);
    const again = await published({ subgraph: 'heron', agentOperations: [sizes, nests] });
    expect([again.version.number, again.check]).toEqual([before + 1, null]);
  });

  it('keeps them with a schema that is published without any', async () => {
    system.serve(endpointOf('heron'), sdlOf('heron', '"Eggs." eggs: Int'));
    expect((await published({ subgraph: 'heron' })).version.number).toBe(before + 2);
    expect(await toolsAt(system.url)).toEqual(['heron_nests', 'heron_sizes']);
  });

  it('refuses a change of another subgraph that breaks them, unless that is accepted', async () => {
    const sdl = coreSdl.replace('"Its size." size: Int', '');
    system.serve(endpointOf('core'), sdl);
    const refused = await published({ subgraph: 'core' });
    expect(refused.check.findings).toContainEqual(
      expect.objectContaining({ rule: 'AGENT_OPERATION', coordinate: 'heron.HeronSizes' }),
    );
    const accepted = await published({ subgraph: 'core', isBreakingAccepted: true });
    expect(accepted.version.number).toBe(before + 3);
    expect(await toolsAt(system.url)).toEqual(['heron_nests']);
    system.serve(endpointOf('core'), coreSdl);
    await published({ subgraph: 'core' });
  });

  it('removes them on request, and restores them by a rollback', async () => {
    await published({ subgraph: 'heron', agentOperations: [] });
    expect(await toolsAt(system.url)).toEqual([]);
    const restored = await published({ subgraph: 'heron' }, rollback, 'rollbackSchema');
    expect(restored.userErrors).toEqual([]);
    expect(await toolsAt(system.url)).toEqual(['heron_nests', 'heron_sizes']);
  });
});

describe('mutations that are published', () => {
  it('becomes proposals, which a person approves and which run once', async () => {
    const proposing = await startProposalSystem({ mcpUrl });
    proposing.jobs.set('job_1', {
      ...{ id: 'job_1', experiment: 'heron', state: 'RUNNING', attempt: 1 },
      owner: 'ada@example',
    });
    const cancel =
      '"Cancels jobs." mutation CancelJobs("Ids of jobs." $ids: [ID!]!) { cancelJobs(input: { selection: { ids: $ids } }) { changedCount userErrors { code } } }';
    const input = { subgraph: 'core', agentOperations: [cancel] };
    const { data, messages } = await proposing.ask(publish, { input });
    expect([messages, data.publishSchema.userErrors]).toEqual([[], []]);
    const grants = [{ experiment: 'heron', roles: ['USER' as const] }];
    const token = await proposing.tokens.mint({
      ...{ subject: 'agt_1', kind: 'AGENT', actsFor: 'ada@example', audience: mcpUrl },
      ...{ grants, boundedBy: grants },
    });
    const client = await connectClient(new URL('/mcp', proposing.url).href, 'legacy', token);
    const { tools } = await client.listTools();
    expect(tools.find(({ name }) => name === 'propose_cancel_jobs')).toMatchObject({
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
      inputSchema: { required: ['ids', 'reason'] },
    });
    const call = (given: object) =>
      client.callTool({ name: 'propose_cancel_jobs', arguments: { ids: ['job_1'], ...given } });
    expect(textsOf(await call({}))).toEqual(['reason: it is missing; must say why the change helps']);
    const [text = ''] = textsOf(await call({ reason: 'It hangs.' }));
    const [ref = ''] = /pr-[0-9a-z]+/.exec(text) ?? [];
    expect(text).toContain('PROPOSED');
    expect(textsOf(await call({ reason: 'It hangs.' }))[0]).toContain(ref);
    expect(proposing.calls).toEqual([]);

    const ada = await proposing.tokens.human('ada@example', { heron: 'USER' });
    const approve =
      'mutation ($input: ApproveProposalInput!) { approveProposal(input: $input) { userErrors { code } } }';
    const first = await proposing.ask(approve, { input: { id: ref } }, ada);
    expect([first.messages, first.data]).toEqual([[], { approveProposal: { userErrors: [] } }]);
    const listed = async (): Promise<string> => {
      const result = await client.callTool({ name: 'list_proposals', arguments: { status: 'DONE' } });
      return textsOf(result)[0] ?? '';
    };
    await waitFor('the change', async () => (await listed()).includes(ref), { deadlineMs: 30_000 });
    await proposing.ask(approve, { input: { id: ref } }, ada);
    expect(proposing.calls).toMatchObject([
      { mutation: 'cancelJobs', subject: 'ada@example', input: { selection: { ids: ['job_1'] } } },
    ]);
  });
});

describe('calls of tools', () => {
  it('is in the audit log with the agent, its person and the tool', async () => {
    const audit = await openTestAudit();
    const operations = { alpha: '"Lists items." query Items { items { id } }' };
    const audited = await startMcpSystem(operations, { audit, experiments: { alpha: null } });
    const grants = [{ experiment: '*', roles: ['READER' as const] }];
    const token = await audited.token({
      ...{ subject: 'agt_1', kind: 'AGENT', actsFor: 'ada@example', grants, boundedBy: grants },
    });
    const client = await audited.client('modern', token);
    await client.callTool({ name: 'items', arguments: {} });
    const entry = await waitFor(
      'the entry',
      async () => {
        const { nodes } = await audit.repository.page({}, '*', { first: 100, after: null });
        return nodes.find(({ kind, outcome }) => kind === 'AGENT_CALL' && outcome);
      },
      { deadlineMs: 60_000 },
    );
    expect(entry).toMatchObject({
      action: 'Query.items',
      actor: { kind: 'AGENT', subject: 'agt_1', human: 'ada@example' },
      client: { name: 'mcp/items' },
      outcome: { result: 'SUCCEEDED' },
    });
    const metrics = await audited.gateway.metrics.registry.metrics();
    expect(metrics).toContain('rhizome_gateway_tool_seconds_count{tool="items",outcome="ok"} 1');
  });
});
