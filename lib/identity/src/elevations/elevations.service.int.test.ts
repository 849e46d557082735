import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  can,
  createPrincipal,
  createVerifier,
  type Principal,
  type Role,
  type Verifier,
  withCurrentRights,
} from '@rhizome/authz';
import { manualClock, testPrincipal, waitFor } from '@rhizome/testkit';
import { admin, ids, identitySystem, type IdentitySystem } from '../testing/identity-system.js';
import { ElevationsRepository } from './elevations.repository.js';
import type { ElevationRequest } from './elevations.service.js';

const patience = { deadlineMs: 120_000 };

let system: IdentitySystem;
let verifier: Verifier;

beforeAll(async () => {
  system = await identitySystem();
  ({ verifier } = system);
  await system.trust();
});

/** The login of a browser as the gateway keeps it. */
async function loginOf(sub: string) {
  const token = await system.issuer.issue({ sub, client_id: undefined });
  const { issuer, claims } = await system.identity.outside.accept(token);
  return { family: ids.next('login'), issuer: issuer.issuer, claims };
}

interface Person {
  readonly token: string;
  readonly principal: Principal;
}

/** A user of heron with roles ready there. */
async function person(sub: string, elevatableRoles: readonly Role[] = ['PRODUCTION']): Promise<Person> {
  const { subject: principalId } = await verifier.verify(await system.tokenOf(sub));
  const membership = { principalId, expiresAt: null, reason: null };
  const ready = { experiment: 'heron', roles: ['USER'], elevatableRoles } as const;
  const { userErrors } = await system.identity.principals.setMembership({ ...membership, ...ready }, admin);
  expect(userErrors).toEqual([]);
  const token = await system.tokenOf(sub);
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
    expect(await mayManage(await system.tokenOf('ann'))).toBe(false);
    const clock = manualClock(elevation?.expiresAt ?? new Date());
    const later = createVerifier({ issuers: [system.identity.trusted], clock });
    await expect(later.verify(accessToken ?? '')).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
  });

  it('ends by itself also for work that outlasts a call', async () => {
    const { principal } = await person('bea');
    const { elevation, accessToken } = await system.identity.elevations.start(request(), principal);
    const elevated = await verifier.verify(accessToken ?? '');
    const until = elevation?.expiresAt ?? new Date();
    const { rights } = system.identity;
    const manages = async (now: Date): Promise<boolean> => {
      const current = await withCurrentRights(elevated, rights, now);
      return current !== undefined && can(current, 'job:manageAny', 'heron');
    };
    expect(await manages(new Date(until.getTime() - 1))).toBe(true);
    expect(await manages(until)).toBe(false);
  });

  it('is no right of the person', async () => {
    const { token, principal } = await person('kai');
    // From before the elevation, when the person had the role always.
    const stated = {
      ...principal,
      grants: [{ experiment: 'heron', roles: ['PRODUCTION', 'USER'] }],
    } as const;
    const { elevations, people, rights } = system.identity;
    await elevations.start(request(), principal);
    // As after any change of the store, and as in a gateway that has not read the rights before.
    await people.refresh();
    const { subject } = principal;
    const own = [{ experiment: 'heron', roles: ['USER'] }];
    expect(await people.rightsOf(subject)).toMatchObject({ grants: own });
    // What a service with the consent of the person may do.
    expect(await rights.of({ subject, issuedAt: new Date() })).toMatchObject({ grants: own });
    const older = await withCurrentRights(createPrincipal(stated), rights, new Date());
    expect(older && can(older, 'job:manageAny', 'heron')).toBe(false);
    expect(await mayManage(token)).toBe(false);
  });

  it('leaves no roles in memory after its end', async () => {
    const { principal } = await person('lea');
    const { elevations, people, rights } = system.identity;
    const { elevation, accessToken } = await elevations.start(request(), principal);
    const elevated = await verifier.verify(accessToken ?? '');
    expect(can(elevated, 'job:manageAny', 'heron')).toBe(true);
    await elevations.end(elevation?._id ?? '', principal);
    expect(await withCurrentRights(elevated, rights, new Date())).toBeUndefined();
    expect((await people.rightsOf(principal.subject)).grants).toEqual([
      { experiment: 'heron', roles: ['USER'] },
    ]);
  });

  it('is over when its end is interrupted, and ends when asked again', async () => {
    const { principal } = await person('noa');
    const { elevations } = system.identity;
    const { elevation, accessToken } = await elevations.start(request(), principal);
    const id = elevation?._id ?? '';
    const interrupted = jest.spyOn(ElevationsRepository.prototype, 'end');
    interrupted.mockRejectedValueOnce(new Error('the store fails'));
    await expect(elevations.end(id, principal)).rejects.toThrow('the store fails');
    interrupted.mockRestore();
    await expect(verifier.verify(accessToken ?? '')).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    expect((await elevations.end(id, principal)).elevation?.endedAt).toBeInstanceOf(Date);
  });

  it('loses roles that are no longer elevatable', async () => {
    const { principal } = await person('mia');
    const { elevations, principals, rights } = system.identity;
    const { accessToken } = await elevations.start(request(), principal);
    const token = accessToken ?? '';
    const elevated = await verifier.verify(token);
    expect(await mayManage(token)).toBe(true);
    const change = { principalId: principal.subject, experiment: 'heron', expiresAt: null, reason: null };
    await principals.setMembership({ ...change, roles: ['USER'] }, admin);
    await waitFor('the loss', async () => !(await mayManage(token)), patience);
    const later = await withCurrentRights(elevated, rights, new Date());
    expect(later && can(later, 'job:manageAny', 'heron')).toBe(false);
    expect(later && can(later, 'job:submit', 'heron')).toBe(true);
  });

  it('ends with the login that started it', async () => {
    const first = await person('nia');
    const { elevations, tokens } = system.identity;
    const subjectToken = await system.issuer.issue({ sub: 'nia', client_id: undefined });
    const exchange = { subjectToken, scope: 'offline_access', agent: null, lifetimeSeconds: null };
    const login = await tokens.exchange(exchange);
    const lasting = await elevations.start(request(), await verifier.verify(login.accessToken));
    const short = await elevations.start(request(), first.principal);
    await tokens.revoke(login.refreshToken ?? '');
    await expect(verifier.verify(lasting.accessToken ?? '')).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    expect(await mayManage(short.accessToken ?? '')).toBe(true);
    // Without a refresh token, the token is the login.
    await tokens.revoke(first.token);
    await expect(verifier.verify(short.accessToken ?? '')).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    const { nodes } = await elevations.page(10, null, first.principal);
    expect(nodes.map(({ endedBy }) => endedBy)).toEqual([first.principal.subject, first.principal.subject]);
  });

  it('does not start while its login ends', async () => {
    const { token, principal } = await person('ola');
    await system.identity.tokens.revoke(token);
    await expect(system.identity.elevations.start(request(), principal)).rejects.toMatchObject({
      code: 'TOKEN_REVOKED',
    });
    const { nodes } = await system.identity.elevations.page(10, null, principal);
    expect(nodes.filter(({ endedAt }) => endedAt === null)).toEqual([]);
  });

  it('cannot be kept by its holder', async () => {
    await system.trust({ roles: ['USER', 'READER', 'PRODUCTION', 'ADMIN'] });
    const { principal } = await person('pia', ['ADMIN']);
    const { elevations, principals, groups } = system.identity;
    const { accessToken } = await elevations.start(request({ roles: ['ADMIN'] }), principal);
    const elevated = await verifier.verify(accessToken ?? '');
    const { subject: principalId } = principal;
    const rest = { experiment: 'heron', roles: ['ADMIN'], expiresAt: null, reason: null } as const;
    const made = await groups.setGroup({ ...rest, name: 'keepers' }, admin);
    const groupId = made.group?._id ?? '';
    const member = { groupId, isMember: true, expiresAt: null, reason: null };
    const forbidden = { code: 'FORBIDDEN' };
    await expect(principals.setMembership({ ...rest, principalId }, elevated)).rejects.toMatchObject(
      forbidden,
    );
    await expect(groups.setMember({ ...member, principalId }, elevated)).rejects.toMatchObject(forbidden);
    await groups.setGroup({ ...rest, name: 'keepers', roles: ['READER'] }, admin);
    await groups.setMember({ ...member, principalId }, admin);
    await expect(groups.setGroup({ ...rest, name: 'keepers' }, elevated)).rejects.toMatchObject(forbidden);
    // Others get roles as from every administrator.
    const other = (await person('qia')).principal.subject;
    const given = await principals.setMembership(
      { ...rest, roles: ['READER'], principalId: other },
      elevated,
    );
    expect(given.userErrors).toEqual([]);
    await system.trust();
  });

  it('is refused to somebody with five of them', async () => {
    const { principal } = await person('ria');
    const { elevations } = system.identity;
    const started: string[] = [];
    for (let at = 0; at < 5; at++) {
      const { elevation } = await elevations.start(request(), principal);
      started.push(elevation?._id ?? '');
    }
    const { elevation, userErrors } = await elevations.start(request(), principal);
    expect({ elevation, userErrors }).toMatchObject({
      elevation: null,
      userErrors: [{ code: 'TOO_MANY_ELEVATIONS' }],
    });
    await elevations.end(started[0] ?? '', principal);
    expect((await elevations.start(request(), principal)).userErrors).toEqual([]);
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

  it('refuses agents, sessions, elevated tokens, and tokens with fewer rights or a shorter life', async () => {
    const { token, principal } = await person('fay');
    const { elevations, tokens } = system.identity;
    const exchanged = { subjectToken: token, scope: null, agent: null, lifetimeSeconds: null };
    const agent = await tokens.exchange({ ...exchanged, agent: 'notebook' });
    const limited = await tokens.exchange({ ...exchanged, scope: 'job:read' });
    const narrow = await tokens.exchange({ ...exchanged, scope: 'heron:READER' });
    const short = await tokens.exchange({ ...exchanged, lifetimeSeconds: 60 });
    const started = [
      await system.tokenOf('fay', { scope: 'heron:READER' }),
      await system.tokenOf('fay', { lifetimeSeconds: 60 }),
      await tokens.ofLogin({ ...(await loginOf('fay')), until: new Date(Date.now() + 3_600_000) }),
    ].map((one) => (typeof one === 'string' ? { accessToken: one } : one));
    for (const { accessToken } of [agent, limited, narrow, short, ...started])
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

  it('gives the roles to the session of a browser, which continues without them after the end', async () => {
    await person('una');
    const { webSessions, outside, elevations } = system.identity;
    const account = async () =>
      outside.accept(await system.issuer.issue({ sub: 'una', client_id: undefined }));
    const [session, other] = [
      await webSessions.start(await account()),
      await webSessions.start(await account()),
    ];
    const manages = async (id: string): Promise<boolean> => mayManage(await webSessions.tokenOf(id));
    const by = await verifier.verify(await webSessions.tokenOf(session));
    expect(await elevations.elevatableIn(session)).toEqual([{ experiment: 'heron', roles: ['PRODUCTION'] }]);
    const { elevation, accessToken } = await elevations.start(request(), by);
    expect({ elevation, accessToken }).toMatchObject({ accessToken: null, elevation: { endedAt: null } });
    expect([await manages(session), await manages(other)]).toEqual([true, false]);
    const elevated = await verifier.verify(await webSessions.tokenOf(session));
    expect(elevated).toMatchObject({ limited: true, elevation: { id: elevation?._id } });
    const isOfSession = (one: Principal) => webSessions.isOfSession(one);
    expect([await isOfSession(by), await isOfSession(elevated)]).toEqual([true, true]);
    expect(await isOfSession({ ...elevated, subject: 'usr_other' })).toBe(false);
    await expect(elevations.start(request(), elevated)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await elevations.endOfSession(other)).toBeUndefined();
    expect(await elevations.endOfSession(session)).toMatchObject({ _id: elevation?._id });
    expect(await manages(session)).toBe(false);
    const { revocations } = system.identity;
    expect(revocations.isRevoked(elevated)).toBe(true);
    // The token that is in memory is no answer any more.
    await revocations.revoke({ kind: 'PRINCIPAL', value: by.subject, reason: null }, by.subject);
    await expect(webSessions.tokenOf(session)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('gives the roles to a session at every gateway, and ends them with the session', async () => {
    await person('vic');
    const { webSessions, outside, elevations } = system.identity;
    const token = await system.issuer.issue({ sub: 'vic', client_id: undefined });
    const session = await webSessions.start(await outside.accept(token));
    const second = await system.second();
    const manages = async (): Promise<boolean> => mayManage(await second.webSessions.tokenOf(session));
    expect(await manages()).toBe(false);
    const by = await verifier.verify(await webSessions.tokenOf(session));
    await elevations.start(request(), by);
    await waitFor('the roles at the second gateway', manages, patience);
    await webSessions.end(session);
    const { nodes } = await elevations.page(10, null, by);
    expect(nodes).toMatchObject([{ endedBy: by.subject }]);
  });
});
