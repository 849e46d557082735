import { describe, expect, test } from '@jest/globals';
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

describe('over WebSocket', () => {
  test('a stream is served, with loaders of its own for each event', async () => {
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

  test('a stream that its client leaves ends its source', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER'));
    const stream = client.iterate(plantStream);
    const first = stream.next();
    await until(() => demo.streams.length === 1);
    await stream.return?.();
    await first;
    await until(() => demo.streams[0]?.feed.ended === true);
    expect(demo.streams[0]?.signal?.aborted).toBe(true);
  });

  test('queries are answered too, several on one socket', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER'));
    const ask = async (query: string): Promise<ExecutionResult> =>
      (await client.iterate({ query }).next()).value as ExecutionResult;
    expect(await Promise.all([ask('{ me }'), ask('{ plant(id: "2") { name } }')])).toEqual([
      { data: { me: 'somebody in eden' } },
      { data: { plant: { name: 'moss' } } },
    ]);
  });

  test.each<[string, () => Promise<string | undefined>, string]>([
    ['none', async () => undefined, 'UNAUTHENTICATED'],
    ['one by somebody else', () => tokenOf(foreign, 'ADMIN'), 'UNAUTHENTICATED'],
    ['an ended one', () => tokenOf(issuer, 'ADMIN', -5), 'TOKEN_EXPIRED'],
  ])('a token that is %s closes the socket with 4403 and the code', async (_what, mint, reason) => {
    const client = socketClient(await mint());
    const refused = client.iterate(plantStream).next();
    await expect(refused).rejects.toMatchObject({ code: 4403, reason });
    expect(demo.ran).toEqual([]);
  });

  test('a token that ends while a stream is open ends the stream with its code', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER', 2));
    const stream = client.iterate(plantStream);
    const item = await stream.next();
    expect(item.value).toMatchObject({ errors: [{ extensions: { code: 'TOKEN_EXPIRED' } }] });
    expect((await stream.next()).done).toBe(true);
    expect(demo.streams[0]?.feed.ended).toBe(true);
  });

  test('what is wrong with an operation is said by its code, and the socket stays open', async () => {
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

  test('a policy refuses a stream without opening it', async () => {
    const token = await issuer.mint({ subject: 'nobody', kind: 'HUMAN', grants: [], ttlSeconds: 60 });
    const item = await socketClient(token).iterate(plantStream).next();
    expect(item.value).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
    expect(demo.streams).toEqual([]);
  });
});
