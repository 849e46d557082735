import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type McpSystem, startMcpSystem, textsOf } from '../testing/mcp-system.js';

const operations = {
  alpha: '"Lists items." query Items { items { id } } "Waits." query Slow { slow }',
};
const experiments = { alpha: null, beta: 'beta' };
const limit = { deadlineMs: 60_000 };

const version = '2026-07-28';
const meta = {
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'tests', version: '1' },
};

/** Sends a request of the modern protocol. */
function modern(system: McpSystem, method: string, params: object, token?: string): Promise<Response> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { _meta: meta, ...params } });
  return system.send(body, {
    'mcp-protocol-version': version,
    'mcp-method': method,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  });
}

const listen = (system: McpSystem, token?: string): Promise<Response> =>
  modern(
    system,
    'subscriptions/listen',
    { notifications: { toolsListChanged: true, resourceSubscriptions: ['rhizome://job/job_1'] } },
    token,
  );

/** Reads a stream until a text has come. */
async function textUntil(response: Response, wanted: string): Promise<string> {
  const reader = response.body?.getReader();
  let text = '';
  const decoder = new TextDecoder();
  while (reader && !text.includes(wanted)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  reader?.releaseLock();
  return text;
}

describe('limits of a caller', () => {
  it('refuses messages beyond the rate, and says when to retry', async () => {
    const system = await startMcpSystem(operations, {
      experiments,
      rates: { agent: { operations: { perSecond: 0.001, burst: 2 } } },
    });
    const grants = [{ experiment: '*', roles: ['READER' as const] }];
    const agent = await system.token({
      ...{ subject: 'agt_1', kind: 'AGENT', actsFor: 'ada@example', grants, boundedBy: grants },
    });
    const statuses: number[] = [];
    let last: Response | undefined;
    for (let turn = 0; turn < 3; turn++)
      statuses.push((last = await modern(system, 'tools/list', {}, agent)).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(900);
    expect((await modern(system, 'tools/list', {})).status).toBe(200);
  });

  it('bounds the depth, the size and the cost of queries', async () => {
    const system = await startMcpSystem(operations, { experiments });
    const client = await system.client('modern');
    const run = async (query: string, variables?: object) => {
      const result = await client.callTool({ name: 'run_query', arguments: { query, variables } });
      return [result.isError, textsOf(result)[0]];
    };
    const levels = 'ofType { '.repeat(7);
    const deep = `{ __type(name: "Item") { fields { type { ${levels} name ${'} '.repeat(7)} } } } }`;
    expect(await run(deep)).toEqual([
      true,
      expect.stringContaining('11 levels are too many; must be at most 10'),
    ]);
    expect(await run(`{ items { id } } # ${'x'.repeat(8000)}`)).toEqual([
      true,
      expect.stringContaining('8000 characters'),
    ]);
    const wide = `{ ${Array.from({ length: 49 }, (_, at) => `a${at}: items { id name label }`).join(' ')} }`;
    expect((await run(wide))[0]).toBeUndefined();
    expect(await run('subscription { level { value } }')).toEqual([
      true,
      expect.stringContaining('must be a query'),
    ]);
  });

  it('ends the calls of a client that disconnects', async () => {
    const system = await startMcpSystem(operations, { experiments });
    const gone = new AbortController();
    const token = await system.token();
    const call = fetch(system.endpoint, {
      method: 'POST',
      signal: gone.signal,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${token}`,
        'mcp-protocol-version': version,
        'mcp-method': 'tools/call',
        'mcp-name': 'slow',
      },
      body: JSON.stringify({
        ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
        params: { _meta: meta, name: 'slow', arguments: {} },
      }),
    });
    await waitFor('the call', () => system.slow.waiting === 1, limit);
    gone.abort();
    await expect(call).rejects.toThrow();
    await waitFor('its end', () => system.slow.aborted === 1, limit);
  });
});

describe('streams of notifications', () => {
  it('says that the tools have changed, and acknowledges no resource', async () => {
    const system = await startMcpSystem(operations, { experiments });
    const stream = await listen(system);
    const opened = await textUntil(stream, 'acknowledged');
    expect(opened).toContain('"toolsListChanged":true');
    expect(opened).not.toContain('rhizome://');
    await system.gateway.swap(system.supergraph('extra: String'));
    expect(await textUntil(stream, 'list_changed')).toContain('notifications/tools/list_changed');
    await stream.body?.cancel();
  });

  it('admits four of a caller, and others when these have ended', async () => {
    const system = await startMcpSystem(operations, { experiments });
    const streams: Response[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const stream = await listen(system);
      await textUntil(stream, 'acknowledged');
      streams.push(stream);
    }
    expect((await listen(system)).status).toBe(429);
    await streams[0]?.body?.cancel();
    const again = await waitFor(
      'a place',
      async () => {
        const stream = await listen(system);
        return stream.status === 200 ? stream : undefined;
      },
      limit,
    );
    for (const stream of [...streams.slice(1), again]) await stream.body?.cancel();
  });

  it('ends with the token of the caller', async () => {
    const system = await startMcpSystem(operations, { experiments });
    const stream = await listen(system, await system.token({ ttlSeconds: 2 }));
    await textUntil(stream, 'acknowledged');
    await expect(textUntil(stream, 'nothing that comes')).rejects.toThrow();
  });
});
