import { beforeAll, describe, expect, it } from '@jest/globals';
import { coreSdl, live, liveSystem, publish, rollback, sdlOf } from '../testing/live-registry.js';
import { connectClient, mcpUrl } from '../testing/mcp-system.js';
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
