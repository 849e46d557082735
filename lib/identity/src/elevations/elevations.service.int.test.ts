import { beforeAll, describe, expect, it } from '@jest/globals';
import { can, createVerifier, type Principal, type Verifier } from '@rhizome/authz';
import { manualClock, testDatabase, testPrincipal } from '@rhizome/testkit';
import { IssuersRepository } from '../issuers/issuers.repository.js';
import { People } from '../principals/people.js';
import { PrincipalsRepository } from '../principals/principals.repository.js';
import { admin, identitySystem, type IdentitySystem } from '../testing/identity-system.js';
import { ElevationsRepository } from './elevations.repository.js';
import type { ElevationRequest } from './elevations.service.js';

let system: IdentitySystem;
let verifier: Verifier;

beforeAll(async () => {
  system = await identitySystem();
  const { trusted, revocations, people } = system.identity;
  verifier = createVerifier({ issuers: [trusted], revocations, people });
  await system.trust();
});

async function tokenOf(sub: string, more: object = {}): Promise<string> {
  const subjectToken = await system.issuer.issue({ sub, client_id: undefined });
  const request = { subjectToken, scope: null, agent: null, lifetimeSeconds: null, ...more };
  return (await system.identity.tokens.exchange(request)).accessToken;
}

interface Person {
  readonly token: string;
  readonly principal: Principal;
}

/** A user of heron with PRODUCTION ready there. */
async function person(sub: string): Promise<Person> {
  const { subject: principalId } = await verifier.verify(await tokenOf(sub));
  const membership = { principalId, expiresAt: null, reason: null };
  const ready = { experiment: 'heron', roles: ['USER'], elevatableRoles: ['PRODUCTION'] } as const;
  const { userErrors } = await system.identity.principals.setMembership({ ...membership, ...ready }, admin);
  expect(userErrors).toEqual([]);
  const token = await tokenOf(sub);
  return { token, principal: await verifier.verify(token) };
}

const request = (change: Partial<ElevationRequest> = {}): ElevationRequest => ({
  experiment: 'heron',
  roles: ['PRODUCTION'],
  reason: 'the queue of the night is stuck',
  minutes: 60,
  ...change,
});

const mayManage = async (token: string): Promise<boolean> =>
  can(await verifier.verify(token), 'job:manageAny', 'heron');

