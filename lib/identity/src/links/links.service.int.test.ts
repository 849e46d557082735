import { beforeAll, describe, expect, it } from '@jest/globals';
import { type Principal, type Verifier } from '@rhizome/authz';
import { waitFor } from '@rhizome/testkit';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import {
  admin,
  ids,
  identitySystem,
  type IdentitySystem,
  ruleOf,
  trusted,
} from '../testing/identity-system.js';

/** A change is known within 2 s on an idle machine. */
const patience = { deadlineMs: 60_000 };

let system: IdentitySystem;
let verifier: Verifier;
/** The issuer of second identities. */
let second: TestIssuer;

const users = ruleOf('users', { when: { everyone: true } });
const readers = ruleOf('readers', {
  when: { everyone: true },
  grants: [{ experiment: 'egret', roles: ['READER'] }],
});

beforeAll(async () => {
  system = await identitySystem();
  ({ verifier } = system);
  second = await testIssuer();
  await system.trust({ rules: [users] });
  await trustSecond();
});

async function trustSecond(isEnabled = true): Promise<void> {
  const settings = { ...trusted(second), rules: [readers], isEnabled };
  const { userErrors } = await system.identity.issuers.set('second', settings, admin);
  expect(userErrors).toEqual([]);
}

const proofOf = (sub: string, claims = {}): Promise<string> =>
  second.issue({ sub, client_id: undefined, ...claims });

/** The principal of a login at the first issuer. */
async function personOf(sub: string): Promise<Principal & { readonly token: string }> {
  const token = await system.tokenOf(sub);
  return Object.assign({}, await verifier.verify(token), { token });
}

async function link(by: Principal, proof: string) {
  const { identity, userErrors } = await system.identity.links.link(proof, by);
  return { id: identity?._id, codes: userErrors.map(({ code }) => code) };
}

/** Somebody with an identity at each issuer, and the token of the second one. */
async function linkedPair(name: string) {
  const first = await personOf(name);
  const proof = await proofOf(`${name}-2`);
  const { id, codes } = await link(first, proof);
  expect(codes).toEqual([]);
  if (id === undefined) throw new Error('not linked');
  return { first, proof, id, other: await system.exchange(await proofOf(`${name}-2`)) };
}

const linkedOf = async (token: string) => (await verifier.verify(token)).linked;

/** A principal as the gateway verifies it now. */
const now = (token: string): Promise<Principal> => verifier.verify(token);

