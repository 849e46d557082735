import { describe, expect, it } from '@jest/globals';
import type { ExecutionResult } from 'graphql-ws';
import {
  foreign,
  demo,
  issuer,
  plantStream,
  serveDemoSubgraphs,
  socketClient,
  tokenOf,
  until,
} from '../testing/served-demo-subgraph.fixture.js';

serveDemoSubgraphs();

describe('serve over WebSocket', () => {
  it('serves a stream with new loaders for each event', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER'));
    const stream = client.iterate(plantStream);
    const first = stream.next();
    await until(() => demo.streams.length === 1);
    demo.streams[0]?.feed.push({ cursor: 'c1', id: '1' });
    expect((await first).value).toEqual({
      data: { plantChanged: { cursor: 'c1', plant: { name: 'fern' } } },
    });
    demo.names.set('1', 'oak');
    demo.streams[0]?.feed.push({ cursor: 'c2', id: '1' });
    expect((await stream.next()).value).toEqual({
      data: { plantChanged: { cursor: 'c2', plant: { name: 'oak' } } },
    });
    expect(demo.batches).toEqual(['Plant:1', 'Plant:1']);
  });

  it('ends the source of a stream when its client completes it', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER'));
    const stream = client.iterate(plantStream);
    const first = stream.next();
    await until(() => demo.streams.length === 1);
    await stream.return?.();
    await first;
    await until(() => demo.streams[0]?.feed.ended === true);
    expect(demo.streams[0]?.signal?.aborted).toBe(true);
  });

  it('answers queries, too, several on one socket', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER'));
    const ask = async (query: string): Promise<ExecutionResult> =>
      (await client.iterate({ query }).next()).value as ExecutionResult;
    expect(await Promise.all([ask('{ me }'), ask('{ plant(id: "2") { name } }')])).toEqual([
      { data: { me: 'somebody in eden' } },
      { data: { plant: { name: 'moss' } } },
    ]);
  });

  it('runs an operation for the caller of its own token, and refuses one whose token is wrong', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER'));
    const ask = async (token: string): Promise<ExecutionResult> =>
      (await client.iterate({ query: '{ me }', extensions: { authorization: `Bearer ${token}` } }).next())
        .value as ExecutionResult;
    const other = await issuer.mint({
      ...{ subject: 'another', kind: 'HUMAN', ttlSeconds: 60 },
      grants: [{ experiment: 'alpha', roles: ['READER'] }],
    });
    expect(await ask(other)).toEqual({ data: { me: 'another in eden' } });
    await expect(ask(await tokenOf(foreign, 'ADMIN'))).rejects.toMatchObject([
      { extensions: { code: 'UNAUTHENTICATED' } },
    ]);
    await expect(ask(await tokenOf(issuer, 'ADMIN', -5))).rejects.toMatchObject([
      { extensions: { code: 'TOKEN_EXPIRED' } },
    ]);
    expect((await client.iterate({ query: '{ me }' }).next()).value).toEqual({
      data: { me: 'somebody in eden' },
    });
  });

  it.each<[string, () => Promise<string | undefined>, string]>([
    ['none', async () => undefined, 'UNAUTHENTICATED'],
    ['one by somebody else', () => tokenOf(foreign, 'ADMIN'), 'UNAUTHENTICATED'],
    ['an ended one', () => tokenOf(issuer, 'ADMIN', -5), 'TOKEN_EXPIRED'],
  ])('closes the socket with 4403 and the code for a token that is %s', async (_what, mint, reason) => {
    const client = socketClient(await mint());
    const refused = client.iterate(plantStream).next();
    await expect(refused).rejects.toMatchObject({ code: 4403, reason });
    expect(demo.ran).toEqual([]);
  });

  it('ends a stream with the code when its token expires', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER', 2));
    const stream = client.iterate(plantStream);
    const item = await stream.next();
    expect(item.value).toMatchObject({ errors: [{ extensions: { code: 'TOKEN_EXPIRED' } }] });
    expect((await stream.next()).done).toBe(true);
    expect(demo.streams[0]?.feed.ended).toBe(true);
  });

  it('reports an invalid operation by its code and keeps the socket open', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER'));
    const ask = (query: string) => client.iterate({ query }).next();
    expect((await ask('{ broken }')).value).toMatchObject({
      data: { broken: null },
      errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
    });
    expect((await ask('{ nothing }')).value).toMatchObject({
      errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    });
    await expect(ask('{')).rejects.toMatchObject([{ extensions: { code: 'GRAPHQL_PARSE_FAILED' } }]);
    expect((await ask('{ me }')).value).toEqual({ data: { me: 'somebody in eden' } });
  });

  it('refuses a stream by policy without opening it', async () => {
    const token = await issuer.mint({ subject: 'nobody', kind: 'HUMAN', grants: [], ttlSeconds: 60 });
    const item = await socketClient(token).iterate(plantStream).next();
    expect(item.value).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
    expect(demo.streams).toEqual([]);
  });
});
