import { describe, expect, it } from '@jest/globals';
import { GraphQLError, parse } from 'graphql';
import { RhizomeApiError } from './api-error.js';
import type { ApiClient } from './client.js';
import { countDocument, streamSetup, take, until } from './testing/streams-setup.fixture.js';

const setup = streamSetup();
const { reconnects, resumable } = setup;

describe('token of a stream', () => {
  it('ends the stream if the server rejects it', async () => {
    setup.server.refuse = () => 'UNAUTHENTICATED';
    const stream = setup.client().subscribe(countDocument, {}, resumable);
    await expect(stream.next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(reconnects).toEqual([]);
  });

  it('is replaced after it has expired, at connection or later, and the stream continues', async () => {
    let issued = 0;
    const expired: boolean[] = [];
    const token = (ended: boolean) => {
      expired.push(ended);
      if (ended) issued += 1;
      return `token-${issued}`;
    };
    setup.server.refuse = (given) => (given === 'Bearer token-0' ? 'TOKEN_EXPIRED' : undefined);
    const stream = setup.client({ token }).subscribeResumable(countDocument, {}, resumable);
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    setup.server.instead = new GraphQLError('ended', { extensions: { code: 'TOKEN_EXPIRED' } });
    const next = take(stream, 1);
    setup.server.wake();
    setup.server.to(2);
    expect(await next).toEqual([2]);
    expect(setup.server.tokens).toEqual(['Bearer token-0', 'Bearer token-1', 'Bearer token-2']);
    expect(expired).toEqual([false, true, true]);
  });

  it('is replaced each time it expires, however long the stream has no event', async () => {
    let issued = 0;
    const token = (ended: boolean) => `token-${(issued += ended ? 1 : 0)}`;
    const stream = setup.client({ token }).subscribeResumable(countDocument, {}, resumable);
    const next = take(stream, 1);
    for (let round = 1; round <= 4; round++) {
      await until(() => setup.server.afters.length === round);
      // The token is valid for longer than one that is refused at once.
      await new Promise((resolve) => setTimeout(resolve, 600));
      setup.server.instead = new GraphQLError('ended', { extensions: { code: 'TOKEN_EXPIRED' } });
      setup.server.wake();
    }
    await until(() => setup.server.afters.length === 5);
    setup.server.to(1);
    setup.server.wake();
    expect(await next).toEqual([1]);
    expect(issued).toBe(4);
  });

  it('ends the stream if each new token is refused at once', async () => {
    const token = () => 'token';
    setup.server.refuse = () => 'TOKEN_EXPIRED';
    const stream = setup.client({ token }).subscribeResumable(countDocument, {}, resumable);
    await expect(stream.next()).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
    expect(setup.server.tokens).toHaveLength(3);
  });

  it('ends the stream if there is no new token, with the reason', async () => {
    const ended = new RhizomeApiError({ code: 'UNAUTHENTICATED', message: 'The login has ended' });
    const token = (isExpired: boolean) => (isExpired ? Promise.reject(ended) : 'token');
    const stream = setup.client({ token }).subscribeResumable(countDocument, {}, resumable);
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    setup.server.instead = new GraphQLError('ended', { extensions: { code: 'TOKEN_EXPIRED' } });
    const next = stream.next();
    setup.server.wake();
    await expect(next).rejects.toMatchObject({ code: 'UNAUTHENTICATED', message: 'The login has ended' });
  });
});

describe('a token that is renewed while a stream is open', () => {
  /** A token in the form of a JWT. */
  const endingIn = (seconds: number, name: string): string => {
    const exp = Date.now() / 1000 + seconds;
    return `e30.${Buffer.from(JSON.stringify({ exp, name })).toString('base64url')}.${name}`;
  };

  /** Makes a client ask for its token, as a request does; the request itself is not sent. */
  const getsToken = (one: ApiClient) =>
    expect(one.query(parse('{ ping }'), {}, { signal: AbortSignal.abort() })).rejects.toBeDefined();

  it('is sent in a ping before the one before it ends, each time, and the socket stays', async () => {
    const given: string[] = [];
    const token = (expired: boolean): string => {
      if (expired || given.length === 0) given.push(endingIn(2, `t${given.length}`));
      return given.at(-1) ?? '';
    };
    const stream = setup.client({ token }).subscribeResumable(countDocument, {}, resumable);
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    await until(() => setup.server.renewals.length >= 3);
    setup.server.to(2);
    expect(await take(stream, 1)).toEqual([2]);
    // On a slow machine there are more by now.
    expect(setup.server.renewals.slice(0, 3).map(({ authorization }) => authorization)).toEqual(
      given.slice(1, 4).map((one) => `Bearer ${one}`),
    );
    expect(setup.server.connections).toBe(1);
    expect(reconnects).toEqual([]);
  });

  it('is sent as soon as a request has got it', async () => {
    let current = endingIn(3600, 'first');
    const one = setup.client({ token: () => current });
    const stream = one.subscribeResumable(countDocument, {}, resumable);
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    current = endingIn(3600, 'second');
    await getsToken(one);
    await until(() => setup.server.renewals.length === 1);
    expect(setup.server.renewals[0]).toEqual({ authorization: `Bearer ${current}` });
  });

  it('opens another socket if the server refuses the token on this one', async () => {
    let current = endingIn(3600, 'first');
    setup.server.refuseRenewal = () => 'FORBIDDEN';
    const one = setup.client({ token: () => current });
    const stream = one.subscribeResumable(countDocument, {}, resumable);
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    const next = take(stream, 1);
    current = endingIn(3600, 'second');
    await getsToken(one);
    await until(() => setup.server.tokens.length === 2);
    setup.server.to(2);
    expect(await next).toEqual([2]);
    expect(setup.server.tokens[1]).toBe(`Bearer ${current}`);
  });
});
