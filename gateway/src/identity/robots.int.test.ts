import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createVerifier } from '@rhizome/authz';
import { createProofKey, type ProofKey, waitFor } from '@rhizome/testkit';
import { decodeJwt } from 'jose';
import { openTestAudit } from '../testing/audit-system.js';
import {
  type GatewayIdentitySystem,
  otherIdentity,
  ownIssuer,
  postForm,
  startIdentitySystem,
} from '../testing/identity-system.js';
import { post } from '../testing/post.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

// Robots and tokens for other services, through a whole gateway.

const patience = { deadlineMs: 120_000 };
const archive = 'https://archive.test';
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

let identities: GatewayIdentitySystem;
let system: TestSystem;
let audit: Awaited<ReturnType<typeof openTestAudit>>;

beforeAll(async () => {
  identities = await startIdentitySystem();
  audit = await openTestAudit();
  const identity = { ...identities.identity, otherAudiences: [archive] };
  const { trusted, revocations, people } = identity;
  const verifier = createVerifier({ issuers: [trusted], revocations, people });
  system = await startTestSystem({ identity, verifier, audit });
});

const register = async (key: ProofKey, name: string): Promise<{ id: string; keyId: string }> => {
  const { d: _private, ...publicKey } = key.export();
  const input = {
    ...{ experiment: 'heron', name, roles: ['USER'], publicKey: JSON.stringify(publicKey) },
    keyExpiresAt: new Date(Date.now() + 86_400_000).toISOString(),
  };
  const { data } = await identities.ask(
    `mutation ($input: RegisterRobotInput!) {
      registerRobot(input: $input) { robot { id keys { id } } userErrors { message } }
    }`,
    { input },
  );
  expect(data.registerRobot.userErrors).toEqual([]);
  const { id, keys } = data.registerRobot.robot;
  return { id, keyId: keys[0].id };
};

const assertion = (id: string, key: ProofKey, aud: string = ownIssuer): string => {
  const exp = Math.floor(Date.now() / 1000) + 60;
  return key.statement('JWT', { iss: id, sub: id, aud, jti: randomUUID(), exp });
};

const send = (form: Record<string, string>, headers: Record<string, string> = {}) =>
  postForm(system.served.origin, '/oauth/token', form, headers);
const credentials = (text: string) => ({
  grant_type: 'client_credentials',
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: text,
});
const items = (token: string, headers: Record<string, string> = {}) =>
  post(system.served.url, '{ items { id } }', { authorization: `Bearer ${token}`, ...headers });

describe('the token endpoint for robots', () => {
  it('gives a token that the API accepts, and records the login', async () => {
    const key = createProofKey();
    const { id } = await register(key, 'nightly');
    const { status, body } = await send(credentials(assertion(id, key)));
    expect([status, body.token_type]).toEqual([200, 'Bearer']);
    expect((await items(body.access_token)).status).toBe(200);
    const login = await waitFor(
      'the entry',
      async () => {
        const { nodes } = await audit.repository.page({}, '*', { first: 100, after: null });
        return nodes.find(({ action, outcome }) => action === 'oauth.robot' && outcome) ?? null;
      },
      patience,
    );
    expect(login).toMatchObject({ kind: 'LOGIN', actor: { kind: 'SERVICE', subject: id } });
  });

  it('accepts its own address as the audience, and binds the token to a proof of possession', async () => {
    const [key, bound] = [createProofKey(), createProofKey()];
    const { id } = await register(key, 'bound');
    const url = `${system.served.origin}/oauth/token`;
    const dpop = bound.proof({ method: 'POST', url });
    const { body } = await send(credentials(assertion(id, key, url)), { dpop });
    expect(body.token_type).toBe('DPoP');
    expect((await items(body.access_token)).status).toBe(401);
    const proof = bound.proof({ method: 'POST', url: system.served.url, token: body.access_token });
    const answer = await items(body.access_token, {
      authorization: `DPoP ${body.access_token}`,
      dpop: proof,
    });
    expect(answer.status).toBe(200);
  });

  it.each<[string, object, string]>([
    ['a client secret', { client_assertion_type: 'secret' }, 'invalid_request'],
    ['no assertion', { client_assertion: '' }, 'invalid_client'],
    ['text that is no assertion', { client_assertion: 'x.y.z' }, 'invalid_client'],
  ])('refuses %s', async (_, change, error) => {
    const form = { ...credentials('x'), ...change };
    expect(await send(form)).toMatchObject({ status: 400, body: { error } });
  });

  it('announces the method to clients', async () => {
    const answer = await fetch(`${system.served.origin}/.well-known/oauth-authorization-server`);
    expect(await answer.json()).toMatchObject({
      grant_types_supported: expect.arrayContaining(['client_credentials']),
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
    });
  });

  it('refuses the tokens of a key that was ended at another gateway', async () => {
    const key = createProofKey();
    const { id, keyId } = await register(key, 'ending');
    const { body } = await send(credentials(assertion(id, key)));
    const other = await otherIdentity(identities);
    const { body: elsewhere } = await send(credentials(assertion(id, key)));
    const text =
      'mutation ($id: ID!) { endRobotKey(input: { id: $id }) { key { endedAt } userErrors { code } } }';
    const { data } = await identities.ask(text, { id: keyId });
    expect(data.endRobotKey).toEqual({ key: { endedAt: expect.any(String) }, userErrors: [] });
    expect((await items(body.access_token)).body.errors?.[0]?.extensions['code']).toBe('TOKEN_REVOKED');
    const { trusted, revocations } = other;
    const verifier = createVerifier({ issuers: [trusted], revocations });
    const refusal = () =>
      verifier.verify(elsewhere.access_token).then(
        () => false,
        () => true,
      );
    await waitFor('the other gateway', refusal, patience);
    expect(await send(credentials(assertion(id, key)))).toMatchObject({ body: { error: 'invalid_client' } });
  });
});

describe('a token for another service', () => {
  const exchanged = async (more: Record<string, string>, name: string) => {
    const key = createProofKey();
    const { id } = await register(key, name);
    const { body } = await send(credentials(assertion(id, key)));
    const subject = { subject_token: body.access_token, subject_token_type: accessToken };
    return send({ grant_type: exchange, ...subject, ...more });
  };

  it('names the service, has the scope that was asked for, and is refused here', async () => {
    const { status, body } = await exchanged({ audience: archive, scope: 'heron:READER' }, 'archivist');
    expect(status).toBe(200);
    expect(decodeJwt(body.access_token)).toMatchObject({
      aud: archive,
      rhizome: { grants: [{ experiment: 'heron', roles: ['READER'] }] },
    });
    const { iat = 0, exp = 0 } = decodeJwt(body.access_token);
    expect(exp - iat).toBeLessThanOrEqual(900);
    expect((await items(body.access_token)).status).toBe(401);
    const again = { subject_token: body.access_token, subject_token_type: accessToken };
    expect(await send({ grant_type: exchange, ...again })).toMatchObject({
      body: { error: 'invalid_grant' },
    });
  });

  it('is refused for a service that is not known here, with the known ones', async () => {
    const { status, body } = await exchanged({ audience: 'https://elsewhere.test' }, 'stray');
    expect([status, body.error]).toEqual([400, 'invalid_target']);
    expect(body).toMatchObject({ error_description: expect.stringContaining(archive) });
  });
});
