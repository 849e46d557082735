import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { silentLogger } from '@rhizome/log';
import { manualClock, testPrincipal, waitFor } from '@rhizome/testkit';
import { createEngine, type Engine } from '../engine/index.js';
import { defaultLimits, type GatewayLimits } from '../policy/index.js';
import { EngineHolder } from '../registry/index.js';
import { type House, startHouse } from '../testing/house.js';
import type { ClientStream } from './client-stream.js';
import { StreamHub } from './stream-hub.js';
import type { StreamEnd, StreamEvent, StreamRequest } from './types.js';

const changes = 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id label } } }';
jest.setTimeout(30_000);

const bare = 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id } } }';
let house: House;
let hub: StreamHub;
let holder: EngineHolder;
let counts: { upstreams: number; reopened: string[]; closed: StreamEnd[] };
const clock = manualClock(new Date('2030-01-01T00:00:00Z'));
const open: ClientStream[] = [];

beforeAll(async () => {
  house = await startHouse();
});

afterEach(async () => {
  for (const stream of open.splice(0)) await stream.return();
  await waitFor('the end of all upstreams', () => house.log.open === 0, { deadlineMs: 500 });
  expect(hub.open).toEqual({ streams: 0, upstreams: 0 });
  await holder.close();
});

afterAll(() => house.served.close());

function newEngine(extraField?: string): Promise<Engine> {
  return createEngine({
    supergraphSdl: house.supergraph(extraField),
    transports: house.transports,
    log: silentLogger(),
    planning: 'inline',
  });
}

async function start(limits: Partial<GatewayLimits> = {}): Promise<void> {
  holder = new EngineHolder(await newEngine());
  counts = { upstreams: 0, reopened: [], closed: [] };
  hub = new StreamHub({
    engine: () => holder.current,
    clock,
    log: silentLogger(),
    limits: { ...defaultLimits, ...limits },
    observer: {
      streamOpened: () => undefined,
      streamClosed: (why) => void counts.closed.push(why),
      upstreamOpened: () => void counts.upstreams++,
      upstreamClosed: () => undefined,
      upstreamReopened: (why) => void counts.reopened.push(why),
      delivered: () => undefined,
    },
  });
}

interface Asked extends Partial<Pick<StreamRequest, 'cursor' | 'requestId'>> {
  readonly query?: string;
  readonly after?: string;
  readonly principal?: Principal;
}

async function subscribe({
  query = changes,
  after,
  principal = testPrincipal(),
  ...more
}: Asked = {}): Promise<ClientStream> {
  const engine = holder.current;
  const prepared = await engine.prepare({ query, requestId: 'r' });
  if (!prepared.ok) throw new Error(prepared.answer.text);
  const variables = after === undefined ? {} : { after };
  const stream = hub.subscribe({
    engine,
    operation: prepared.operation,
    variables,
    principal,
    requestId: 'r',
    ...more,
  });
  open.push(stream);
  return stream;
}

async function next(stream: ClientStream): Promise<StreamEvent> {
  const item = await stream.next();
  if (item.done) throw new Error('the stream has ended');
  return item.value;
}

/** Reads up to the item; answers the cursors and ids on the way, the opening message as its cursor alone. */
async function readTo(stream: ClientStream, id: string): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    const event = await next(stream);
    if (event.last) throw new Error(event.text);
    const { cursor, item } = JSON.parse(event.text).data.itemChanged as {
      cursor: string;
      item: { id: string } | null;
    };
    expect(cursor).toBe(event.cursor);
    seen.push(item ? `${cursor} ${item.id}` : cursor);
    if (item?.id === id) return seen;
  }
}

function human(subject: string, expiresAt?: Date): Principal {
  return testPrincipal({ subject, grants: { beta: 'READER' }, ...(expiresAt ? { expiresAt } : {}) });
}

