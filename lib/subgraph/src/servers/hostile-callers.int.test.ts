import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, jest } from '@jest/globals';
import { WebSocket } from 'ws';
import {
  issuer,
  post,
  serveDemoSubgraphs,
  served,
  socketClient,
  tokenOf,
} from '../testing/served-demo-subgraph.fixture.js';

// A subgraph that is asked directly has bounds of its own.

serveDemoSubgraphs();

const bracketsOf = (bytes: number): string => '['.repeat(bytes);

async function closeCode(message: string): Promise<number> {
  const socket = new WebSocket(served.wsUrl, 'graphql-transport-ws');
  socket.on('error', () => undefined);
  await once(socket, 'open');
  const closed = once(socket, 'close') as Promise<[number]>;
  socket.send(message, () => undefined);
  return (await closed)[0];
}

describe('a subgraph that is asked directly', () => {
  it('closes a socket that sends megabytes before its token, without parsing them', async () => {
    const parse = jest.spyOn(JSON, 'parse');
    const code = await closeCode(`{"type":"connection_init","payload":{"a":${bracketsOf(8_000_000)}`);
    expect(code).toBe(1009);
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });

  it('survives the reset of a connection whose upgrade it has refused', async () => {
    const socket = connect(served.port, '127.0.0.1');
    await once(socket, 'connect');
    const lines = ['GET /elsewhere HTTP/1.1', 'host: x', 'connection: upgrade', 'upgrade: websocket', '', ''];
    socket.write(lines.join('\r\n'));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toContain('503');
    const closed = once(socket, 'close');
    socket.resetAndDestroy();
    await closed;
    const { body } = await post('{ me }', await tokenOf(issuer, 'READER'));
    expect(body.errors).toBeUndefined();
  });

  it('closes a socket whose small connection_init nests deep', async () => {
    expect(await closeCode(`{"type":"connection_init","payload":{"a":${bracketsOf(10_000)}`)).toBe(4400);
  });

  it('refuses a body that nests deep, and one that is too large for a reader', async () => {
    const token = await tokenOf(issuer, 'READER');
    const deep = await post('', token, { body: `{"query":"{ me }","variables":{"a":${bracketsOf(500_000)}` });
    expect(deep.body.errors?.[0]?.extensions).toMatchObject({ code: 'OPERATION_TOO_COMPLEX', field: 'body' });
    const large = await post('', token, {
      body: JSON.stringify({ query: '{ me }', pad: 'x'.repeat(17 << 20) }),
    });
    expect(large.body.errors?.[0]?.extensions).toMatchObject({ code: 'REQUEST_TOO_LARGE' });
  });

  it.each([
    [
      'aliases',
      `{ ${Array.from({ length: 400 }, (_, at) => `p${at}: plants { ${'n: name '.repeat(6)} }`).join(' ')} }`,
    ],
    ['tokens', `{ plants { ${'name '.repeat(60_000)} } }`],
    ['root fields', `{ ${'me '.repeat(501)} }`],
  ])('limits %s over HTTP and over WebSocket', async (field, query) => {
    const token = await tokenOf(issuer, 'READER');
    const answer = await post(query, token);
    expect(answer.body.errors?.[0]?.extensions).toMatchObject({ code: 'OPERATION_TOO_COMPLEX', field });
    await expect(socketClient(token).iterate({ query }).next()).rejects.toMatchObject([
      { extensions: { code: 'OPERATION_TOO_COMPLEX', field } },
    ]);
  });
});
