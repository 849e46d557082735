import { describe, expect, it } from '@jest/globals';
import { GraphQLError } from 'graphql';
import type { ApiClient } from './client.js';
import { countDocument, hitDocument, streamSetup, take, until } from './testing/streams-setup.fixture.js';

const setup = streamSetup();
const overSocket = { overSocket: true, idempotent: true };

/** A client whose stream is open. */
async function connected(): Promise<ApiClient> {
  const client = setup.client({ retry: { attempts: 1, initialDelayMs: 1, maxDelayMs: 2 } });
  setup.server.to(1);
  expect(await take(client.subscribe(countDocument, {}), 1)).toEqual([1]);
  return client;
}

describe('mutate with overSocket', () => {
  it('sends a call over the socket of the streams, and only such a call', async () => {
    const client = await connected();
    expect(await client.mutate(hitDocument, {}, overSocket)).toEqual({ hit: 'over the socket' });
    expect(await client.mutate(hitDocument, {}, { idempotent: true })).toEqual({ hit: 'over HTTP' });
    expect(setup.server.connections).toBe(1);
  });

  it('sends a call over HTTP while no socket is open', async () => {
    const client = setup.client();
    expect(await client.mutate(hitDocument, {}, overSocket)).toEqual({ hit: 'over HTTP' });
    expect(setup.server.connections).toBe(0);
  });

  it('sends a large call over HTTP', async () => {
    const client = await connected();
    const text = 'x'.repeat(20_000);
    expect(await client.mutate(hitDocument, { text }, overSocket)).toEqual({ hit: 'over HTTP' });
  });

  it('sends a call over HTTP while the server has not accepted the present token', async () => {
    let token = 'one';
    const client = setup.client({ token: () => token });
    setup.server.to(1);
    expect(await take(client.subscribe(countDocument, {}), 1)).toEqual([1]);
    setup.server.refuseRenewal = () => 'SERVICE_UNAVAILABLE';
    token = 'two';
    // A request over HTTP is the first to get the other token, and offers it to the socket.
    await client.mutate(hitDocument, {}, { idempotent: true });
    expect(await client.mutate(hitDocument, {}, overSocket)).toEqual({ hit: 'over HTTP' });
    await until(() => setup.server.renewals.length > 0);
  });

  it('rejects with the error of the answer', async () => {
    const client = await connected();
    setup.server.hit = () => {
      throw new GraphQLError('not you', { extensions: { code: 'FORBIDDEN' } });
    };
    await expect(client.mutate(hitDocument, {}, overSocket)).rejects.toMatchObject({
      code: 'FORBIDDEN',
      noAnswer: false,
    });
  });

  it('repeats an idempotent call over HTTP when the socket breaks, and no other', async () => {
    setup.server.hit = () => {
      setup.server.drop();
      return 'too late';
    };
    const client = await connected();
    expect(await client.mutate(hitDocument, {}, overSocket)).toEqual({ hit: 'over HTTP' });
    const other = await connected();
    await expect(
      other.mutate(hitDocument, {}, { overSocket: true, idempotent: false }),
    ).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', noAnswer: true });
  });

  it('drops a socket from which nothing arrives within the time of a call', async () => {
    const client = setup.client();
    const stream = client.subscribe(countDocument, {});
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    const next = take(stream, 1);
    setup.server.hit = () => new Promise(() => undefined);
    const call = client.mutate(hitDocument, {}, { ...overSocket, timeoutMs: 50, retry: { attempts: 0 } });
    await expect(call).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT', noAnswer: true });
    // Another socket.
    expect(await next).toEqual([1]);
    expect(setup.server.afters).toHaveLength(2);
  });

  it('stops waiting when the signal of a call is aborted', async () => {
    const client = await connected();
    const controller = new AbortController();
    setup.server.hit = () => {
      controller.abort(new Error('enough'));
      return new Promise(() => undefined);
    };
    const { signal } = controller;
    await expect(client.mutate(hitDocument, {}, { ...overSocket, signal })).rejects.toThrow('enough');
    expect(setup.server.connections).toBe(1);
  });
});
