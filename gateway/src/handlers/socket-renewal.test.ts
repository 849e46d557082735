import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Grant } from '@rhizome/authz';
import { type ManualClock, manualClock } from '@rhizome/testkit';
import { RawSocket } from '../testing/raw-socket.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

const changes = 'subscription { itemChanged { cursor item { id } } }';
const everything: readonly Grant[] = [{ experiment: '*', roles: ['ADMIN'] }];

/** In milliseconds. */
const aMoment = 50;

let clock: ManualClock;
let system: TestSystem;
beforeEach(async () => {
  clock = manualClock(new Date());
  system = await startTestSystem({ clock });
});
afterEach(() => system.served.close());

const mint = (
  ttlSeconds: number,
  change: Partial<Parameters<TestSystem['tokens']['mint']>[0]> = {},
): Promise<string> =>
  system.tokens.mint({ kind: 'HUMAN', subject: 'renewing', grants: everything, ttlSeconds, ...change });
const authorization = (token: string) => ({ authorization: `Bearer ${token}` });

/** Sends a token on a socket, and returns the payload of the pong. */
async function renew(socket: RawSocket, token: string): Promise<unknown> {
  socket.send({ type: 'ping', payload: authorization(token) });
  return (await socket.next('pong')).payload;
}

/** Sets the clock shortly before the end of a token: the timers of sockets with it are short, too. */
async function justBeforeEndOf(token: string): Promise<void> {
  const { expiresAt } = await system.tokens.verifier.verify(token);
  clock.advance(expiresAt.getTime() - clock.now().getTime() - aMoment);
}

/** Opens a socket whose token is not renewed; returns a function that lets the token end. */
async function controlOf(token: string): Promise<() => Promise<void>> {
  const control = await RawSocket.ready(system.served.wsUrl, authorization(token));
  return async () => {
    clock.advance(aMoment);
    expect(await control.closed).toEqual({ code: 4403, reason: 'TOKEN_EXPIRED' });
  };
}

describe('a ping with a token', () => {
  it('moves the end of the socket and of its streams', async () => {
    const [first, second] = await Promise.all([mint(3600), mint(3601)]);
    await justBeforeEndOf(first);
    const passEnd = await controlOf(first);
    const socket = await RawSocket.ready(system.served.wsUrl, authorization(first));
    socket.subscribe('1', changes);
    await socket.next('next');
    const { expiresAt } = await system.tokens.verifier.verify(second);
    expect(await renew(socket, second)).toEqual({ expiresAt: expiresAt.toISOString() });
    await passEnd();
    system.log.append('after');
    expect((await socket.next('next')).payload).toMatchObject({
      data: { itemChanged: { item: { id: 'after' } } },
    });
    socket.subscribe('2', '{ item(id: "a") { id } }');
    expect(await socket.next('next', '2')).toMatchObject({ payload: { data: { item: { id: 'a' } } } });
    clock.advance(1000);
    expect((await socket.next('error')).payload).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'TOKEN_EXPIRED' }) }),
    ]);
    expect(await socket.closed).toEqual({ code: 4403, reason: 'TOKEN_EXPIRED' });
  });

  it('ends the streams of a caller whose rights have changed, with their cursors', async () => {
    const socket = await RawSocket.ready(system.served.wsUrl, authorization(await mint(3600)));
    socket.subscribe('1', changes);
    await socket.next('next');
    const narrower = await mint(7200, { grants: [{ experiment: 'alpha', roles: ['READER'] }] });
    expect(await renew(socket, narrower)).toHaveProperty('expiresAt');
    const { cursor } = system.log;
    expect((await socket.next('error')).payload).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'TOKEN_EXPIRED', cursor }) }),
    ]);
    socket.subscribe('2', changes);
    await socket.next('next', '2');
  });

  it.each<[string, string, () => Promise<string>]>([
    ['of another subject', 'FORBIDDEN', () => mint(7200, { subject: 'stranger' })],
    ['of another kind', 'FORBIDDEN', () => mint(7200, { kind: 'PILOT', subject: 'pilot:renewing' })],
    ['that no issuer signed', 'UNAUTHENTICATED', () => system.tokens.foreign()],
    ['that has ended', 'TOKEN_EXPIRED', () => system.tokens.expired()],
  ])('refuses a token %s, and leaves the socket as it was', async (_, code, make) => {
    const first = await mint(3600);
    await justBeforeEndOf(first);
    const socket = await RawSocket.ready(system.served.wsUrl, authorization(first));
    expect(await renew(socket, await make())).toMatchObject({ error: { code } });
    expect(socket.isOpen).toBe(true);
    clock.advance(aMoment);
    expect(await socket.closed).toEqual({ code: 4403, reason: 'TOKEN_EXPIRED' });
  });

  it('is answered with its payload if there is no token in it', async () => {
    const socket = await RawSocket.ready(system.served.wsUrl, authorization(await mint(3600)));
    socket.send({ type: 'ping', payload: { any: 'thing' } });
    expect((await socket.next('pong')).payload).toEqual({ any: 'thing' });
    socket.send({ type: 'ping' });
    expect(await socket.next('pong')).toEqual({ type: 'pong' });
  });
});
