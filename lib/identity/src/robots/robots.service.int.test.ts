import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { can, type Role, type Verifier } from '@rhizome/authz';
import { createProofKey, testPrincipal, waitFor } from '@rhizome/testkit';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { admin, ids, identitySystem, type IdentitySystem } from '../testing/identity-system.js';
import { RobotKeysRepository } from './robot-keys.repository.js';
import type { RobotRequest, RobotTokenRequest } from './robots.service.js';

const issuer = 'https://rhizome.test';
const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000);
const patience = { deadlineMs: 120_000 };

let system: IdentitySystem;
let verifier: Verifier;

beforeAll(async () => {
  system = await identitySystem();
  ({ verifier } = system);
});

type Key = ReturnType<typeof createProofKey>;
const publicOf = (key: Key): string => {
  const { d: _private, ...publicKey } = key.export();
  return JSON.stringify(publicKey);
};

const request = (key: Key, change: Partial<RobotRequest> = {}): RobotRequest => ({
  experiment: 'heron',
  name: `robot-${randomUUID().slice(0, 8)}`,
  roles: ['USER'],
  publicKey: publicOf(key),
  expiresAt: inDays(30),
  ...change,
});

interface Registered {
  readonly id: string;
  readonly key: Key;
  readonly keyId: string;
}

async function registered(roles: readonly Role[] = ['USER']): Promise<Registered> {
  const key = createProofKey();
  const { robot, userErrors } = await system.identity.robots.register(request(key, { roles }), admin);
  expect(userErrors).toEqual([]);
  const id = robot?._id ?? '';
  const [{ _id: keyId } = { _id: '' }] = await system.identity.robots.keysOf(id);
  return { id, key, keyId };
}

const assertionOf = (id: string, key: Key, claims: object = {}): string =>
  key.statement('JWT', {
    ...{ iss: id, sub: id, aud: issuer, jti: randomUUID(), exp: Math.floor(Date.now() / 1000) + 60 },
    ...claims,
  });

const token = (assertion: string, more: Partial<RobotTokenRequest> = {}) =>
  system.identity.robots.token({
    ...{ assertion, audiences: [issuer], scope: null, lifetimeSeconds: null, key: undefined },
    ...more,
  });

const tokenOf = async ({ id, key }: Registered): Promise<string> =>
  (await token(assertionOf(id, key))).accessToken;