describe('shared streams', () => {
  test('1,000 clients with equal rights are one upstream and one text an event; the last to leave ends it', async () => {
    await start();
    const streams = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => subscribe({ principal: human(`u${i}`) })),
    );
    await Promise.all(streams.map(next));
    expect([house.log.open, counts.upstreams]).toEqual([1, 1]);
    house.log.append('shared');
    const events = await Promise.all(streams.map(next));
    expect(new Set(events).size).toBe(1);
    for (const stream of streams.slice(1)) await stream.return();
    expect(house.log.open).toBe(1);
    house.log.append('alone');
    expect((await next(streams[0] as ClientStream)).text).toContain('alone');
    await streams[0]?.return();
    await waitFor('the end of the upstream', () => house.log.open === 0, { deadlineMs: 500 });
  });

  test('other rights, other variables and other documents are upstreams of their own', async () => {
    await start();
    await subscribe({ principal: human('a') });
    await subscribe({ principal: testPrincipal({ grants: { beta: 'USER' } }) });
    await subscribe({ principal: testPrincipal({ kind: 'SERVICE', grants: { beta: 'READER' } }) });
    await subscribe({ principal: human('a'), query: 'subscription { itemChanged { cursor } }' });
    await subscribe({ principal: human('b'), query: 'subscription Other { itemChanged { cursor } }' });
    await subscribe({ principal: human('a'), query: 'subscription { itemChanged(name: "x") { cursor } }' });
    await waitFor('six upstreams', () => house.log.open === 6, { deadlineMs: 500 });
  });

  test('spellings of one document are one', async () => {
    await start();
    await subscribe();
    await subscribe({ query: `${changes.replace('{ itemChanged', '{\n  # spelled\n  itemChanged')}` });
    await subscribe({ query: 'subscription { itemChanged { cursor item { id label } } }' });
    await waitFor('the upstream', () => house.log.open === 1, { deadlineMs: 500 });
    expect(counts.upstreams).toBe(1);
  });

  test('those who come late are opened with the cursor of now', async () => {
    await start();
    const first = await subscribe();
    await next(first);
    const cursor = house.log.append('before');
    await readTo(first, 'before');
    const late = await subscribe();
    const opening = await next(late);
    expect(opening).toMatchObject({
      cursor,
      text: `{"data":{"itemChanged":{"cursor":"${cursor}","item":null}}}`,
    });
    house.log.append('after');
    expect(await readTo(late, 'after')).toHaveLength(1);
    expect(counts.upstreams).toBe(1);
  });

  test('fields that depend on who asks are shared by one subject only', async () => {
    await start();
    const query = 'subscription { itemChanged { item { seenBy } } }';
    const streams = await Promise.all(
      ['ann', 'ben', 'ann'].map((name) => subscribe({ query, principal: human(name) })),
    );
    await Promise.all(streams.map(next));
    expect(house.log.open).toBe(2);
    house.log.append('x');
    const seen = await Promise.all(streams.map(async (stream) => JSON.parse((await next(stream)).text)));
    expect(seen.map(({ data }) => data.itemChanged.item.seenBy)).toEqual(['ann', 'ben', 'ann']);
  });

  test('what a person or a pilot is told once is shared by nobody', async () => {
    await start();
    const pilot = (queue: string) =>
      testPrincipal({ kind: 'PILOT', subject: `pilot:${queue}`, grants: 'PILOT' });
    const query = 'subscription { level { value } }';
    for (const queue of ['a', 'a', 'b']) await next(await subscribe({ query, principal: pilot(queue) }));
    expect([house.log.open, counts.upstreams]).toEqual([3, 3]);
  });

  test('pilots of two queues, and services of two experiments, share nothing', async () => {
    await start();
    for (const subject of ['pilot:a', 'pilot:b', 'pilot:b']) {
      await subscribe({ principal: testPrincipal({ kind: 'PILOT', subject, grants: 'PILOT' }) });
    }
    for (const subject of ['experiment:beta', 'experiment:gamma']) {
      await subscribe({ principal: testPrincipal({ kind: 'SERVICE', subject, grants: { beta: 'READER' } }) });
    }
    await waitFor('four upstreams', () => house.log.open === 4, { deadlineMs: 500 });
  });

  test('an agent shares such fields with others for the same human only', async () => {
    await start();
    const query = 'subscription { itemChanged { item { seenBy } } }';
    const agent = (actsFor: string) =>
      testPrincipal({ kind: 'AGENT', subject: 'bot', actsFor, grants: { beta: 'READER' } });
    await Promise.all(['ann', 'ben', 'ann'].map((name) => subscribe({ query, principal: agent(name) })));
    await waitFor('two upstreams', () => house.log.open === 2, { deadlineMs: 500 });
  });
});

