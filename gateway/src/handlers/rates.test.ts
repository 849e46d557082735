import { once } from 'node:events';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { codesOf, post } from '../testing/post.js';
import { RawSocket } from '../testing/raw-socket.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

// Rates and quotas of callers, through a whole gateway.

const slow = { perSecond: 0.001, burst: 3 };
const query = '{ items { id } }';
let system: TestSystem;
let url: string;
let wsUrl: string;

beforeAll(async () => {
  system = await startTestSystem({
    limits: { streams: 10, pilotStreams: 2, socketsPerSubject: 2 },
    rates: {
      human: {
        operations: slow,
        mutations: { perSecond: 0.001, burst: 1 },
        streams: { perSecond: 0.001, burst: 100 },
      },
      address: { operations: { perSecond: 0.001, burst: 2 } },
    },
  });
  ({ url, wsUrl } = system.served);
});

async function headersOf(
  subject: string,
  kind: 'HUMAN' | 'PILOT' | 'SERVICE' = 'HUMAN',
): Promise<Record<string, string>> {
  const roles = [kind === 'PILOT' ? ('PILOT' as const) : ('ADMIN' as const)];
  return system.bearer(await system.tokens.mint({ kind, subject, grants: [{ experiment: '*', roles }] }));
}

describe('rates of a principal', () => {
  it('reports what is left, refuses more with 429, and says when to retry', async () => {
    const headers = await headersOf('alice');
    const first = await post(url, query, headers);
    expect(first.headers.get('ratelimit-policy')).toBe('"operations";q=3;w=3000');
    expect(first.headers.get('ratelimit')).toMatch(/^"operations";r=2;t=\d+$/);
    await post(url, query, headers);
    await post(url, query, headers);
    const refused = await post(url, query, headers);
    expect([refused.status, codesOf(refused)]).toEqual([429, ['LIMIT_EXCEEDED']]);
    const { retryAfterSeconds, field } = refused.body.errors?.[0]?.extensions ?? {};
    expect(field).toBe('rates.operations');
    expect(refused.headers.get('retry-after')).toBe(String(retryAfterSeconds));
    expect(Number(retryAfterSeconds)).toBeGreaterThan(900);
  });

  it('counts each principal for itself, whatever address it has', async () => {
    const headers = await headersOf('bob');
    expect((await post(url, query, headers)).status).toBe(200);
  });

  it('counts mutations', async () => {
    const headers = await headersOf('carol');
    const mutation = 'mutation { touchItem(id: "a") { id } }';
    expect((await post(url, mutation, headers)).status).toBe(200);
    const refused = await post(url, mutation, headers);
    expect([refused.status, refused.body.errors?.[0]?.extensions['field']]).toEqual([429, 'rates.mutations']);
    expect(refused.headers.get('retry-after')).not.toBeNull();
  });

  it('counts operations on a socket together with those over HTTP', async () => {
    const headers = await headersOf('dave');
    const socket = await RawSocket.ready(wsUrl, headers);
    for (const id of ['1', '2', '3', '4']) socket.subscribe(id, query);
    expect((await socket.next(undefined, '4')).payload).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'LIMIT_EXCEEDED' }) }),
    ]);
    expect((await post(url, query, headers)).status).toBe(429);
    socket.drop();
  });

  it('never refuses a pilot', async () => {
    const headers = await headersOf('pilot:Q', 'PILOT');
    for (let at = 0; at < 20; at++) {
      const answer = await post(url, query, headers);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('ratelimit')).toBeNull();
    }
  });
});

describe('rates of an address', () => {
  it('refuses strangers after a few attempts, and nobody with a valid token', async () => {
    const statuses: number[] = [];
    for (let at = 0; at < 4; at++) statuses.push((await post(url, query)).status);
    expect(statuses).toEqual([401, 401, 429, 429]);
    const forged = await post(url, query, { authorization: 'Bearer x.y.z' });
    expect([forged.status, codesOf(forged)]).toEqual([429, ['LIMIT_EXCEEDED']]);
    expect((await post(url, query, await headersOf('erin'))).status).toBe(200);
  });
});

describe('quotas', () => {
  it('refuses more open sockets of a subject, and count a closed one no longer', async () => {
    const headers = await headersOf('frank');
    const first = await RawSocket.ready(wsUrl, headers);
    await RawSocket.ready(wsUrl, headers);
    const third = await RawSocket.open(wsUrl);
    third.send({ type: 'connection_init', payload: headers });
    expect(await third.closed).toEqual({ code: 4429, reason: 'LIMIT_EXCEEDED' });
    first.close();
    await first.closed;
    await RawSocket.ready(wsUrl, headers);
  });

  it('keeps a part of all streams for pilots', async () => {
    const service = await RawSocket.ready(wsUrl, await headersOf('experiment:alpha', 'SERVICE'));
    for (let at = 0; at < 9; at++) service.subscribe(String(at), 'subscription { never { value } }');
    expect((await service.next('error')).payload).toEqual([
      expect.objectContaining({
        extensions: expect.objectContaining({ code: 'LIMIT_EXCEEDED', expected: 'at most 8' }),
      }),
    ]);
    const pilot = await RawSocket.ready(wsUrl, await headersOf('pilot:Q', 'PILOT'));
    pilot.subscribe('1', 'subscription { level { value } }');
    expect((await pilot.next('next')).payload).toMatchObject({ data: { level: {} } });
    service.drop();
    pilot.drop();
  });

  it('refuses to open a socket when an address opens too many', async () => {
    const crowded = await startTestSystem({
      rates: { address: { sockets: { perSecond: 0.001, burst: 1 } } },
    });
    await RawSocket.ready(crowded.served.wsUrl, await crowded.bearer());
    const refused = new WebSocket(crowded.served.wsUrl, 'graphql-transport-ws');
    refused.on('error', () => undefined);
    const [, response] = (await once(refused, 'unexpected-response')) as [
      unknown,
      { statusCode: number; headers: object },
    ];
    expect(response.statusCode).toBe(429);
    expect(response.headers).toMatchObject({ 'retry-after': expect.stringMatching(/^\d+$/) });
  });
});