describe('RobotsService', () => {
  it('gives the holder of a registered key a token with the roles of the robot', async () => {
    const robot = await registered(['READER', 'PRODUCTION']);
    const issued = await token(assertionOf(robot.id, robot.key));
    expect(issued).toMatchObject({ expiresInSeconds: 3600, refreshToken: null });
    expect(await verifier.verify(issued.accessToken)).toMatchObject({
      kind: 'SERVICE',
      subject: robot.id,
      grants: [{ experiment: 'heron', roles: ['PRODUCTION', 'READER'] }],
    });
    const [key] = await system.identity.robots.keysOf(robot.id);
    expect(key?.lastUsedAt).toBeInstanceOf(Date);
  });

  it.each([
    ['P-256', 'ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['Ed25519', 'Ed25519', generateKeyPairSync('ed25519')],
  ])('accepts the assertion that a stock OAuth client makes with a %s key', async (_, alg, pair) => {
    const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const { robot } = await system.identity.robots.register(request(createProofKey(), { publicKey }), admin);
    const algorithm = alg === 'ES256' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' };
    const der = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
    const key = await crypto.subtle.importKey('pkcs8', new Uint8Array(der), algorithm, false, ['sign']);
    const server = { issuer, token_endpoint: `${issuer}/oauth/token` };
    const sent: string[] = [];
    await oauth.clientCredentialsGrantRequest(
      server,
      { client_id: robot?._id ?? '' },
      oauth.PrivateKeyJwt(key),
      new URLSearchParams(),
      {
        [oauth.customFetch]: async (_url, { body }) => {
          sent.push(new URLSearchParams(String(body)).get('client_assertion') ?? '');
          return Response.json({});
        },
      },
    );
    const { accessToken } = await token(sent[0] ?? '');
    expect((await verifier.verify(accessToken)).subject).toBe(robot?._id);
  });

  it('accepts an assertion once, at all gateways', async () => {
    const robot = await registered();
    const assertion = assertionOf(robot.id, robot.key);
    const all = await Promise.allSettled([1, 2, 3].map(() => token(assertion)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it.each<[string, (robot: Registered) => string]>([
    ['another key', ({ id }) => assertionOf(id, createProofKey())],
    ['no known robot', ({ key }) => assertionOf(ids.next('svc'), key)],
    ['another server', ({ id, key }) => assertionOf(id, key, { aud: 'https://elsewhere.test' })],
    ['the past', ({ id, key }) => assertionOf(id, key, { exp: Math.floor(Date.now() / 1000) - 120 })],
    ['an hour', ({ id, key }) => assertionOf(id, key, { exp: Math.floor(Date.now() / 1000) + 3600 })],
    ['no jti', ({ id, key }) => assertionOf(id, key, { jti: undefined })],
    ['a jti that is no text', ({ id, key }) => assertionOf(id, key, { jti: [randomUUID()] })],
    ['another issuer than subject', ({ id, key }) => assertionOf(id, key, { iss: 'svc_x' })],
  ])('refuses an assertion with %s', async (_, make) => {
    const robot = await registered();
    await expect(token(make(robot))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      details: { field: 'client_assertion' },
    });
  });

  it('gives no more than the scope and the present roles', async () => {
    const robot = await registered(['USER']);
    const narrowed = await token(assertionOf(robot.id, robot.key), {
      scope: 'heron:READER',
      lifetimeSeconds: 60,
    });
    expect(narrowed).toMatchObject({ scope: 'heron:READER', expiresInSeconds: 60 });
    await expect(
      token(assertionOf(robot.id, robot.key), { scope: 'heron:PRODUCTION' }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const held = await tokenOf(robot);
    const member = { principalId: robot.id, experiment: 'heron', expiresAt: null, reason: null };
    await system.identity.principals.setMembership({ ...member, roles: [] }, admin);
    const mayRead = async () => can(await verifier.verify(held), 'job:read', 'heron');
    await waitFor('the loss', async () => !(await mayRead()), patience);
    expect((await token(assertionOf(robot.id, robot.key))).scope).toBe('');
  });

  it('ends a token with its key, also when the key ends by itself', async () => {
    const key = createProofKey();
    const soon = new Date(Date.now() + 120_000);
    const { robot } = await system.identity.robots.register(request(key, { expiresAt: soon }), admin);
    const { accessToken, expiresInSeconds } = await token(assertionOf(robot?._id ?? '', key));
    expect(expiresInSeconds).toBeLessThanOrEqual(120);
    const [{ _id: keyId } = { _id: '' }] = await system.identity.robots.keysOf(robot?._id ?? '');
    await system.identity.robots.endKey(keyId, admin);
    await expect(verifier.verify(accessToken)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    await expect(token(assertionOf(robot?._id ?? '', key))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('changes to a new key before the old one ends, whose tokens end with it', async () => {
    const robot = await registered();
    const [before, next] = [await tokenOf(robot), createProofKey()];
    const added = { publicKey: publicOf(next), expiresAt: inDays(30) };
    expect((await system.identity.robots.addKey(robot.id, added, admin)).userErrors).toEqual([]);
    const after = await tokenOf({ ...robot, key: next });
    expect(await tokenOf(robot)).toBeDefined();
    const ended = await system.identity.robots.endKey(robot.keyId, admin);
    expect(ended.key).toMatchObject({ endedBy: admin.subject });
    await expect(verifier.verify(before)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    expect((await verifier.verify(after)).subject).toBe(robot.id);
    const again = await system.identity.robots.addKey(
      robot.id,
      { ...added, publicKey: publicOf(robot.key) },
      admin,
    );
    expect(again.userErrors.map(({ code }) => code)).toEqual(['KEY_IN_USE']);
    expect((await system.identity.robots.endKey(robot.keyId, admin)).userErrors[0]?.code).toBe(
      'ROBOT_KEY_NOT_FOUND',
    );
  });

  it('refuses the tokens of a key whose end was interrupted, and ends it when asked again', async () => {
    const robot = await registered();
    const held = await tokenOf(robot);
    const interrupted = jest.spyOn(RobotKeysRepository.prototype, 'end');
    interrupted.mockRejectedValueOnce(new Error('the store fails'));
    await expect(system.identity.robots.endKey(robot.keyId, admin)).rejects.toThrow('the store fails');
    interrupted.mockRestore();
    await expect(verifier.verify(held)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    expect((await system.identity.robots.endKey(robot.keyId, admin)).key?.endedAt).toBeInstanceOf(Date);
  });

  it('uses a key after any number of later ones', async () => {
    const robot = await registered();
    for (let count = 0; count < 100; count++) {
      const added = { publicKey: publicOf(createProofKey()), expiresAt: inDays(1) };
      await system.identity.robots.addKey(robot.id, added, admin);
      const keys = await system.identity.robots.keysOf(robot.id);
      const later = keys.find(({ _id, endedAt }) => endedAt === null && _id !== robot.keyId);
      await system.identity.robots.endKey(later?._id ?? '', admin);
    }
    expect((await system.identity.robots.keysOf(robot.id)).map(({ _id }) => _id)).not.toContain(robot.keyId);
    expect(await tokenOf(robot)).toBeDefined();
  });

  it('has at most five keys at once', async () => {
    const robot = await registered();
    const add = () =>
      system.identity.robots.addKey(
        robot.id,
        { publicKey: publicOf(createProofKey()), expiresAt: inDays(1) },
        admin,
      );
    for (let count = 1; count < 5; count += 1) expect((await add()).userErrors).toEqual([]);
    expect((await add()).userErrors.map(({ code }) => code)).toEqual(['TOO_MANY_KEYS']);
  });

  it('has at most five keys after concurrent additions, and as many as fit', async () => {
    const robot = await registered();
    const add = async () => {
      const added = { publicKey: publicOf(createProofKey()), expiresAt: inDays(1) };
      const { userErrors } = await system.identity.robots.addKey(robot.id, added, admin);
      return userErrors.map(({ code }) => code).join();
    };
    const codes = await Promise.all(Array.from({ length: 8 }, add));
    expect(codes.sort()).toEqual([...Array<string>(4).fill(''), ...Array<string>(4).fill('TOO_MANY_KEYS')]);
    expect(await system.identity.robots.keysOf(robot.id)).toHaveLength(5);
  });

  it('gives a suspended robot nothing', async () => {
    const robot = await registered();
    const held = await tokenOf(robot);
    await system.identity.tokens.suspend(robot.id, true, admin);
    await expect(verifier.verify(held)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    await expect(tokenOf(robot)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('binds a token to the key of a proof of possession', async () => {
    const robot = await registered();
    const key = { thumbprint: 'k'.repeat(43), use: () => Promise.resolve() };
    const { accessToken } = await token(assertionOf(robot.id, robot.key), { key });
    expect(decodeJwt(accessToken)['cnf']).toEqual({ jkt: key.thumbprint });
  });
});

describe('the registration of robots', () => {
  const local = testPrincipal({ grants: { heron: 'ADMIN' } });

  it.each<[string, Partial<RobotRequest>, string]>([
    ['the role of administrators', { roles: ['ADMIN'] }, 'roles'],
    ['the role of workers', { roles: ['PILOT'] }, 'roles'],
    ['no roles', { roles: [] }, 'roles'],
    ['a name that is none', { name: 'A b' }, 'name'],
    ['a key that ended', { expiresAt: inDays(-1) }, 'keyExpiresAt'],
    ['a key of two years', { expiresAt: inDays(730) }, 'keyExpiresAt'],
    ['a private key', { publicKey: JSON.stringify(createProofKey().export()) }, 'publicKey'],
    ['text', { publicKey: 'ssh-ed25519 AAAA' }, 'publicKey'],
  ])('refuses %s, and does not repeat the key', async (_, change, field) => {
    const wanted = request(createProofKey(), change);
    const { robot, userErrors } = await system.identity.robots.register(wanted, local);
    expect(robot).toBeNull();
    expect(userErrors.map(({ path }) => path[0])).toEqual([field]);
    expect(JSON.stringify(userErrors)).not.toContain(wanted.publicKey);
  });

  it('has one robot of a name in an experiment, and one robot of a key', async () => {
    const first = request(createProofKey());
    expect((await system.identity.robots.register(first, local)).robot).not.toBeNull();
    const named = request(createProofKey(), { name: first.name });
    const codes = async (wanted: RobotRequest) =>
      (await system.identity.robots.register(wanted, local)).userErrors.map(({ code }) => code);
    expect(await codes(named)).toEqual(['ROBOT_EXISTS']);
    expect(await codes({ ...request(createProofKey()), publicKey: first.publicKey })).toEqual(['KEY_IN_USE']);
  });

  it('needs the right to give roles in the experiment, and is not for elevated roles', async () => {
    const { robots } = system.identity;
    const other = testPrincipal({ grants: { egret: 'ADMIN' } });
    await expect(robots.register(request(createProofKey()), other)).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    const { id, keyId } = await registered();
    const key = { publicKey: publicOf(createProofKey()), expiresAt: inDays(1) };
    expect((await robots.addKey(id, key, other)).userErrors[0]?.code).toBe('ROBOT_NOT_FOUND');
    expect((await robots.endKey(keyId, other)).userErrors[0]?.code).toBe('ROBOT_KEY_NOT_FOUND');
    const elevation = { id: 'elv_1', experiment: 'heron', roles: ['ADMIN'], until: inDays(1) } as const;
    const elevated = { ...local, elevation };
    await expect(robots.register(request(createProofKey()), elevated)).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    await expect(robots.addKey(id, key, elevated)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('lists robots to those who may read the identities of the experiment', async () => {
    const { id } = await registered();
    const namesOf = async (by: Parameters<typeof system.identity.robots.page>[2]) =>
      (await system.identity.robots.page(100, null, by)).nodes.map(({ _id }) => _id);
    expect(await namesOf(local)).toContain(id);
    expect(await namesOf(admin)).toContain(id);
    expect(await namesOf(testPrincipal({ grants: { egret: 'ADMIN' } }))).toEqual([]);
  });

  it('refuses a robot the roles that it cannot have', async () => {
    const { id: principalId } = await registered();
    const member = { principalId, experiment: 'heron', expiresAt: null, reason: null };
    const { userErrors } = await system.identity.principals.setMembership(
      { ...member, roles: ['ADMIN'] },
      local,
    );
    expect(userErrors.map(({ path }) => path)).toEqual([['roles']]);
  });
});
