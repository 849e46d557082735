import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type TestSystem, startTestSystem } from '../testing/test-system.js';
import { RawSocket } from '../testing/raw-socket.js';

const changes = 'subscription { itemChanged { cursor item { id } } }';
const opened: RawSocket[] = [];
let system: TestSystem;
let headers: Record<string, string>;

async function open(options?: Parameters<typeof RawSocket.open>[1]): Promise<RawSocket> {
  const socket = await RawSocket.open(system.served.wsUrl, options);
  opened.push(socket);
  return socket;
}

async function ready(): Promise<RawSocket> {
  const socket = await RawSocket.ready(system.served.wsUrl, headers);
  opened.push(socket);
  return socket;
}

const noStreamLeft = () => system.log.open === 0;

beforeAll(async () => {
  system = await startTestSystem({ limits: { initWaitMs: 500 } });
  headers = await system.bearer();
});

afterEach(async () => {
  for (const socket of opened.splice(0)) socket.drop();
  await waitFor('the end of all upstream streams', noStreamLeft, { deadlineMs: 1000 });
});

afterAll(() => system.served.close());

describe('graphql-transport-ws on a raw socket', () => {
  it('closes a socket without the sub-protocol with 4406', async () => {
    const socket = await open({ protocol: null });
    expect((await socket.closed).code).toBe(4406);
  });

  it('closes a socket without a timely connection_init with 4408', async () => {
    const socket = await open();
    expect((await socket.closed).code).toBe(4408);
  });

  it('closes the socket with 4429 after a second connection_init', async () => {
    const socket = await ready();
    socket.send({ type: 'connection_init', payload: headers });
    expect((await socket.closed).code).toBe(4429);
  });

  it('closes the socket with 4401 after an operation before connection_init', async () => {
    const socket = await open();
    socket.subscribe('1', changes);
    expect((await socket.closed).code).toBe(4401);
  });

  it.each([
    ['no token', async () => ({}), 'UNAUTHENTICATED'],
    ['no JWT', async () => ({ authorization: 'Bearer nonsense' }), 'UNAUTHENTICATED'],
    ['an expired token', async () => system.bearer(await system.tokens.expired()), 'TOKEN_EXPIRED'],
    [
      'a token with a foreign signature',
      async () => system.bearer(await system.tokens.foreign()),
      'UNAUTHENTICATED',
    ],
  ])(
    'closes the socket with 4403 and a code after a connection_init with %s',
    async (_what, payload, reason) => {
      const socket = await open();
      socket.send({ type: 'connection_init', payload: await payload() });
      expect(await socket.closed).toEqual({ code: 4403, reason });
    },
  );

  it('closes the socket with 4409 if two running operations have one id', async () => {
    const socket = await ready();
    socket.subscribe('1', changes);
    socket.subscribe('1', changes);
    expect((await socket.closed).code).toBe(4409);
  });

  it.each(['{"type":', '"text"', '{"type":"unknown"}', '{"type":"subscribe","id":"1"}'])(
    'closes the socket with 4400 after the message %s',
    async (message) => {
      const socket = await ready();
      socket.send(message);
      expect((await socket.closed).code).toBe(4400);
    },
  );

  it('answers an invalid query with error and nothing more', async () => {
    const socket = await ready();
    socket.subscribe('1', '{ nonsense }');
    const { type, payload } = await socket.next();
    expect(type).toBe('error');
    expect(payload).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'GRAPHQL_VALIDATION_FAILED' }) }),
    ]);
    socket.send({ type: 'ping' });
    expect((await socket.next()).type).toBe('pong');
  });

  it('answers a query and a mutation with next and complete', async () => {
    const socket = await ready();
    socket.subscribe('q', '{ item(id: "a") { name label } }');
    expect(await socket.next()).toEqual({
      id: 'q',
      type: 'next',
      payload: { data: { item: { name: 'item a', label: 'label of a' } } },
    });
    expect(await socket.next()).toEqual({ id: 'q', type: 'complete' });
    socket.subscribe('m', 'mutation { touchItem(id: "b") { id } }');
    expect(await socket.next()).toEqual({
      id: 'm',
      type: 'next',
      payload: { data: { touchItem: { id: 'b' } } },
    });
    expect(await socket.next()).toEqual({ id: 'm', type: 'complete' });
  });

  it('ends the upstream immediately after complete from the client, and sends no more', async () => {
    const socket = await ready();
    socket.subscribe('1', changes);
    await socket.next('next');
    socket.send({ id: '1', type: 'complete' });
    await waitFor('the end of the upstream', noStreamLeft, { deadlineMs: 500 });
    system.log.append('a');
    socket.send({ type: 'ping' });
    expect((await socket.next()).type).toBe('pong');
  });

  it('leaves nothing behind when a connection drops during an operation', async () => {
    const before = system.gateway.metrics;
    for (let round = 0; round < 20; round++) {
      const socket = await ready();
      socket.subscribe('1', changes);
      socket.subscribe('2', '{ slow }');
      socket.drop();
    }
    await waitFor('the end of all upstreams', noStreamLeft, { deadlineMs: 1000 });
    await waitFor(
      'the end of all streams',
      async () =>
        (await before.registry.getSingleMetricAsString('rhizome_gateway_streams')).includes('streams 0'),
      { deadlineMs: 1000 },
    );
    await waitFor('the end of what was pending', () => system.slow.aborted === system.slow.waiting, {
      deadlineMs: 1000,
    });
  });

  it('answers ping with pong and its payload', async () => {
    const socket = await ready();
    socket.send({ type: 'ping', payload: { at: 1 } });
    expect(await socket.next()).toEqual({ type: 'pong', payload: { at: 1 } });
  });

  it('keeps 49 of 50 operations on one socket running when one ends', async () => {
    const socket = await ready();
    for (let id = 0; id < 50; id++) socket.subscribe(`s${id}`, changes);
    for (let id = 0; id < 50; id++) await socket.next('next', `s${id}`);
    socket.send({ id: 's7', type: 'complete' });
    socket.send({ type: 'ping' });
    await socket.next('pong');
    system.log.append('z');
    for (let id = 0; id < 50; id++) {
      if (id === 7) continue;
      const { payload } = await socket.next('next', `s${id}`);
      expect(payload).toMatchObject({ data: { itemChanged: { item: { id: 'z' } } } });
    }
    expect(socket.messages).toEqual([]);
  });

  it('closes the upstream of an idle stream when its client leaves, without an event', async () => {
    const socket = await ready();
    socket.subscribe('1', changes);
    await socket.next('next');
    expect(system.log.open).toBe(1);
    socket.drop();
    await waitFor('the end of the upstream', noStreamLeft, { deadlineMs: 500 });
  });
});