describe('resuming', () => {
  test('a gap is served from the ring where that reaches back', async () => {
    await start();
    const first = await subscribe();
    const { cursor = '' } = await next(first);
    house.log.append('p');
    house.log.append('q');
    await readTo(first, 'q');
    const resumed = await subscribe({ after: cursor });
    expect((await readTo(resumed, 'q')).map((seen) => seen.split(' ')[1])).toEqual(['p', 'q']);
    expect(counts.upstreams).toBe(1);
  });

  test('an older gap is served alone; at the first event that both have seen the client joins the others', async () => {
    await start();
    const from = house.log.append('old');
    house.log.append('gap-1');
    house.log.append('gap-2');
    const first = await subscribe();
    await next(first);
    const resumed = await subscribe({ after: from });
    expect(await readTo(resumed, 'gap-2')).toHaveLength(2);
    expect(counts.upstreams).toBe(2);
    house.log.append('new');
    expect(await readTo(resumed, 'new')).toHaveLength(1);
    await readTo(first, 'new');
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 500 });
    house.log.append('more');
    expect(await readTo(resumed, 'more')).toHaveLength(1);
  });

  test('100 resumers at different cursors lose and double nothing and end on one upstream', async () => {
    await start();
    const cursors = Array.from({ length: 100 }, (_, i) => house.log.append(`g${i}`));
    const streams = await Promise.all(cursors.map((after) => subscribe({ after, query: bare })));
    const reads = streams.map((stream) => readTo(stream, 'end'));
    house.log.append('live-1');
    expect(counts.upstreams).toBe(100);
    house.log.append('live-2');
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 5000 });
    house.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries()) {
      const numbers = seen.map((event) => Number(event.slice(1).split(' ')[0]));
      const start = Number(cursors[i]?.slice(1));
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, k) => start + 1 + k));
      expect(numbers.at(-1)).toBe(Number(house.log.cursor.slice(1)));
    }
  });

  test('those who come back at the same cursor after a restart share from the start', async () => {
    await start();
    const after = house.log.append('last');
    house.log.append('missed');
    const streams = await Promise.all(Array.from({ length: 50 }, () => subscribe({ after })));
    for (const stream of streams) expect(await readTo(stream, 'missed')).toHaveLength(1);
    expect([house.log.open, counts.upstreams]).toEqual([1, 1]);
  });

  test('one who starts with now is not given the gap of one who resumes, and joins him later', async () => {
    await start();
    const after = house.log.append('x');
    house.log.append('gap');
    const resumed = await subscribe({ after });
    const fresh = await subscribe();
    expect((await next(fresh)).text).toContain('"item":null');
    expect(await readTo(resumed, 'gap')).toHaveLength(1);
    house.log.append('now');
    expect(await readTo(fresh, 'now')).toHaveLength(1);
    expect(await readTo(resumed, 'now')).toHaveLength(1);
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 500 });
    expect((await next(await subscribe())).cursor).toBe(house.log.cursor);
    expect(house.log.open).toBe(1);
  });

  test('the cursor beside the operation wins over the argument', async () => {
    await start();
    const after = house.log.append('x');
    const cursor = house.log.append('y');
    house.log.append('z');
    const stream = await subscribe({ after, cursor });
    expect(await readTo(stream, 'z')).toHaveLength(1);
  });

  test('a cursor that is too old is refused with its code, and the next one is not', async () => {
    await start();
    house.log.forgottenBelow = 5;
    const refused = await subscribe({ after: 'c1' });
    expect(await next(refused)).toMatchObject({ last: true, codes: ['CURSOR_EXPIRED'] });
    expect((await refused.next()).done).toBe(true);
    house.log.forgottenBelow = 0;
    expect((await next(await subscribe({ after: 'c1' }))).cursor).toBe('c2');
  });
});

