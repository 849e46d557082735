import { describe, expect, it } from '@jest/globals';
import { bring, coreSdl } from '../testing/live-registry.js';
import { startRegistrySystem } from '../testing/registry-system.js';

describe('a gateway on an empty registry', () => {
  it('is not ready, and returns an error for operations that need a subgraph', async () => {
    const system = await startRegistrySystem();
    const gateway = await system.gateway();
    const ready = () => fetch(`${gateway.origin}/readyz`);
    expect((await ready()).status).toBe(503);
    expect(await (await ready()).json()).toEqual({
      ready: false,
      checks: { graph: 'no subgraph is published in the schema registry' },
    });
    const answer = await system.ask('query ($filter: QueueFilter) { queues(filter: $filter) { name } }');
    expect(answer).toMatchObject({
      codes: ['SERVICE_UNAVAILABLE'],
      messages: ['No subgraph is published in the schema registry yet; publish the schema of core first'],
    });
    expect((await system.ask('{ subgraphs { name } }')).codes).toEqual([]);
    await bring(system, 'core', coreSdl, null);
    const after = await system.gateway();
    expect((await fetch(`${after.origin}/readyz`)).status).toBe(200);
    expect((await system.ask('{ nothing }')).codes).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  });
});
