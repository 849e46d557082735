import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createVerifier } from '@rhizome/authz';
import { type TestTokens, testTokens } from '@rhizome/testkit';
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

  it('does not limit the token of a queue, which many pilots share', async () => {
    const headers = await headersOf('pilot:Q', 'PILOT');
    for (let at = 0; at < 20; at++) {
      const answer = await post(url, query, headers);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('ratelimit')).toBeNull();
    }
  });
});

describe('rates of the credential of a pilot', () => {
  const burst = 5;
  let pilots: TestSystem;
  let tokens: TestTokens;
  beforeAll(async () => {
    const slowly = (most: number) => ({ perSecond: 0.001, burst: most });
    tokens = await testTokens('https://workers.test');
    pilots = await startTestSystem({
      verifier: createVerifier({ issuers: [tokens.trusted], kinds: ['WORKER'] }),
      limits: { socketsPerPilot: 2, streamsPerPilot: 2 },
      rates: { pilot: { operations: slowly(burst), bytes: slowly(10_000), documents: slowly(1) } },
    });
  });
  const credentialOf = async (worker: string) => {
    const grants = [{ experiment: '*', roles: ['PILOT' as const] }];
    const subject = `worker:${worker}`;
    const credential = { kind: 'PILOT', tokenKind: 'WORKER', subject, worker, queue: 'Q', grants } as const;
    return pilots.bearer(await tokens.mint(credential));
  };

  it('has a rate by default', async () => {
    const usual = await startTestSystem({
      verifier: createVerifier({ issuers: [tokens.trusted], kinds: ['WORKER'] }),
    });
    const answer = await post(usual.served.url, query, await credentialOf('usual'));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('ratelimit-policy')).toBe('"operations";q=4000;w=20');
  });

  it('limits one that asks a hundred times as often, and answers the others', async () => {
    const [greedy, modest] = [await credentialOf('greedy'), await credentialOf('modest')];
    const flood = Array.from({ length: 100 * burst }, () => post(pilots.served.url, query, greedy));
    const heartbeats = Array.from({ length: burst }, () => post(pilots.served.url, query, modest));
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(burst);
    expect(statuses.filter((status) => status === 429)).toHaveLength(99 * burst);
    expect((await Promise.all(heartbeats)).map(({ status }) => status)).toEqual(Array(burst).fill(200));
    const refused = await post(pilots.served.url, query, greedy);
    const { field, retryAfterSeconds } = refused.body.errors?.[0]?.extensions ?? {};
    expect([codesOf(refused), field]).toEqual([['LIMIT_EXCEEDED'], 'rates.operations']);
    expect(refused.headers.get('retry-after')).toBe(String(retryAfterSeconds));
  });

  it('counts bytes, sockets and streams', async () => {
    const large = await credentialOf('large');
    const text = `${query} # ${'x'.repeat(9_000)}`;
    expect((await post(pilots.served.url, text, large)).status).toBe(200);
    const refused = await post(pilots.served.url, text, large);
    expect([refused.status, refused.body.errors?.[0]?.extensions['field']]).toEqual([429, 'rates.bytes']);

    const { wsUrl: address } = pilots.served;
    const credential = await credentialOf('sockets');
    const [first] = [await RawSocket.ready(address, credential), await RawSocket.ready(address, credential)];
    const third = await RawSocket.open(address);
    third.send({ type: 'connection_init', payload: credential });
    expect(await third.closed).toEqual({ code: 4429, reason: 'LIMIT_EXCEEDED' });
    for (const id of ['1', '2', '3']) first.subscribe(id, 'subscription { never { value } }');
    expect((await first.next('error', '3')).payload).toEqual([
      expect.objectContaining({
        extensions: expect.objectContaining({ code: 'LIMIT_EXCEEDED', expected: 'at most 2' }),
      }),
    ]);
    const other = await RawSocket.ready(address, await credentialOf('other'));
    other.subscribe('1', 'subscription { level { value } }');
    expect((await other.next('next')).payload).toMatchObject({ data: { level: {} } });
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

  it('counts each refused token of a socket once: that of its headers, and that of connection_init', async () => {
    const { served, tokens, bearer } = await startTestSystem({
      rates: { address: { operations: { perSecond: 0.001, burst: 4 } } },
    });
    const refusalOf = async (payload?: object): Promise<string> => {
      const socket = await RawSocket.open(served.wsUrl, { headers: await bearer(await tokens.foreign()) });
      socket.send({ type: 'connection_init', ...(payload && { payload }) });
      return (await socket.closed).reason;
    };
    const another = await bearer(await tokens.foreign());
    const reasons = [await refusalOf(), await refusalOf(), await refusalOf(another)];
    expect(reasons).toEqual(Array<string>(3).fill('UNAUTHENTICATED'));
    expect((await post(served.url, query, another)).status).toBe(429);
    const ready = await RawSocket.open(served.wsUrl, { headers: await bearer() });
    ready.send({ type: 'connection_init' });
    await ready.next('connection_ack');
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

  it('refuses sockets of an address that opens too many without a token, and no others', async () => {
    const crowded = await startTestSystem({
      rates: { address: { sockets: { perSecond: 0.001, burst: 1 } } },
    });
    const { wsUrl: address } = crowded.served;
    // Accepted sockets do not count.
    await RawSocket.ready(address, await crowded.bearer());
    await RawSocket.ready(address, await crowded.bearer());
    await RawSocket.open(address);
    const statusOf = async (headers: Record<string, string> = {}) => {
      const socket = new WebSocket(address, 'graphql-transport-ws', { headers });
      socket.on('error', () => undefined);
      const opened = once(socket, 'open').then(() => ({ status: 101, retryAfter: undefined }));
      const refused = once(socket, 'unexpected-response').then(([, response]) => {
        const { statusCode, headers: given } = response as IncomingMessage;
        return { status: statusCode, retryAfter: given['retry-after'] };
      });
      return Promise.race([opened, refused]).finally(() => socket.terminate());
    };
    const refusal = { status: 429, retryAfter: expect.stringMatching(/^\d+$/) };
    expect(await statusOf()).toEqual(refusal);
    expect(await statusOf({ authorization: 'Bearer x.y.z' })).toEqual(refusal);
    const pilot = await crowded.tokens.pilot('Q');
    expect((await statusOf({ authorization: `Bearer ${pilot}` })).status).toBe(101);
  });

  it('closes no waiting socket of a token for the sockets of a stranger', async () => {
    const crowded = await startTestSystem({ limits: { waitingSocketsPerAddress: 2 } });
    const headers = { authorization: `Bearer ${await crowded.tokens.pilot('Q')}` };
    const pilot = await RawSocket.open(crowded.served.wsUrl, { headers });
    for (let n = 0; n < 4; n++) await RawSocket.open(crowded.served.wsUrl);
    pilot.send({ type: 'connection_init', payload: headers });
    expect(await pilot.next('connection_ack')).toBeDefined();
  });
});