describe('a broken upstream', () => {
  const broken = new DomainError('SERVICE_UNAVAILABLE', 'the connection broke');

  test('of a resumable field is opened again after the last cursor; nobody notices', async () => {
    await start();
    const streams = [await subscribe(), await subscribe()];
    await Promise.all(streams.map(next));
    house.log.append('a');
    await Promise.all(streams.map(next));
    const { opened } = house.log;
    house.log.breakAll(broken);
    house.log.append('b');
    for (const stream of streams) expect(await readTo(stream, 'b')).toHaveLength(1);
    expect(house.log.opened).toBe(opened + 1);
    expect(counts.reopened).toEqual(['broken']);
    expect(house.log.openedAfter.at(-1)).toBe(`c${Number(house.log.cursor.slice(1)) - 1}`);
  });

  test('is given up after its time, with the cursor to go on from', async () => {
    await start({ reopenForMs: 0 });
    const stream = await subscribe();
    const { cursor } = await next(stream);
    house.log.breakAll(broken);
    const last = await next(stream);
    expect(last).toMatchObject({ last: true, codes: ['SERVICE_UNAVAILABLE'] });
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({ cursor, retry: 'later' });
  });

  test('of another field ends its clients with a clear error', async () => {
    await start();
    const stream = await subscribe({ query: 'subscription { level { value } }' });
    await next(stream);
    house.log.breakAll(broken);
    expect(await next(stream)).toMatchObject({ last: true, codes: ['SERVICE_UNAVAILABLE'] });
    expect(counts.closed).toEqual(['failed']);
  });

  test('an error that no retry mends ends the stream at once', async () => {
    await start();
    const stream = await subscribe();
    const { cursor } = await next(stream);
    house.log.breakAll(new DomainError('FORBIDDEN', 'no longer'));
    const last = await next(stream);
    expect(last.codes).toEqual(['FORBIDDEN']);
    expect(JSON.parse(last.text).errors[0].extensions.cursor).toBe(cursor);
  });

  test('that ends in order, as when its service stops, is opened again', async () => {
    await start();
    const stream = await subscribe();
    await next(stream);
    house.log.endAll();
    house.log.append('later');
    expect(await readTo(stream, 'later')).toHaveLength(1);
    expect(counts.reopened).toEqual(['broken']);
  });

  test('that ends in order again has no more to say: its clients end in order, after what they have not read', async () => {
    await start();
    const [quick, slow] = [await subscribe(), await subscribe()];
    await next(quick);
    house.log.append('a');
    await readTo(quick, 'a');
    house.log.isOver = true;
    house.log.endAll();
    expect((await quick.next()).done).toBe(true);
    expect(await readTo(slow, 'a')).toHaveLength(2);
    expect((await slow.next()).done).toBe(true);
    house.log.isOver = false;
    expect(counts.closed).toEqual(['complete', 'complete']);
  });

  test('of another field ends with its source', async () => {
    await start();
    const stream = await subscribe({ query: 'subscription { level { value } }' });
    await next(stream);
    house.log.endAll();
    expect((await stream.next()).done).toBe(true);
  });
});

describe('laggards', () => {
  test('one who does not read is told where to go on; the others are not kept waiting', async () => {
    await start({ bufferedEvents: 10 });
    const [quick, slow] = [await subscribe(), await subscribe()];
    await Promise.all([next(quick), next(slow)]);
    const cursor = house.log.append('first');
    await Promise.all([readTo(quick, 'first'), readTo(slow, 'first')]);
    for (let i = 0; i < 100; i++) {
      house.log.append(`e${i}`);
      await readTo(quick, `e${i}`);
    }
    const last = await next(slow);
    expect(last).toMatchObject({ last: true, codes: ['SUBSCRIPTION_LAGGED'] });
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({ cursor, retry: 'now' });
    expect(counts.closed).toEqual(['lagged']);
    const back = await subscribe({ after: cursor });
    expect(await readTo(back, 'e99')).toHaveLength(100);
  });

  test('one who reads his gap slowly keeps his own upstream waiting, and nothing is held for him', async () => {
    await start({ bufferedEvents: 10 });
    const after = house.log.append('x');
    for (let i = 0; i < 2000; i++) house.log.append(`e${i}`);
    const first = await subscribe();
    await next(first);
    const slow = await subscribe({ after });
    await next(slow);
    await new Promise((resolve) => setImmediate(resolve));
    house.log.append('end');
    expect(await readTo(slow, 'end')).toHaveLength(2000);
  });
});

