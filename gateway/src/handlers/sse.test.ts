import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { createClient } from 'graphql-sse';
import { EventReader } from '../testing/event-reader.js';
import { type TestSystem, startTestSystem } from '../testing/test-system.js';
import { send } from '../testing/post.js';

const changes = 'subscription { itemChanged { cursor item { name label } } }';
const opened: EventReader[] = [];
let system: TestSystem;
let headers: Record<string, string>;

async function open(query: string, more: Record<string, string> = {}): Promise<EventReader> {
  const reader = await EventReader.post(system.served.url, query, { ...headers, ...more });
  opened.push(reader);
  return reader;
}

function event(cursor: string | undefined, payload: object | null): string {
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  return `event: next\n${id}data: ${JSON.stringify({ data: { itemChanged: { cursor, ...payload } } })}`;
}

const itemOf = (id: string) => ({ item: { name: `item ${id}`, label: `label of ${id}` } });

beforeAll(async () => {
  system = await startTestSystem({ limits: { keepAliveMs: 60 } });
  headers = await system.bearer();
});

afterEach(async () => {
  for (const reader of opened.splice(0)) reader.leave();
  await waitFor('the end of all upstream streams', () => system.log.open === 0, { deadlineMs: 1000 });
});

afterAll(() => system.served.close());

describe('an event stream', () => {
  it('opens with a comment, then sends events with their cursors as ids', async () => {
    const stream = await open(changes);
    expect(stream.status).toBe(200);
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(stream.headers.get('cache-control')).toBe('no-cache, no-transform');
    expect(stream.headers.get('content-encoding')).toBeNull();
    expect(await stream.block()).toBe(':');
    expect(await stream.event()).toBe(event(system.log.cursor, { item: null }));
    const cursor = system.log.append('a');
    expect(await stream.event()).toBe(event(cursor, itemOf('a')));
  });

  it('continues after Last-Event-ID, which overrides the argument', async () => {
    const from = system.log.append('b');
    const next = system.log.append('c');
    const query = 'subscription { itemChanged(after: "c0") { cursor item { name label } } }';
    const stream = await open(query, { 'last-event-id': from });
    expect(await stream.event()).toBe(event(next, itemOf('c')));
  });

  it('carries texts with line ends and field names of the format inside', async () => {
    const id = 'data: x\n\nid: 7\r\nevent: complete\n\n\u2028';
    const stream = await open(`subscription { itemChanged { item { id } } }`);
    await stream.event();
    system.log.append(id);
    const lines = (await stream.event())?.split('\n') ?? [];
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[2]?.slice('data: '.length) ?? '')).toEqual({
      data: { itemChanged: { item: { id } } },
    });
  });

  it('is kept open by comments while idle', async () => {
    const stream = await open(changes);
    await stream.event();
    expect(await stream.block()).toBe(':');
    expect(await stream.block()).toBe(':');
  });

  it('ends upstream when its client leaves, without an event', async () => {
    const stream = await open('subscription { itemChanged { cursor } }');
    await stream.event();
    expect(system.log.open).toBe(1);
    stream.leave();
    await waitFor('the end of the upstream', () => system.log.open === 0, { deadlineMs: 500 });
  });

  it('ends with complete when its source does', async () => {
    const stream = await open(changes);
    await stream.event();
    system.log.isOver = true;
    system.log.endAll();
    expect(await stream.event()).toBe('event: complete\ndata: ');
    expect(await stream.event()).toBeUndefined();
    system.log.isOver = false;
  });

  it('can be opened by GET, as a browser does', async () => {
    const url = `${system.served.url}?query=${encodeURIComponent(changes)}`;
    const stream = await EventReader.open(url, { headers: { ...headers, accept: 'text/event-stream' } });
    opened.push(stream);
    expect(await stream.event()).toBe(event(system.log.cursor, { item: null }));
  });
});

describe('a client that accepts event streams only', () => {
  it('gets next and complete for a query', async () => {
    const stream = await open('{ item(id: "a") { id } }');
    expect(await stream.event()).toBe('event: next\ndata: {"data":{"item":{"id":"a"}}}');
    expect(await stream.event()).toBe('event: complete\ndata: ');
  });

  it('gets the errors of an invalid document in the stream', async () => {
    const stream = await open('subscription { nonsense }');
    expect(stream.status).toBe(200);
    expect(await stream.event()).toContain('GRAPHQL_VALIDATION_FAILED');
    expect(await stream.event()).toBe('event: complete\ndata: ');
  });

  it('gets an event with the code of a source that refuses', async () => {
    system.log.forgottenBelow = 3;
    const stream = await open('subscription { itemChanged(after: "c1") { cursor } }');
    expect(await stream.event()).toContain('"code":"CURSOR_EXPIRED"');
    expect(await stream.event()).toBe('event: complete\ndata: ');
    system.log.forgottenBelow = 0;
  });
});

describe('third-party clients', () => {
  it('includes graphql-sse', async () => {
    const client = createClient({ url: system.served.url, headers, retryAttempts: 0 });
    const events = client.iterate<{ itemChanged: { item: { name: string } | null } }>({ query: changes });
    expect((await events.next()).value.data.itemChanged.item).toBeNull();
    system.log.append('a');
    expect((await events.next()).value.data.itemChanged.item.name).toBe('item a');
    await events.return?.();
    const query = client.iterate({ query: '{ item(id: "a") { id } }' });
    expect((await query.next()).value).toEqual({ data: { item: { id: 'a' } } });
    client.dispose();
  });

  it('returns JSON to clients that accept JSON', async () => {
    const answer = await send(system.served.url, {
      method: 'POST',
      headers: {
        ...headers,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ query: '{ item(id: "a") { id } }' }),
    });
    expect(answer.body.data).toEqual({ item: { id: 'a' } });
  });
});