describe('ElevationsService', () => {
  it('gives the roles to one token, until the elevation ends', async () => {
    const { token, principal } = await person('ann');
    const { elevation, accessToken } = await system.identity.elevations.start(request(), principal);
    const elevated = await verifier.verify(accessToken ?? '');
    expect(elevated).toMatchObject({
      subject: principal.subject,
      kind: 'HUMAN',
      grants: [{ experiment: 'heron', roles: ['PRODUCTION', 'USER'] }],
      elevation: { id: elevation?._id, experiment: 'heron', roles: ['PRODUCTION'] },
      expiresAt: elevation?.expiresAt,
    });
    expect(elevated.elevation?.until).toEqual(elevation?.expiresAt);
    expect(await mayManage(accessToken ?? '')).toBe(true);
    // Tokens from before the elevation, and those from after its start, stay as they are.
    expect(await mayManage(token)).toBe(false);
    expect(await mayManage(await tokenOf('ann'))).toBe(false);
    const clock = manualClock(elevation?.expiresAt ?? new Date());
    const later = createVerifier({ issuers: [system.identity.trusted], clock });
    await expect(later.verify(accessToken ?? '')).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
  });

  it('ends by itself also for work that outlasts a call', async () => {
    const { principal } = await person('bea');
    const { elevation } = await system.identity.elevations.start(request({ minutes: 1 }), principal);
    const db = (await testDatabase()).client.db(system.database);
    const issuers = await new IssuersRepository(db).all();
    const clock = manualClock(new Date((elevation?.expiresAt.getTime() ?? 0) - 1));
    const people = new People({
      principals: new PrincipalsRepository(db),
      issuers: { all: () => Promise.resolve(issuers) },
      sources: [new ElevationsRepository(db)],
      clock,
    });
    const held = async () => (await people.rightsOf(principal.subject)).grants;
    expect(await held()).toEqual([{ experiment: 'heron', roles: ['PRODUCTION', 'USER'] }]);
    clock.advance(1);
    expect(await held()).toEqual([{ experiment: 'heron', roles: ['USER'] }]);
    people.stop();
  });

  it('ends when the person ends it, with its token', async () => {
    const { token, principal } = await person('cid');
    const { elevations } = system.identity;
    const { elevation, accessToken } = await elevations.start(request(), principal);
    const id = elevation?._id ?? '';
    const ended = await elevations.end(id, await verifier.verify(accessToken ?? ''));
    expect(ended).toMatchObject({ elevation: { endedBy: principal.subject }, userErrors: [] });
    await expect(verifier.verify(accessToken ?? '')).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    expect((await verifier.verify(token)).subject).toBe(principal.subject);
    const again = await elevations.end(id, principal);
    expect(again.userErrors.map(({ code }) => code)).toEqual(['ELEVATION_NOT_FOUND']);
  });

  it('is ended by administrators of its experiment only, and does not exist for others', async () => {
    const { principal } = await person('dan');
    const { elevations } = system.identity;
    const { elevation } = await elevations.start(request(), principal);
    const id = elevation?._id ?? '';
    const foreign = testPrincipal({ subject: 'f@x', grants: { egret: 'ADMIN' } });
    const [refused, unknown] = [await elevations.end(id, foreign), await elevations.end('elv_0', foreign)];
    expect(refused.userErrors[0]?.message.replace(id, 'elv_0')).toBe(unknown.userErrors[0]?.message);
    expect((await elevations.page(10, null, foreign)).nodes).toEqual([]);
    const local = testPrincipal({ subject: 'l@x', grants: { heron: 'ADMIN' } });
    expect((await elevations.page(10, null, local)).nodes.map(({ _id }) => _id)).toContain(id);
    expect(await elevations.end(id, local)).toMatchObject({ elevation: { endedBy: 'l@x' } });
    expect((await elevations.page(10, null, principal)).nodes.map(({ _id }) => _id)).toEqual([id]);
  });

  it.each<[string, Partial<ElevationRequest>, string, string]>([
    ['a role that is not ready', { roles: ['ADMIN'] }, 'NOT_ELEVATABLE', 'roles'],
    ['an experiment in which none is ready', { experiment: 'egret' }, 'NOT_ELEVATABLE', 'roles'],
    ['all experiments', { experiment: '*' }, 'NOT_ELEVATABLE', 'roles'],
    ['no role', { roles: [] }, 'INVALID_VALUE', 'roles'],
    ['the role of workers', { roles: ['PILOT'] }, 'INVALID_VALUE', 'roles'],
    ['no reason', { reason: '' }, 'INVALID_VALUE', 'reason'],
    ['a reason of blanks', { reason: ' '.repeat(20) }, 'INVALID_VALUE', 'reason'],
    ['a short reason', { reason: 'because' }, 'INVALID_VALUE', 'reason'],
    ['more than an hour', { minutes: 61 }, 'INVALID_VALUE', 'minutes'],
  ])('refuses %s', async (_, change, code, field) => {
    const { principal } = await person('eve');
    const { elevation, accessToken, userErrors } = await system.identity.elevations.start(
      request(change),
      principal,
    );
    expect([elevation, accessToken]).toEqual([null, null]);
    expect(userErrors).toMatchObject([{ code, path: [field] }]);
  });

  it('refuses agents, tokens with fewer rights and elevated tokens', async () => {
    const { token, principal } = await person('fay');
    const { elevations, tokens } = system.identity;
    const exchanged = { subjectToken: token, scope: null, agent: null, lifetimeSeconds: null };
    const agent = await tokens.exchange({ ...exchanged, agent: 'notebook' });
    const limited = await tokens.exchange({ ...exchanged, scope: 'job:read' });
    for (const { accessToken } of [agent, limited])
      await expect(elevations.start(request(), await verifier.verify(accessToken))).rejects.toMatchObject({
        code: 'FORBIDDEN',
      });
    const { accessToken } = await elevations.start(request(), principal);
    const elevated = accessToken ?? '';
    await expect(elevations.start(request(), await verifier.verify(elevated))).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    // No program and no agent gets the roles by an exchange.
    for (const agentName of [null, 'notebook'])
      await expect(
        tokens.exchange({ ...exchanged, subjectToken: elevated, agent: agentName }),
      ).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('is not ready any more when the membership has ended', async () => {
    const { principal } = await person('gil');
    const change = { principalId: principal.subject, experiment: 'heron', expiresAt: null, reason: null };
    await system.identity.principals.setMembership({ ...change, roles: [] }, admin);
    const { userErrors } = await system.identity.elevations.start(request(), principal);
    expect(userErrors).toMatchObject([{ code: 'NOT_ELEVATABLE' }]);
  });
});