describe('tokens that end', () => {
  const soon = (ms: number) => new Date(clock.now().getTime() + ms);

  test('end their stream with a code and a cursor', async () => {
    await start();
    const stream = await subscribe({ principal: human('a', soon(60)) });
    const { cursor } = await next(stream);
    clock.advance(60);
    const last = await next(stream);
    expect(last).toMatchObject({ last: true, codes: ['TOKEN_EXPIRED'] });
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({ cursor });
    expect(counts.closed).toEqual(['expired']);
  });

  test('do not open a stream', async () => {
    await start();
    expect(await next(await subscribe({ principal: human('a', soon(-1)) }))).toMatchObject({
      codes: ['TOKEN_EXPIRED'],
    });
    expect(counts.upstreams).toBe(0);
  });

  test('of the one who opened it do not end the stream of the others', async () => {
    await start();
    const short = await subscribe({ principal: human('short', soon(3000)) });
    await next(short);
    const long = await subscribe({ principal: human('long', soon(3_600_000)) });
    await next(long);
    await waitFor('the upstream in another hand', () => counts.reopened.length === 1, { deadlineMs: 2000 });
    house.log.append('still');
    expect(await readTo(long, 'still')).toHaveLength(1);
    expect(await readTo(short, 'still')).toHaveLength(1);
    expect(house.log.open).toBe(1);
  });

  test('refused upstream are replaced by those of others', async () => {
    await start();
    const [a, b] = [
      await subscribe({ principal: human('a') }),
      await subscribe({ principal: human('b', soon(9e6)) }),
    ];
    await Promise.all([next(a), next(b)]);
    house.log.breakAll(new DomainError('TOKEN_EXPIRED', 'the token of a ended'));
    await a.return();
    house.log.append('on');
    expect(await readTo(b, 'on')).toHaveLength(1);
  });
});

describe('a new supergraph', () => {
  test('streams stay open and lose and double nothing while it is swapped', async () => {
    await start();
    const older = house.log.append('older');
    const old = house.log.append('before');
    const streams = await Promise.all(
      Array.from({ length: 100 }, (_, i) => subscribe({ principal: human(`u${i % 7}`) })),
    );
    const other = await subscribe({
      query: 'subscription { itemChanged { cursor item { id label name } } }',
    });
    const resumed = await subscribe({
      after: older,
      query: 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id } } }',
    });
    const all = [...streams, other, resumed];
    for (const { cursor } of await Promise.all(all.map(next))) expect(cursor).toBe(old);
    const reads = all.map((stream) => readTo(stream, 'end'));
    for (let round = 0; round < 5; round++) {
      house.log.append(`r${round}`);
      await holder.swap(await newEngine(round % 2 ? 'extra: String' : ''), () => hub.move());
      house.log.append(`s${round}`);
    }
    house.log.append('end');
    for (const seen of await Promise.all(reads)) {
      const numbers = seen.map((event) => Number(event.slice(1).split(' ')[0]));
      expect(numbers).toEqual(Array.from({ length: 11 }, (_, k) => Number(old.slice(1)) + 1 + k));
    }
    expect(counts.closed).toEqual([]);
    expect(holder.current.running.subscriptions).toBe(3);
  });

  test('a stream that it no longer allows ends with a clear code', async () => {
    await start();
    await holder.swap(await newEngine('extra: String'), () => hub.move());
    const stream = await subscribe({ query: 'subscription { itemChanged { item { extra } } }' });
    await next(stream);
    await holder.swap(await newEngine(), () => hub.move());
    expect(await next(stream)).toMatchObject({ last: true, codes: ['GRAPHQL_VALIDATION_FAILED'] });
  });

  test('a stream that came to depend on who reads it is not handed to others', async () => {
    await start();
    await holder.swap(await newEngine('extra: String'), () => hub.move());
    const query = 'subscription { itemChanged { item { extra } } }';
    const streams = [
      await subscribe({ query, principal: human('a') }),
      await subscribe({ query, principal: human('b') }),
    ];
    await Promise.all(streams.map(next));
    await holder.swap(await newEngine('extra: String @perPrincipal'), () => hub.move());
    for (const stream of streams)
      expect(await next(stream)).toMatchObject({ codes: ['SERVICE_UNAVAILABLE'] });
    const again = [
      await subscribe({ query, principal: human('a') }),
      await subscribe({ query, principal: human('b') }),
    ];
    await Promise.all(again.map(next));
    expect(house.log.open).toBe(2);
  });

  test('streams that cannot be resumed go on with what is then', async () => {
    await start();
    const stream = await subscribe({ query: 'subscription { level { value } }' });
    const value = async () => JSON.parse((await next(stream)).text).data.level.value as number;
    const before = await value();
    await holder.swap(await newEngine(), () => hub.move());
    expect(await value()).toBe(before);
    house.log.append('up');
    expect(await value()).toBe(before + 1);
  });
});

