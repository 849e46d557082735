import { beforeAll, describe, expect, it } from '@jest/globals';
import { createCallSigner, createCallVerifier, narrowPrincipal, type Principal } from '@rhizome/authz';
import { type TestDatabase, testDatabase } from '@rhizome/testkit';
import { admin, identitySystem, type IdentitySystem } from '../testing/identity-system.js';
import { groupMembersCollection, groupsCollection } from './group.document.js';

// A call token has the groups of its caller, and no token is longer than a verifier accepts.

const everyRole = ['ADMIN', 'OPERATOR', 'PRODUCTION', 'USER', 'READER'] as const;
/** The longest name of an experiment. */
const longNamed = (index: number): string => `e${String(index).padStart(30, 'x')}`;

let system: IdentitySystem;
let db: TestDatabase;
let made = 0;
beforeAll(async () => {
  system = await identitySystem();
  await system.trust({ experiments: ['*'], roles: everyRole });
  db = (await testDatabase()).client.db(system.database);
});

const subjectOf = async (sub: string): Promise<string> =>
  (await system.verifier.verify(await system.tokenOf(sub))).subject;

/** Writes groups as they are stored, without the rules of the service. */
async function storedGroups(principalId: string, count: number, experimentOf: (index: number) => string) {
  const now = new Date();
  const common = { schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now, updatedBy: 'test' };
  const facts = { ...common, expiresAt: null, reason: null };
  const ids = Array.from({ length: count }, () => `grp_${String(++made).padStart(26, '0')}`);
  await db.collection<{ _id: string }>(groupsCollection.name).insertMany(
    ids.map((_id, index) => {
      return { _id, ...facts, name: `g${made}-${index}`, experiment: experimentOf(index), roles: everyRole };
    }),
  );
  await db
    .collection<{ _id: string }>(groupMembersCollection.name)
    .insertMany(ids.map((groupId) => ({ _id: `${principalId}:${groupId}`, ...facts, principalId, groupId })));
  return ids;
}

/** The caller as core sees it, by its call token. */
async function atCore(principal: Principal): Promise<Principal> {
  const signer = await createCallSigner();
  const verifier = createCallVerifier({ subgraph: 'core', jwks: signer.jwks() });
  return verifier.verify(await signer.tokenFor(narrowPrincipal(principal), 'core'));
}

const setMember = async (principalId: string, groupId: string): Promise<string> => {
  const request = { groupId, principalId, isMember: true, expiresAt: null, reason: null };
  const { userErrors } = await system.identity.groups.setMember(request, admin);
  return userErrors.map(({ code }) => code).join();
};

async function newGroup(experiment: string): Promise<string> {
  const request = { experiment, name: `n${++made}`, roles: ['USER'], expiresAt: null, reason: null } as const;
  const { group } = await system.identity.groups.setGroup(request, admin);
  return group?._id ?? '';
}

describe('a member of many groups', () => {
  it('is accepted by core with 1,000 groups in the store, and has the oldest ones that a token holds', async () => {
    const id = await subjectOf('many');
    const ids = await storedGroups(id, 1000, () => 'heron');
    const seen = await atCore(await system.verifier.verify(await system.tokenOf('many')));
    expect(seen.subject).toBe(id);
    expect(seen.groups).toEqual(ids.slice(0, 100));
  });

  it('is accepted by core with as many groups as are allowed, of the longest names', async () => {
    const id = await subjectOf('most');
    const ids = await storedGroups(id, 100, (index) => longNamed(index % 50));
    const seen = await atCore(await system.verifier.verify(await system.tokenOf('most')));
    expect([seen.groups, seen.grants.length]).toEqual([ids, 50]);
  });

  it('joins no further group after 100, and can leave one for another', async () => {
    const id = await subjectOf('full');
    const [first = ''] = await storedGroups(id, 99, (index) => `e${index % 9}x`);
    const [one, other] = [await newGroup('egret'), await newGroup('egret')];
    expect(await setMember(id, one)).toBe('');
    expect(await setMember(id, other)).toBe('TOO_MANY_GROUPS');
    // A group that it has can be changed.
    expect(await setMember(id, one)).toBe('');
    const leaving = { groupId: first, principalId: id, isMember: false, expiresAt: null, reason: null };
    await system.identity.groups.setMember(leaving, admin);
    expect(await setMember(id, other)).toBe('');
  });

  it('joins at most 50 groups of one experiment, so that others can add it to theirs', async () => {
    const id = await subjectOf('wanted');
    await storedGroups(id, 50, () => 'heron');
    expect(await setMember(id, await newGroup('heron'))).toBe('TOO_MANY_GROUPS');
    expect(await setMember(id, await newGroup('egret'))).toBe('');
  });

  it('joins no more of them by concurrent calls', async () => {
    const id = await subjectOf('fast');
    await storedGroups(id, 47, () => 'heron');
    const groups: string[] = [];
    for (let n = 0; n < 6; n++) groups.push(await newGroup('heron'));
    const codes = await Promise.all(groups.map((group) => setMember(id, group)));
    expect(codes.sort()).toEqual(['', '', '', ...Array<string>(3).fill('TOO_MANY_GROUPS')]);
  });
});
