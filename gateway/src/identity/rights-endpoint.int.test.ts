import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CallSigner,
  coreIssuer,
  createCallSigner,
  createCallVerifier,
  createTokenIssuer,
  createVerifier,
  rightsAudience,
  rightsPath,
} from '@rhizome/authz';
import { leftovers, manualClock, testPrincipal } from '@rhizome/testkit';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type GatewayIdentitySystem, startIdentitySystem } from '../testing/identity-system.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

let identities: GatewayIdentitySystem;
let system: TestSystem;
let core: CallSigner;
let keyFile: string;
/** A principal with a membership. */
let known: string;

beforeAll(async () => {
  identities = await startIdentitySystem();
  const { identity, issuer } = identities;
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-core-key-'));
  leftovers.defer('the key of core', () => rm(folder, { recursive: true }));
  keyFile = join(folder, 'core-key.json');
  core = await createCallSigner({ keyFile, issuer: coreIssuer });
  const rightsReaders = createCallVerifier({
    subgraph: rightsAudience,
    issuer: coreIssuer,
    jwks: core.jwks(),
  });
  const { trusted, revocations } = identity;
  const verifier = createVerifier({
    issuers: [trusted, { ...identities.tokens.trusted, alias: 'test' }],
    kinds: ['USER', 'SERVICE', 'AGENT', 'QUEUE', 'WORKER', 'ATTEMPT'],
    revocations,
  });
  system = await startTestSystem({ verifier, identity, rightsReaders, calls: identities.tokens.calls });
  await identity.issuers.set(
    'institute',
    {
      ...{ issuer: issuer.issuer, profile: 'OIDC', jwksUri: null, audiences: [issuer.audience] },
      ...{ experiments: ['heron'], kinds: ['HUMAN'], roles: ['USER'], maxLifetimeSeconds: 3600 },
      ...{ isEnabled: true, login: null, rules: [] },
    },
    testPrincipal(),
  );
  known = (await identity.outside.accept(await issuer.issue({ sub: 'ann', client_id: undefined })))
    .principalId;
  const membership = { principalId: known, experiment: 'heron', expiresAt: null, reason: null } as const;
  await identity.principals.setMembership({ ...membership, roles: ['USER'] }, testPrincipal());
});

const unknown = 'usr_00000000000000000000000000';
const holders = (...subjects: readonly string[]) => ({ holders: subjects.map((subject) => ({ subject })) });

async function ask(token: string | undefined, body: unknown = holders(known), origin = system.served.origin) {
  const response = await fetch(new URL(rightsPath, origin), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.text() };
}

const caller = testPrincipal({ kind: 'SERVICE', subject: 'core', grants: {} });
const admin = testPrincipal();
/** A token that is like one of core in all but one respect. */
const almost = {
  key: async () => (await createCallSigner({ issuer: coreIssuer })).tokenFor(caller, rightsAudience),
  issuer: async () => (await createCallSigner({ keyFile })).tokenFor(caller, rightsAudience),
  expired: async () => {
    const clock = manualClock(new Date(Date.now() - 61_000));
    return (await createCallSigner({ keyFile, issuer: coreIssuer, clock })).tokenFor(caller, rightsAudience);
  },
  kind: async (kind: 'HUMAN' | 'SERVICE') => {
    const audience = `urn:rhizome:subgraph:${rightsAudience}`;
    const issuer = await createTokenIssuer({ keyFile, issuer: coreIssuer, audience });
    return issuer.mint({
      kind,
      subject: 'core',
      grants: [{ experiment: '*', roles: ['ADMIN'] }],
      ttlSeconds: 60,
    });
  },
};

const tokens = () => identities.tokens;

describe('POST /identity/rights', () => {
  it('answers core, in the order of its question', async () => {
    const answer = await ask(await core.tokenFor(caller, rightsAudience), holders(unknown, known));
    expect(answer).toMatchObject({ status: 200 });
    expect(JSON.parse(answer.body)).toEqual({
      rights: [
        { isRevoked: false },
        { isRevoked: false, grants: [{ experiment: 'heron', roles: ['USER'] }] },
      ],
    });
  });

  it.each<[string, () => Promise<string | undefined> | string | undefined]>([
    ['nobody', () => undefined],
    ['a text that is no token', () => 'x.y.z'],
    ['an administrator of everything', () => tokens().admin()],
    [
      'the principal itself',
      async () => {
        const subjectToken = await identities.issuer.issue({ sub: 'ann', client_id: undefined });
        const request = { subjectToken, scope: null, agent: null, lifetimeSeconds: null };
        return (await identities.identity.tokens.exchange(request)).accessToken;
      },
    ],
    ['a service of an experiment', () => tokens().service('heron')],
    ['an agent', () => tokens().agent('admin@example', 'ADMIN')],
    ['a pilot', () => tokens().pilot('north')],
    ['the gateway, for this endpoint', () => tokens().calls.tokenFor(admin, rightsAudience)],
    ['the gateway, for core', () => tokens().calls.tokenFor(admin, 'core')],
    ['the gateway, for an experiment', () => tokens().calls.tokenFor(admin, 'heron')],
    ['core, for another core process', () => core.tokenFor(caller, 'core')],
    ['core, for an experiment', () => core.tokenFor(caller, 'heron')],
    ['core, in an expired token', almost.expired],
    ['another key in the name of core', almost.key],
    ['the key of core in the name of the gateway', almost.issuer],
    ['a person, by the key of core', () => almost.kind('HUMAN')],
    ['a service, by the key of core', () => almost.kind('SERVICE')],
  ])('refuses all callers except core, and says nothing about principals: %s', async (_, tokenOf) => {
    const token = await tokenOf();
    const refused = await ask(token);
    expect(refused.status).toBe(401);
    expect(Object.keys(JSON.parse(refused.body))).toEqual(['code']);
    expect(JSON.parse(refused.body).code).toMatch(/^(UNAUTHENTICATED|TOKEN_EXPIRED)$/);
    // The body does not matter: neither a principal that does not exist, nor a question that is none.
    for (const body of [holders(unknown), '{', holders()]) expect(await ask(token, body)).toEqual(refused);
  });

  it('refuses a question of core that is none, without its text', async () => {
    const token = await core.tokenFor(caller, rightsAudience);
    for (const body of [{}, holders(), { holders: [{ subject: known, grants: [] }] }, '{'])
      expect(await ask(token, body)).toEqual({ status: 400, body: '{"code":"BAD_REQUEST"}' });
    const many = holders(...Array.from({ length: 101 }, () => known));
    expect((await ask(token, many)).status).toBe(400);
  });

  it('does not exist at a gateway without keys of core, nor for another method', async () => {
    const { verifier } = identities.tokens;
    const without = await startTestSystem({ verifier, identity: identities.identity });
    const token = await core.tokenFor(caller, rightsAudience);
    const absent = await fetch(new URL('/identity/none', without.served.origin), { method: 'POST' });
    expect((await ask(token, holders(known), without.served.origin)).status).toBe(absent.status);
    const get = await fetch(new URL(rightsPath, system.served.origin), {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(get.status).toBe(404);
    expect(await get.text()).not.toContain('heron');
  });
});