describe('streams of fields that begin with the present state', () => {
  test('give it to each who comes, and share what follows', async () => {
    await start();
    const query = 'subscription { level { value } }';
    const value = async (stream: ClientStream) =>
      JSON.parse((await next(stream)).text).data.level.value as number;
    const first = await subscribe({ query });
    const at = await value(first);
    const second = await subscribe({ query });
    expect(await value(second)).toBe(at);
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 500 });
    house.log.append('up');
    expect(await Promise.all([value(first), value(second)])).toEqual([at + 1, at + 1]);
    expect(counts.upstreams).toBe(2);
  });
});

describe('bounds and endings', () => {
  test('too many streams in all, or of one subject, are refused', async () => {
    await start({ streams: 3, streamsPerSubject: 2 });
    await subscribe({ principal: human('a') });
    await subscribe({ principal: human('a') });
    const third = await subscribe({ principal: human('a') });
    expect(await next(third)).toMatchObject({ last: true, codes: ['LIMIT_EXCEEDED'] });
    const other = await subscribe({ principal: human('b') });
    await next(other);
    expect(await next(await subscribe({ principal: human('c') }))).toMatchObject({
      codes: ['LIMIT_EXCEEDED'],
    });
    await other.return();
    await next(await subscribe({ principal: human('c') }));
  });

  test('shutdown closes resumable streams with their cursors first, then the rest', async () => {
    await start();
    const [resumable, plain] = [
      await subscribe(),
      await subscribe({ query: 'subscription { level { value } }' }),
    ];
    const { cursor } = await next(resumable);
    await next(plain);
    hub.shutDown('resumable');
    const last = await next(resumable);
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({
      code: 'SHUTTING_DOWN',
      cursor,
      retry: 'now',
    });
    expect(hub.open.streams).toBe(1);
    hub.shutDown('all');
    expect(await next(plain)).toMatchObject({ last: true, codes: ['SHUTTING_DOWN'] });
    expect(counts.closed).toEqual(['shutdown', 'shutdown']);
  });

  test("an error of one event is that event's own", async () => {
    await start();
    const stream = await subscribe();
    await next(stream);
    const seen: [string[], unknown][] = [];
    for (const id of ['fine', 'bad', 'fine again']) {
      house.log.append(id);
      const { codes, text } = await next(stream);
      seen.push([[...codes], JSON.parse(text).data.itemChanged.item]);
    }
    expect(seen).toEqual([
      [[], { id: 'fine', label: 'label of fine' }],
      [['NOT_FOUND'], { id: 'bad', label: null }],
      [[], { id: 'fine again', label: 'label of fine again' }],
    ]);
  });
});