describe('linkIdentity', () => {
  it('makes two identities one person, who keeps the roles of each login', async () => {
    const { first, id, other } = await linkedPair('ann');
    await waitFor('the link', async () => (await linkedOf(first.token))?.includes(id) ?? false, patience);
    await waitFor('the link of the other', async () => (await linkedOf(other)) !== undefined, patience);
    expect(await linkedOf(other)).toEqual([first.subject]);
    expect((await now(other)).subject).toBe(id);
    // No rights are joined.
    expect((await now(first.token)).grants).toEqual([{ experiment: 'heron', roles: ['USER'] }]);
    expect((await now(other)).grants).toEqual([{ experiment: 'egret', roles: ['READER'] }]);
    expect((await now(first.token)).boundedBy).toBeUndefined();
    const listed = await system.identity.links.ofCaller(await now(other));
    expect(listed.map(({ _id }) => _id).sort()).toEqual([first.subject, id].sort());
  });

  it('accepts the same call again, and no proof a second time after the link has ended', async () => {
    const { first, proof, id } = await linkedPair('bob');
    expect(await link(first, proof)).toEqual({ id, codes: [] });
    expect((await system.identity.links.unlink(id, await now(first.token))).userErrors).toEqual([]);
    expect(await link(first, proof)).toEqual({ id: undefined, codes: ['TOKEN_USED'] });
    // Somebody else who has seen it gets nothing either.
    expect((await link(await personOf('bobs-thief'), proof)).codes).toEqual(['TOKEN_USED']);
    // The end of a signature has bits that nobody checks.
    const again = await link(first, `${proof.slice(0, -1)}${proof.endsWith('A') ? 'B' : 'A'}`);
    expect(again.codes.length).toBe(1);
    expect((await link(first, await proofOf('bob-2'))).codes).toEqual([]);
  });

  it.each<[string, (() => Promise<string>) | string, string]>([
    ['a text that is no token', 'nonsense', 'TOKEN_NOT_ACCEPTED'],
    ['a token that is not signed by its issuer', () => forged(), 'TOKEN_NOT_ACCEPTED'],
    ['a token of Rhizome', () => system.tokenOf('eva'), 'TOKEN_NOT_ACCEPTED'],
    [
      'a token for another service',
      () => proofOf('eva-2', { aud: 'https://else.test' }),
      'TOKEN_NOT_ACCEPTED',
    ],
    ['a token that has expired', () => proofOf('eva-2', { exp: seconds(-600) }), 'TOKEN_NOT_ACCEPTED'],
    ['a token of more than 10 minutes ago', () => proofOf('eva-2', { iat: seconds(-900) }), 'TOKEN_TOO_OLD'],
    ['a token of a service', () => second.issue({ sub: 'robot', client_id: 'robot' }), 'NOT_A_PERSON'],
    ['its own identity', () => system.issuer.issue({ sub: 'eva', client_id: undefined }), 'SAME_IDENTITY'],
  ])('refuses %s', async (_name, token, code) => {
    const eva = await personOf('eva');
    const proof = typeof token === 'string' ? token : await token();
    expect(await link(eva, proof)).toEqual({ id: undefined, codes: [code] });
    expect(await linkedOf(eva.token)).toBeUndefined();
  });

  it('refuses an identity that belongs to another person, also from its own side', async () => {
    const { first, id } = await linkedPair('fay');
    const gus = await personOf('gus');
    expect((await link(gus, await proofOf('fay-2'))).codes).toEqual(['ALREADY_LINKED']);
    const gusPair = await linkedPair('gus');
    // Two people do not become one by a third link.
    const fayAtFirst = await system.issuer.issue({ sub: 'fay', client_id: undefined });
    expect((await link(gusPair.first, fayAtFirst)).codes).toEqual(['ALREADY_LINKED']);
    await waitFor('the link', async () => (await linkedOf(first.token)) !== undefined, patience);
    expect(await linkedOf(first.token)).toEqual([id]);
  });

  it('makes no chain and no cycle: all identities of a person are equal', async () => {
    const { first, id, other } = await linkedPair('hal');
    const third = await proofOf('hal-3');
    const { id: thirdId } = await link(await now(other), third);
    const back = await system.issuer.issue({ sub: 'hal', client_id: undefined });
    expect((await link(await now(await system.exchange(await proofOf('hal-3'))), back)).codes).toEqual([]);
    await waitFor('the links', async () => (await linkedOf(first.token))?.length === 2, patience);
    expect(await linkedOf(first.token)).toEqual([id, thirdId].sort());
    // The end of the identity in the middle leaves the others linked.
    await system.identity.links.unlink(id, await now(first.token));
    await waitFor('the end', async () => (await linkedOf(first.token))?.length === 1, patience);
    await waitFor('the end for the other', async () => (await linkedOf(other)) === undefined, patience);
  });

  it('links once of two that race for an identity, and two that link each other', async () => {
    const racers = await Promise.all(['ida', 'jan', 'kim'].map(personOf));
    const proofs = await Promise.all(racers.map(() => proofOf('prize')));
    const answers = await Promise.all(racers.map((by, at) => link(by, proofs[at] ?? '')));
    expect(answers.flatMap(({ codes }) => codes)).toEqual(['ALREADY_LINKED', 'ALREADY_LINKED']);
    const [lea, mia] = await Promise.all([personOf('lea'), personOf('mia')]);
    const both = await Promise.all([
      link(lea, await system.issuer.issue({ sub: 'mia', client_id: undefined })),
      link(mia, await system.issuer.issue({ sub: 'lea', client_id: undefined })),
    ]);
    expect(both.flatMap(({ codes }) => codes)).toEqual([]);
    const listed = await system.identity.links.ofCaller(lea);
    expect(listed.map(({ _id }) => _id)).toEqual([lea.subject, mia.subject].sort());
  });

  it('links one of two proofs of the same token that race', async () => {
    const [ned, oda] = await Promise.all([personOf('ned'), personOf('oda')]);
    const proof = await proofOf('shared');
    const answers = await Promise.all([link(ned, proof), link(oda, proof)]);
    const refusals = answers.flatMap(({ codes }) => codes);
    expect(refusals).toHaveLength(1);
    expect(['ALREADY_LINKED', 'TOKEN_USED']).toContain(refusals[0]);
  });

  it('bounds the identities of a person, also under concurrent calls', async () => {
    const pat = await personOf('pat');
    const proofs = await Promise.all(Array.from({ length: 11 }, (_, at) => proofOf(`pat-${at}`)));
    const answers = await Promise.all(proofs.map((proof) => link(pat, proof)));
    const refusals = answers.flatMap(({ codes }) => codes);
    expect(refusals).toEqual(['TOO_MANY_IDENTITIES', 'TOO_MANY_IDENTITIES']);
    expect(await system.identity.links.ofCaller(pat)).toHaveLength(10);
  });

  it('refuses agents, attempts, workers, services, and limited or elevated tokens', async () => {
    const ray = await personOf('ray');
    const proof = await proofOf('ray-2');
    const narrowed = await system.exchange(ray.token, { scope: 'heron:USER' });
    const agent = await system.exchange(ray.token, { agent: 'helper' });
    const elevation = { id: 'elv_1', experiment: 'heron', roles: ['ADMIN'], until: ray.expiresAt } as const;
    const attempt = { jobId: 'job_1', attempt: 1, fence: 1 };
    const callers: Principal[] = [
      ...(await Promise.all([narrowed, agent].map(now))),
      { ...ray, elevation },
      { ...ray, attempt },
      { ...ray, actions: ['job:read'] },
      { ...ray, kind: 'SERVICE' },
      { ...ray, kind: 'PILOT' },
      { ...ray, subject: 'somebody@configured.test' },
    ];
    for (const by of callers)
      await expect(system.identity.links.link(proof, by)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await link(ray, proof)).codes).toEqual([]);
  });
});

