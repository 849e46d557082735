import { beforeAll, describe, expect, it } from '@jest/globals';
import { createVerifier } from '@rhizome/authz';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import {
  type GatewayIdentitySystem,
  otherIdentity,
  ownIssuer,
  postForm,
  startIdentitySystem,
  trustIssuer,
} from '../testing/identity-system.js';
import { post } from '../testing/post.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';
import { EventReader } from '../testing/event-reader.js';
import { Watcher } from '../testing/watcher.js';

/** A revocation is known everywhere within 2 s on an idle machine. */
const soon = { deadlineMs: 2000 };

/** The text of an event stream up to its end. */
async function lastBlocks(events: EventReader): Promise<string> {
  let text = '';
  for (let block = await events.block(); block !== undefined; block = await events.block()) text += block;
  return text;
}

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwt = 'urn:ietf:params:oauth:token-type:jwt';

describe('the token endpoint', () => {
  let system: GatewayIdentitySystem;
  let served: { readonly origin: string; readonly url: string };
  beforeAll(async () => {
    system = await startIdentitySystem();
    served = await system.gateway();
    await trustIssuer(system);
  });
  const outside = (sub = 'ann') => system.issuer.issue({ sub, client_id: undefined });
  const token = (form: Record<string, string>) => postForm(served.origin, '/oauth/token', form);
  const login = async (scope = '') =>
    token({ grant_type: exchange, subject_token: await outside(), subject_token_type: jwt, scope });

  it('exchanges, refreshes and revokes as RFC 8693, 6749 and 7009 say', async () => {
    const first = await login('offline_access heron:READER');
    expect(first).toMatchObject({
      status: 200,
      body: {
        token_type: 'Bearer',
        expires_in: 1800,
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        scope: 'heron:READER',
      },
    });
    expect(first.headers.get('cache-control')).toBe('no-store');
    const second = await token({ grant_type: 'refresh_token', refresh_token: first.body.refresh_token });
    expect(second.status).toBe(200);
    const revoked = await postForm(served.origin, '/oauth/revoke', { token: second.body.refresh_token });
    expect([revoked.status, revoked.body]).toEqual([200, null]);
    const third = await token({ grant_type: 'refresh_token', refresh_token: second.body.refresh_token });
    expect(third).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it.each(['audience', 'resource'])(
    'gives tokens for the endpoint of assistants alone, by %s',
    async (field) => {
      const endpoint = `${ownIssuer}/mcp`;
      const form = { grant_type: exchange, subject_token: await outside(), subject_token_type: jwt };
      const { body } = await token({ ...form, agent: 'assistant', [field]: endpoint });
      expect(decodeJwt(body.access_token)).toMatchObject({ aud: endpoint });
      const list = (bearer: string): Promise<Response> =>
        fetch(`${served.origin}/mcp`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            authorization: `Bearer ${bearer}`,
          },
          body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
        });
      expect((await list(body.access_token)).status).toBe(200);
      const own = await login();
      expect((await list(own.body.access_token)).status).toBe(401);
      const refreshed = await token({
        ...{ grant_type: 'refresh_token', refresh_token: own.body.refresh_token, [field]: endpoint },
      });
      expect(refreshed).toMatchObject({
        status: 400,
        body: { error_description: expect.stringContaining(`${field}: `) },
      });
      await postForm(served.origin, '/oauth/revoke', { token: body.access_token });
      await waitFor('the revocation', async () => (await list(body.access_token)).status === 401, {
        deadlineMs: 30_000,
      });
    },
  );

  it('publishes keys and metadata by which a stock library verifies its tokens', async () => {
    const { body } = await login();
    const metadata = (await (
      await fetch(`${served.origin}/.well-known/oauth-authorization-server`)
    ).json()) as object;
    expect(metadata).toMatchObject({
      issuer: ownIssuer,
      token_endpoint: `${ownIssuer}/oauth/token`,
      jwks_uri: `${ownIssuer}/.well-known/jwks.json`,
    });
    const keys = createRemoteJWKSet(new URL(`${served.origin}/.well-known/jwks.json`));
    const { payload } = await jwtVerify(body.access_token, keys, {
      issuer: ownIssuer,
      audience: 'rhizome',
      typ: 'at+jwt',
    });
    expect(payload.sub).toMatch(/^usr_/);
    for (const path of [
      '/.well-known/oauth-protected-resource',
      '/.well-known/oauth-protected-resource/graphql',
    ]) {
      expect(await (await fetch(served.origin + path)).json()).toMatchObject({
        resource: `${ownIssuer}/graphql`,
        authorization_servers: [ownIssuer],
      });
    }
  });

  it('lists the issuers at which people log in, and names the client in its tokens', async () => {
    const { issuer, audience, publicClient } = system.issuer;
    const login = { clientId: publicClient, scopes: ['openid', 'email'] };
    const record = {
      name: 'institute',
      issuer,
      profile: 'OIDC',
      audiences: [audience],
      experiments: ['heron'],
    };
    const everyone = {
      name: 'users',
      isForEveryone: true,
      grants: [{ experiment: 'heron', roles: ['USER'] }],
    };
    const { data } = await system.ask(
      'mutation ($input: SetTokenIssuerInput!) { setTokenIssuer(input: $input) { tokenIssuer { login { clientId scopes hasOpaqueAccessTokens } } } }',
      { input: { ...record, login, rules: [everyone] } },
    );
    expect(data.setTokenIssuer.tokenIssuer.login).toEqual({ ...login, hasOpaqueAccessTokens: false });
    const offers = () =>
      fetch(`${served.origin}/.well-known/oauth-authorization-server`)
        .then((response) => response.json())
        .then((metadata) => (metadata as { rhizome_login_issuers: object[] }).rhizome_login_issuers);
    // The list is kept for two seconds.
    const listed = await waitFor('the list', async () => ((await offers()).length > 0 ? offers() : null), {
      deadlineMs: 60_000,
    });
    expect(listed).toEqual([
      {
        ...{ name: 'institute', issuer, profile: 'OIDC', audience },
        client_id: publicClient,
        scope: 'openid email',
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      },
    ]);
    const exchanged = await token({
      grant_type: exchange,
      client_id: 'rhizome-cli',
      subject_token: await outside(),
      subject_token_type: jwt,
      requested_lifetime: '120',
      scope: 'offline_access',
    });
    expect(decodeJwt(exchanged.body.access_token)).toMatchObject({ client_id: 'rhizome-cli' });
    const renewed = await token({ grant_type: 'refresh_token', refresh_token: exchanged.body.refresh_token });
    expect(renewed.body).toMatchObject({ expires_in: 120 });
    expect(decodeJwt(renewed.body.access_token)).toMatchObject({ client_id: 'rhizome-cli' });
  });

  it.each<[string, Record<string, string>, string]>([
    ['a token for another audience', { audience: 'https://elsewhere.example' }, 'invalid_target'],
    ['a token for another resource', { resource: 'https://elsewhere.example/graphql' }, 'invalid_target'],
    ['a client id that is none', { client_id: 'a b' }, 'invalid_request'],
  ])('refuses %s', async (_, more, error) => {
    const form = { grant_type: exchange, subject_token: await outside(), subject_token_type: jwt };
    expect(await token({ ...form, ...more })).toMatchObject({ status: 400, body: { error } });
  });

  it.each<[string, Record<string, string>, string]>([
    ['another grant type', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['another type of token', { grant_type: exchange, subject_token_type: 'urn:x' }, 'invalid_request'],
    [
      'text that is no token',
      { grant_type: exchange, subject_token_type: jwt, subject_token: 'x' },
      'invalid_grant',
    ],
    ['an unknown refresh token', { grant_type: 'refresh_token', refresh_token: 'rhr_x' }, 'invalid_grant'],
  ])('refuses %s', async (_, form, error) => {
    expect(await token(form)).toMatchObject({ status: 400, body: { error } });
  });

  it('refuses a scope that is unknown or too large', async () => {
    expect(await login('everything')).toMatchObject({ status: 400, body: { error: 'invalid_scope' } });
    expect(await login('heron:ADMIN')).toMatchObject({ status: 400, body: { error: 'invalid_scope' } });
  });

  it('replaces the signing key, and removes one at once with all its tokens', async () => {
    const rotate = `mutation ($input: RotateSigningKeyInput!) { rotateSigningKey(input: $input) { keyIds userErrors { code } } }`;
    const { data } = await system.ask(rotate, { input: {} });
    expect(data.rotateSigningKey.keyIds).toHaveLength(3);
    const missing = await system.ask(rotate, { input: { removedKeyId: 'none' } });
    expect(missing.data.rotateSigningKey.userErrors).toEqual([{ code: 'KEY_NOT_FOUND' }]);
    const reader = await system.tokens.human('a@b', { heron: 'ADMIN' });
    expect(await system.ask(rotate, { input: {} }, reader)).toMatchObject({ codes: ['FORBIDDEN'] });
  });
});

describe('revocation', () => {
  let identities: GatewayIdentitySystem;
  let system: TestSystem;
  beforeAll(async () => {
    identities = await startIdentitySystem();
    const { identity } = identities;
    const { trusted, revocations, people } = identity;
    const verifier = createVerifier({ issuers: [trusted], revocations, people });
    system = await startTestSystem({ identity, verifier });
    await trustIssuer(identities);
  });
  const issue = async (sub: string) => {
    const subjectToken = await identities.issuer.issue({ sub, client_id: undefined });
    const issued = await identities.identity.tokens.exchange({
      subjectToken,
      scope: null,
      agent: null,
      lifetimeSeconds: null,
    });
    return issued.accessToken;
  };

  it('reaches a second process, its requests, sockets, event streams and long polls', async () => {
    const [token, other] = [await issue('ann'), await issue('bob')];
    const headers = { authorization: `Bearer ${token}` };
    const query = 'subscription { itemChanged { cursor } }';
    const watch = await Watcher.open(system.served.wsUrl, headers, [{ query }]);
    const stranger = await Watcher.open(system.served.wsUrl, { authorization: `Bearer ${other}` }, [
      { query },
    ]);
    const events = await EventReader.post(system.served.url, query, headers);
    await events.block();
    const poll = post(system.served.url, '{ slow }', headers);
    await waitFor('the long poll', () => system.slow.waiting === 1, soon);
    // Another process of the same deployment, on the same store.
    const second = await otherIdentity(identities);
    await second.tokens.revoke(token);
    await waitFor('the end of the socket', () => !watch.isOpen, soon);
    expect(JSON.stringify(watch.streams[0]?.ended)).toContain('TOKEN_REVOKED');
    expect(await lastBlocks(events)).toContain('TOKEN_REVOKED');
    expect((await poll).body.errors?.[0]?.extensions).toMatchObject({ code: 'TOKEN_REVOKED' });
    const again = await post(system.served.url, '{ items { id } }', headers);
    expect([again.status, again.body.errors?.[0]?.extensions['code']]).toEqual([401, 'TOKEN_REVOKED']);
    const cursor = system.log.append('a');
    await waitFor('the next event of another caller', () => stranger.hasSeen(cursor), soon);
    expect(stranger.isOpen).toBe(true);
    stranger.drop();
  });

  it('ends what is open with rights that were lost, and lets the caller come back with the rest', async () => {
    const [token, other] = [await issue('eve'), await issue('fay')];
    const { principals } = identities.identity;
    const { sub: principalId = '' } = decodeJwt(token);
    const member = { principalId, experiment: 'heron', expiresAt: null, reason: null };
    const admin = testPrincipal();
    await principals.setMembership({ ...member, roles: ['READER'] }, admin);
    const headers = { authorization: `Bearer ${await issue('eve')}` };
    const query = 'subscription { itemChanged { cursor } }';
    const watch = await Watcher.open(system.served.wsUrl, headers, [{ query }]);
    const stranger = await Watcher.open(system.served.wsUrl, { authorization: `Bearer ${other}` }, [
      { query },
    ]);
    const events = await EventReader.post(system.served.url, query, headers);
    await events.block();
    await principals.setMembership({ ...member, roles: [] }, admin);
    await waitFor('the end of the socket', () => !watch.isOpen, soon);
    expect(JSON.stringify(watch.streams[0]?.ended)).toContain('RIGHTS_CHANGED');
    expect(await lastBlocks(events)).toContain('RIGHTS_CHANGED');
    const again = await EventReader.post(system.served.url, query, headers);
    expect(await again.block()).toBeDefined();
    again.leave();
    expect(stranger.isOpen).toBe(true);
    stranger.drop();
  });
});
