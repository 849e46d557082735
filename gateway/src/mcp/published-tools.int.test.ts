import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { coreSdl, live, liveSystem, publish, rollback, sdlOf } from '../testing/live-registry.js';
import { openTestAudit } from '../testing/audit-system.js';
import { connectClient, mcpUrl, startMcpSystem, textsOf } from '../testing/mcp-system.js';
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
  it('becomes proposals, with the operation and the reason', async () => {
    const proposing = `${coreSdl}
      "A proposal." type Proposal { "R." ref: String "S." status: String "K." stakes: String "E." expiresAt: String "P." preview: Preview }
      "Effects." type Preview { "T." targetCount: Int "R." refusedCount: Int "C." coreHours: Int "G." gpuHours: Int "D." isDryRun: String }
      "An error." type ProposalFault { "C." code: String "M." message: String "P." path: String }
      "A change." input CreateProposalInput { "O." operation: String! "V." variables: JSON "R." reason: String! }
      "Result." type CreateProposalPayload { "N." isNew: String "P." proposal: Proposal "E." userErrors: [ProposalFault] }
      type Mutation {
        "Proposes." createProposal("I." input: CreateProposalInput!): CreateProposalPayload
        "Cancels." cancel("Id." id: ID!): Job
      }`;
    system.serve(endpointOf('core'), proposing);
    const cancel =
      '"Cancels a job." mutation CancelJob("Id of the job." $id: ID!) { cancel(id: $id) { id } }';
    const { version, userErrors } = await published({ subgraph: 'core', agentOperations: [cancel] });
    expect([version === null, userErrors]).toEqual([false, []]);
    const admin = [{ experiment: '*', roles: ['ADMIN' as const] }];
    const token = await system.tokens.mint({
      ...{ subject: 'agt_1', kind: 'AGENT', actsFor: 'ada@example', audience: mcpUrl },
      ...{ grants: admin, boundedBy: admin },
    });
    const client = await connectClient(new URL('/mcp', system.url).href, 'legacy', token);
    const { tools } = await client.listTools();
    expect(tools.find(({ name }) => name === 'propose_cancel_job')).toMatchObject({
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
      inputSchema: { required: ['id', 'reason'] },
    });
    const call = (given: object) =>
      client.callTool({ name: 'propose_cancel_job', arguments: { id: 'job_1', ...given } });
    expect(textsOf(await call({}))).toEqual(['reason: it is missing; must say why the change helps']);
    const [text] = textsOf(await call({ reason: 'It hangs.' }));
    expect(text).toContain('createProposal');
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
