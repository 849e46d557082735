import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventReader } from '../testing/event-reader.js';
import { type TestSystem, startTestSystem } from '../testing/test-system.js';
import { type HttpAnswer, post, send } from '../testing/post.js';
import { RawSocket } from '../testing/raw-socket.js';

// `extensions.plan`: how a request was executed, for callers with the permission.

const query = '{ items { id label } }';
let system: TestSystem;
let admin: Record<string, string>;
let reader: Record<string, string>;

beforeAll(async () => {
  system = await startTestSystem();
  admin = await system.bearer();
  reader = await system.bearer(await system.tokens.reader('beta', 'ann'));
});

afterAll(() => system.served.close());

interface Shown {
  readonly refused?: string;
  readonly cost?: number;
  readonly totalMs?: number;
  readonly tree?: unknown;
}

function planOf({ body }: HttpAnswer): Shown | undefined {
  return (body as { extensions?: { plan?: Shown } }).extensions?.plan;
}

function ask(headers: Record<string, string>, body: object = {}): Promise<HttpAnswer> {
  return send(system.served.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, ...body }),
  });
}

const whole = {
  cost: 10,
  planner: 'native',
  totalMs: expect.any(Number),
  tree: {
    kind: 'Sequence',
    nodes: [
      expect.objectContaining({ kind: 'Fetch', subgraph: 'alpha', durationMs: expect.any(Number) }),
      expect.objectContaining({ subgraph: 'beta', paths: ['items.@'], entities: 3 }),
    ],
  },
};

describe('the plan of a request', () => {
  it('is absent unless requested', async () => {
    expect(Object.keys((await ask(admin)).body)).toEqual(['data']);
    expect(planOf(await ask(admin, { extensions: { plan: false } }))).toBeUndefined();
  });

  it('is requested by an extension of the request or by a header', async () => {
    expect(planOf(await ask(admin, { extensions: { plan: true } }))).toMatchObject(whole);
    expect(planOf(await ask({ ...admin, 'x-rhizome-plan': 'true' }))).toMatchObject(whole);
    const search = new URLSearchParams({ query, extensions: '{"plan":true}' });
    expect(planOf(await send(`${system.served.url}?${search.toString()}`, { headers: admin }))).toMatchObject(
      whole,
    );
  });

  it('leaves the response unchanged and runs the operation separately', async () => {
    const [plain, traced] = await Promise.all([
      post(system.served.url, query, admin),
      ask(admin, { extensions: { plan: true } }),
    ]);
    expect(traced.body.data).toEqual(plain.body.data);
    expect(traced.text.startsWith(plain.text.slice(0, -1))).toBe(true);
  });

  it('needs a permission; callers without it get their data and the reason', async () => {
    const answer = await ask(reader, { extensions: { plan: true } });
    expect(answer.body.data).toBeDefined();
    expect(planOf(answer)).toEqual({ refused: 'HUMAN "ann" may not operation:trace' });
    expect(answer.text).not.toContain('subgraph');
  });

  it('includes mutations, over a WebSocket', async () => {
    const socket = await RawSocket.ready(system.served.wsUrl, admin);
    const payload = { query: 'mutation { touchItem(id: "m") { id } }', extensions: { plan: true } };
    socket.send({ id: '1', type: 'subscribe', payload });
    const { payload: answer } = await socket.next('next');
    expect(answer).toMatchObject({
      data: { touchItem: { id: 'm' } },
      extensions: { plan: { cost: 11, tree: { kind: 'Fetch', subgraph: 'alpha' } } },
    });
    socket.drop();
  });

  it('comes with each event of a stream, which is then not shared', async () => {
    const stream = 'subscription { itemChanged { item { id label } } }';
    const plain = await EventReader.post(system.served.url, stream, admin);
    await plain.event();
    const socket = await RawSocket.ready(system.served.wsUrl, admin);
    socket.send({ id: '1', type: 'subscribe', payload: { query: stream, extensions: { plan: true } } });
    await socket.next('next');
    expect(system.log.open).toBe(2);
    system.log.append('seen');
    expect((await socket.next('next')).payload).toMatchObject({
      data: { itemChanged: { item: { id: 'seen', label: 'label of seen' } } },
      extensions: {
        plan: {
          tree: {
            nodes: [
              expect.objectContaining({ kind: 'Event', subgraph: 'alpha' }),
              expect.objectContaining({ kind: 'Fetch', subgraph: 'beta', entities: 1 }),
            ],
          },
        },
      },
    });
    expect(await plain.event()).not.toContain('extensions');
    socket.drop();
    plain.leave();
  });

  it('is available to everybody in a gateway without authentication', async () => {
    const open = await startTestSystem({ noAuth: true });
    const answer = await send(open.served.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, extensions: { plan: true } }),
    });
    expect(planOf(answer)).toMatchObject(whole);
    await open.served.close();
  });
});
