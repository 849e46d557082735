import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { WebSocket } from 'ws';
import { codesOf, post, send } from '../testing/post.js';
import { RawSocket } from '../testing/raw-socket.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

// Requests and messages that cost the gateway much before it knows, or although it knows, who sends them.

const mebibyte = 1024 * 1024;
let system: TestSystem;
let url: string;
let wsUrl: string;
let reader: Record<string, string>;
let submitter: Record<string, string>;

beforeAll(async () => {
  system = await startTestSystem();
  ({ url, wsUrl } = system.served);
  const token = (role: 'READER' | 'USER'): Promise<string> =>
    system.tokens.mint({
      kind: 'HUMAN',
      subject: role.toLowerCase(),
      grants: [{ experiment: 'alpha', roles: [role] }],
    });
  reader = await system.bearer(await token('READER'));
  submitter = await system.bearer(await token('USER'));
});

/** The longest text that the event loop has parsed during a test. */
let longestParsed: number;
beforeEach(() => {
  longestParsed = 0;
  const { parse } = JSON;
  jest.spyOn(JSON, 'parse').mockImplementation((text, reviver) => {
    longestParsed = Math.max(longestParsed, text.length);
    return parse(text, reviver) as unknown;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

const json = { 'content-type': 'application/json' };
const bombOf = (bytes: number): string => `{"query":"{ items { id } }","variables":{"a":${'['.repeat(bytes)}`;

/** Sends a frame of a WebSocket by hand, and returns the code with which the gateway closes. */
async function closeCodeAfter(frames: readonly string[]): Promise<{ code: number; reason: string }> {
  const socket = new WebSocket(wsUrl, 'graphql-transport-ws');
  socket.on('error', () => undefined);
  await once(socket, 'open');
  const closed = once(socket, 'close') as Promise<[number, Buffer]>;
  frames.forEach((frame, at) => socket.send(frame, { fin: at === frames.length - 1 }, () => undefined));
  const [code, reason] = await waitFor('the close', closed, { deadlineMs: 60_000 });
  return { code, reason: String(reason) };
}

describe('a WebSocket before its connection_init is accepted', () => {
  const bomb = `{"type":"connection_init","payload":{"a":${'['.repeat(8 * mebibyte)}`;

  it.each<[string, readonly string[], { code: number; reason: string }]>([
    ['a frame of megabytes', [bomb], { code: 1009, reason: '' }],
    ['fragments that add up to it', bomb.match(/.{1,65000}/gs) ?? [], { code: 1009, reason: '' }],
    [
      'a connection_init of 17 KiB',
      [JSON.stringify({ type: 'connection_init', payload: { a: 'x'.repeat(17 * 1024) } })],
      { code: 1009, reason: 'REQUEST_TOO_LARGE' },
    ],
    [
      'deep nesting in a small frame',
      [`{"type":"connection_init","payload":{"a":${'['.repeat(10_000)}`],
      { code: 4400, reason: 'OPERATION_TOO_COMPLEX' },
    ],
  ])('is closed for %s, which is not parsed', async (_what, frames, expected) => {
    expect(await closeCodeAfter(frames)).toEqual(expected);
    expect(longestParsed).toBeLessThan(16 * 1024);
  });

  it('is closed for one ping after the other', async () => {
    const socket = await RawSocket.open(wsUrl);
    for (let at = 0; at < 20; at++) socket.send({ type: 'ping' });
    expect(await socket.closed).toEqual({ code: 4429, reason: 'LIMIT_EXCEEDED' });
  });

  it('gives way to newer ones if too many wait, and is not accepted later', async () => {
    const crowded = await startTestSystem({ limits: { waitingSockets: 3, waitingSocketsPerAddress: 2 } });
    const first = await RawSocket.open(crowded.served.wsUrl);
    const second = await RawSocket.open(crowded.served.wsUrl);
    const third = await RawSocket.ready(crowded.served.wsUrl, await crowded.bearer());
    expect(await first.closed).toEqual({ code: 4429, reason: 'TOO_MANY_WAITING_SOCKETS' });
    expect([second.isOpen, third.isOpen]).toEqual([true, true]);
  });
});

describe('a WebSocket whose connection_init was accepted', () => {
  it('sends messages of up to 1 MiB, and is closed for a larger one', async () => {
    const socket = await RawSocket.ready(wsUrl, reader);
    socket.subscribe('1', '{ items { id } }', { pad: 'x'.repeat(mebibyte - 1000) });
    expect((await socket.next('next')).payload).toMatchObject({ data: { items: [{ id: 'a' }, {}, {}] } });
    socket.send(bombOf(2 * mebibyte));
    expect((await socket.closed).code).toBe(1009);
  });

  it('is closed for a message that nests deep, which is not parsed', async () => {
    const socket = await RawSocket.ready(wsUrl, reader);
    longestParsed = 0;
    socket.send(bombOf(900_000));
    expect(await socket.closed).toEqual({ code: 4400, reason: 'OPERATION_TOO_COMPLEX' });
    expect(longestParsed).toBe(0);
  });
});

describe('the handler of bodies', () => {
  it('refuses the body of a stranger with 401 and does not read it', async () => {
    const socket = connect(system.served.port, '127.0.0.1');
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${90 * mebibyte}\r\n\r\n{"a":[`,
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 .*"UNAUTHENTICATED"/s);
    expect(longestParsed).toBe(0);
    socket.destroy();
  });

  it('refuses more than 1 MiB of a caller who may not submit by the announced size', async () => {
    const body = bombOf(2 * mebibyte);
    const answer = await send(url, { method: 'POST', headers: { ...json, ...reader }, body });
    expect([answer.status, codesOf(answer)]).toEqual([413, ['REQUEST_TOO_LARGE']]);
    expect(answer.body.errors?.[0]?.extensions).toMatchObject({ expected: 'at most 1048576 bytes' });
    expect(longestParsed).toBeLessThan(mebibyte);
  });

  it.each([
    ['a caller who may not submit', () => reader, 900_000],
    ['a caller who may submit', () => submitter, 90 * mebibyte],
  ])('refuses a body of %s that nests deep and does not parse it', async (_what, headersOf, bytes) => {
    const answer = await send(url, {
      method: 'POST',
      headers: { ...json, ...headersOf() },
      body: bombOf(bytes),
    });
    // Node.js and this test parse the answer, which is small.
    expect(codesOf(answer)).toEqual(['OPERATION_TOO_COMPLEX']);
    expect(longestParsed).toBeLessThan(10_000);
  });

  it('parses the body of a caller who may submit off the event loop and answers it', async () => {
    const variables = { pad: Array.from({ length: 3000 }, () => 'x'.repeat(1000)) };
    const answer = await post(url, '{ items { id } }', submitter, variables);
    expect(answer.body.data).toEqual({ items: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] });
    expect(longestParsed).toBeLessThan(10_000);
  });
});

describe('a connection with half a request', () => {
  it('is answered with 408 when its headers do not arrive', async () => {
    const socket = connect(system.served.port, '127.0.0.1');
    socket.write('POST /graphql HTTP/1.1\r\nhost: a\r\n');
    const [answer] = (await waitFor('the answer', once(socket, 'data'), { deadlineMs: 60_000 })) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /);
    socket.destroy();
  });
});