describe('a WebSocket of the gateway', () => {
  it('takes the token from the headers of the upgrade if connection_init has none', async () => {
    const socket = await open({ headers });
    socket.send({ type: 'connection_init' });
    expect((await socket.next()).type).toBe('connection_ack');
  });

  it('refuses paths other than /graphql', async () => {
    await expect(RawSocket.open(system.served.wsUrl.replace('/graphql', '/other'))).rejects.toThrow('404');
  });

  it('sends texts unchanged, including placeholders of the protocol', async () => {
    const socket = await ready();
    const id = '\u0000"}\\';
    socket.subscribe('\u0000', 'query ($id: ID!) { item(id: $id) { id name } }', { id });
    expect((await socket.next()).payload).toEqual({ data: { item: { id, name: `item ${id}` } } });
  });

  it('aborts a query that its client cancels', async () => {
    const { aborted } = system.slow;
    const socket = await ready();
    socket.subscribe('1', '{ slow }');
    await waitFor('the call', () => system.slow.waiting > aborted, { deadlineMs: 1000 });
    socket.send({ id: '1', type: 'complete' });
    await waitFor('the abort', () => system.slow.aborted > aborted, { deadlineMs: 1000 });
    socket.subscribe('1', '{ item(id: "a") { id } }');
    expect(await socket.next()).toMatchObject({ id: '1', payload: { data: { item: { id: 'a' } } } });
  });

  it('masks internals and keeps the request id of the client', async () => {
    const socket = await ready();
    socket.send({
      id: '1',
      type: 'subscribe',
      payload: { query: '{ fails }', extensions: { requestId: 'mine' } },
    });
    const { payload } = await socket.next('next');
    expect(JSON.stringify(payload)).not.toContain('hunter2');
    expect(payload).toMatchObject({ data: { fails: null }, errors: [{ extensions: { requestId: 'mine' } }] });
  });
});