describe('linkIdentity of the session of a browser', () => {
  /** A session at the first issuer: its id, its principal and its login. */
  async function sessionOf(sub: string) {
    const { outside, webSessions, links } = system.identity;
    const id = await webSessions.start(
      await outside.accept(await system.issuer.issue({ sub, client_id: undefined })),
    );
    const principal = await now(await webSessions.tokenOf(id));
    return { id, principal, login: await links.loginOfSession(id) };
  }

  it('takes the proof that was made for it once, and that of no other session', async () => {
    const { outside, links } = system.identity;
    const [own, other] = [await sessionOf('ira'), await sessionOf('ivo')];
    const token = await proofOf('ira-2');
    const proof = links.proofFor(own.login, await outside.accept(token), token);
    expect((await link(other.principal, proof)).codes).toEqual(['TOKEN_NOT_ACCEPTED']);
    expect((await link(await personOf('ira'), proof)).codes).toEqual(['TOKEN_NOT_ACCEPTED']);
    const [head, , sealed] = proof.split('.');
    const renamed = Buffer.from(JSON.stringify({ iss: second.issuer, sub: 'x' })).toString('base64url');
    expect((await link(own.principal, `${head}.${renamed}.${sealed}`)).codes).toEqual(['TOKEN_NOT_ACCEPTED']);
    const { id, codes } = await link(own.principal, proof);
    expect(codes).toEqual([]);
    await links.unlink(id ?? '', own.principal);
    expect((await link(own.principal, proof)).codes).toEqual(['TOKEN_USED']);
    expect((await link(await personOf('ira'), token)).codes).toEqual(['TOKEN_USED']);
  });

  it('takes no token of an issuer, which anybody could have handed to the page', async () => {
    const { principal } = await sessionOf('ida');
    expect((await link(principal, await proofOf('iris'))).codes).toEqual(['TOKEN_NOT_ACCEPTED']);
  });

  it('uses up a proof for a link that exists', async () => {
    const { outside, links } = system.identity;
    const { principal, login } = await sessionOf('ina');
    const prove = async (): Promise<string> => {
      const token = await proofOf('ina-2');
      return links.proofFor(login, await outside.accept(token), token);
    };
    const [first, again] = [await prove(), await prove()];
    const { id } = await link(principal, first);
    expect((await link(principal, again)).codes).toEqual([]);
    await links.unlink(id ?? '', principal);
    for (const proof of [first, again]) expect((await link(principal, proof)).codes).toEqual(['TOKEN_USED']);
  });

  it('is refused to a session with elevated roles, until their elevation ends', async () => {
    const { links, webSessions, revocations } = system.identity;
    const { id, principal, login } = await sessionOf('ida');
    const elevation = {
      id: ids.next('elv'),
      experiment: 'heron',
      roles: ['ADMIN'],
      until: principal.expiresAt,
    } as const;
    const session = await webSessions.find(id);
    if (!session) throw new Error('no session');
    await webSessions.elevate(session, elevation);
    await expect(links.loginOfSession(id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const end = { kind: 'FAMILY', value: elevation.id, reason: 'elevation ended' } as const;
    await revocations.revoke(end, principal.subject);
    expect(await links.loginOfSession(id)).toBe(login);
  });

  it('is refused after the issuer of the second identity was disabled', async () => {
    const { outside, links } = system.identity;
    const { principal, login } = await sessionOf('joe');
    const token = await proofOf('joe-2');
    const proof = links.proofFor(login, await outside.accept(token), token);
    await trustSecond(false);
    expect((await link(principal, proof)).codes).toEqual(['TOKEN_NOT_ACCEPTED']);
    await trustSecond();
    expect((await link(principal, proof)).codes).toEqual([]);
  });

  it('is refused after the second identity was suspended, and to a session that has ended', async () => {
    const { outside, links, tokens, webSessions } = system.identity;
    const { id, principal, login } = await sessionOf('jan');
    const token = await proofOf('jan-2');
    const identity = await outside.accept(token);
    await tokens.suspend(identity.principalId, true, admin);
    const { codes } = await link(principal, links.proofFor(login, identity, token));
    expect(codes).toEqual(['TOKEN_NOT_ACCEPTED']);
    await webSessions.end(id);
    await expect(links.loginOfSession(id)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('the end of a link', () => {
  it('ends all proofs from before it, of either identity, that were not used yet', async () => {
    const { first, id, other } = await linkedPair('rob');
    const old = await proofOf('rob-2', { iat: seconds(-5) });
    const oldOfFirst = await system.issuer.issue({ sub: 'rob', client_id: undefined, iat: seconds(-5) });
    await system.identity.links.unlink(id, await now(first.token));
    expect((await link(await now(first.token), old)).codes).toEqual(['TOKEN_TOO_OLD']);
    expect((await link(await now(other), oldOfFirst)).codes).toEqual(['TOKEN_TOO_OLD']);
    expect((await link(await now(first.token), await proofOf('rob-2'))).codes).toEqual([]);
  });

  it('ends the proofs of sessions to the millisecond', async () => {
    const { outside, links, webSessions } = system.identity;
    const { first, id } = await linkedPair('ron');
    const token = await system.issuer.issue({ sub: 'ron', client_id: undefined });
    const session = await webSessions.start(await outside.accept(token));
    const login = await links.loginOfSession(session);
    const inSession = await now(await webSessions.tokenOf(session));
    const prove = async (): Promise<string> => {
      const proof = await proofOf('ron-2');
      return links.proofFor(login, await outside.accept(proof), proof);
    };
    const unused = await prove();
    await links.unlink(id, await now(first.token));
    expect((await link(inSession, unused)).codes).toEqual(['TOKEN_TOO_OLD']);
    expect((await link(inSession, await prove())).codes).toEqual([]);
  });

  it('takes what came through an identity that is suspended, for as long as it is', async () => {
    const { first, id, other } = await linkedPair('sue');
    await waitFor('the link', async () => (await linkedOf(first.token)) !== undefined, patience);
    await system.identity.tokens.suspend(id, true, admin);
    await waitFor('the end', async () => (await linkedOf(first.token)) === undefined, patience);
    await expect(now(other)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    await system.identity.tokens.suspend(id, false, admin);
    await waitFor('the return', async () => (await linkedOf(first.token)) !== undefined, patience);
  });

  it('takes what came through an issuer that is disabled', async () => {
    const { first, id } = await linkedPair('tom');
    await waitFor('the link', async () => (await linkedOf(first.token)) !== undefined, patience);
    await trustSecond(false);
    await waitFor('the end', async () => (await linkedOf(first.token)) === undefined, patience);
    await trustSecond();
    await waitFor('the return', async () => (await linkedOf(first.token))?.[0] === id, patience);
  });

  it('is made by the person under either identity, or by an administrator, and by nobody else', async () => {
    const { first, id, other } = await linkedPair('uwe');
    const { links } = system.identity;
    const stranger = await links.unlink(id, await personOf('vic'));
    expect(stranger.userErrors).toEqual([expect.objectContaining({ code: 'LINK_NOT_FOUND' })]);
    const agent = await now(await system.exchange(first.token, { agent: 'helper' }));
    expect((await links.unlink(id, agent)).identity).toBeNull();
    const lost: string[] = [];
    await waitFor('the link', async () => (await linkedOf(first.token)) !== undefined, patience);
    const stop = system.identity.people.onLoss((subjects) => lost.push(...subjects));
    expect((await links.unlink(first.subject, await now(other))).identity?._id).toBe(first.subject);
    // Streams that are open with it end.
    await waitFor('the report', () => lost.includes(first.subject), patience);
    stop();
    expect(await links.ofCaller(await now(other))).toEqual([]);
    const next = await linkedPair('wim');
    expect((await links.unlink(next.id, admin)).identity?._id).toBe(next.id);
    expect((await links.unlink(next.id, admin)).userErrors).toHaveLength(1);
  });

  it('is refused to elevated roles, and so is a role for a linked identity', async () => {
    const { first, id } = await linkedPair('xia');
    const elevation = { id: 'elv_1', experiment: '*', roles: ['ADMIN'], until: first.expiresAt } as const;
    const grants = [{ experiment: '*', roles: ['ADMIN'] }] as const;
    const elevated: Principal = { ...first, grants, elevation, linked: [id] };
    const { links, principals } = system.identity;
    await expect(links.unlink(id, elevated)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const request = { principalId: id, experiment: 'heron', roles: ['ADMIN'] } as const;
    await expect(
      principals.setMembership({ ...request, expiresAt: null, reason: null }, elevated),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('is shown to administrators, who see only what concerns their experiments', async () => {
    const { first, id } = await linkedPair('yan');
    const { links, principals } = system.identity;
    const known = await principals.principal(first.subject, admin);
    if (!known) throw new Error('not found');
    expect((await links.othersOf(known, admin)).map(({ _id }) => _id)).toEqual([id]);
    const ofHeron: Principal = { ...admin, grants: [{ experiment: 'heron', roles: ['ADMIN'] }] };
    expect(await links.othersOf(known, ofHeron)).toEqual([]);
    const linked = await principals.principal(id, admin);
    if (!linked) throw new Error('not found');
    const account = { issuer: second.issuer, subject: 'yan-2' };
    expect(await links.accountsOf(linked, first)).toMatchObject([account]);
    expect(await links.accountsOf(linked, await personOf('zoe'))).toEqual([]);
  });
});

const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from;

/** A token of the second issuer with the account of a victim in it. */
async function forged(): Promise<string> {
  const [head, payload, signature] = (await proofOf('attacker')).split('.');
  const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as object;
  const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'victim' })).toString('base64url');
  return `${head ?? ''}.${changed}.${signature ?? ''}`;
}
