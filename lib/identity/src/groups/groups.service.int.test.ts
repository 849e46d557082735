import { beforeAll, describe, expect, it } from '@jest/globals';
import { can, type Verifier } from '@rhizome/authz';
import { systemClock } from '@rhizome/clock';
import { testDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { IssuersRepository } from '../issuers/issuers.repository.js';
import { People } from '../principals/people.js';
import { PrincipalsRepository } from '../principals/principals.repository.js';
import { admin, identitySystem, type IdentitySystem } from '../testing/identity-system.js';
import { GroupsRepository } from './groups.repository.js';

const patience = { deadlineMs: 120_000 };

let system: IdentitySystem;
let verifier: Verifier;

beforeAll(async () => {
  system = await identitySystem();
  ({ verifier } = system);
  await system.trust();
});

interface GroupChange {
  readonly roles?: readonly ('USER' | 'READER' | 'PRODUCTION')[];
  readonly expiresAt?: Date | null;
}

async function setGroup(name: string, { roles = ['PRODUCTION'], expiresAt = null }: GroupChange = {}) {
  const request = { experiment: 'heron', name, roles, expiresAt, reason: null };
  const { group, userErrors } = await system.identity.groups.setGroup(request, admin);
  expect(userErrors).toEqual([]);
  return group?._id ?? '';
}

async function setMember(
  groupId: string,
  principalId: string,
  isMember = true,
  expiresAt: Date | null = null,
) {
  const request = { groupId, principalId, isMember, expiresAt, reason: null };
  const { userErrors } = await system.identity.groups.setMember(request, admin);
  expect(userErrors).toEqual([]);
}

/** A member of a group, and the token after it became one. */
async function member(sub: string, groupId: string, expiresAt: Date | null = null) {
  const { subject: id } = await verifier.verify(await system.tokenOf(sub));
  await setMember(groupId, id, true, expiresAt);
  const token = await system.tokenOf(sub);
  return { id, token };
}

const mayManage = async (token: string): Promise<boolean> =>
  can(await verifier.verify(token), 'job:manageAny', 'heron');
const groupsOf = async (token: string) => (await verifier.verify(token)).groups;
const isLost = (token: string) => async () => !(await mayManage(token));

describe('GroupsService', () => {
  it('ends what a member has open when it leaves, also if it keeps its roles', async () => {
    const roles = ['READER'] as const;
    const groupId = await setGroup('readers', { roles });
    const { id, token } = await member('gil', groupId);
    await setMember(await setGroup('further-readers', { roles }), id);
    await waitFor('both groups', async () => (await groupsOf(token))?.length === 2, patience);
    const lost: string[] = [];
    const stop = system.identity.people.onLoss((subjects) => lost.push(...subjects));
    await setMember(groupId, id, false);
    await waitFor('the report', () => lost.includes(id), patience);
    stop();
    expect(can(await verifier.verify(token), 'job:read', 'heron')).toBe(true);
  });

  it('gives members its roles, and takes them with the member, the role or the group', async () => {
    const groupId = await setGroup('operators');
    const ann = await member('ann', groupId);
    const bob = await member('bob', groupId);
    expect([await mayManage(ann.token), await mayManage(bob.token)]).toEqual([true, true]);
    expect([await groupsOf(ann.token), await groupsOf(bob.token)]).toEqual([[groupId], [groupId]]);
    await setMember(groupId, ann.id, false);
    await waitFor('the loss of one member', isLost(ann.token), patience);
    expect([await groupsOf(ann.token), await groupsOf(bob.token)]).toEqual([undefined, [groupId]]);
    expect(await mayManage(bob.token)).toBe(true);
    await setGroup('operators', { roles: ['READER'] });
    await waitFor('the loss of the role', isLost(bob.token), patience);
    expect(can(await verifier.verify(bob.token), 'job:read', 'heron')).toBe(true);
    await setGroup('operators');
    await waitFor('the return', () => mayManage(bob.token), patience);
    await setGroup('operators', { roles: [] });
    await waitFor('the loss of the group', isLost(bob.token), patience);
  });

  it('takes the roles when the membership, or the group, ends by itself', async () => {
    const lasting = await setGroup('lasting');
    const short = await setGroup('short', { expiresAt: new Date(Date.now() + 8000) });
    const ann = await member('cid', lasting, new Date(Date.now() + 8000));
    const bob = await member('dan', short);
    expect([await mayManage(ann.token), await mayManage(bob.token)]).toEqual([true, true]);
    await waitFor('the end of the membership', isLost(ann.token), patience);
    await waitFor('the end of the group', isLost(bob.token), patience);
    const { nodes } = await system.identity.groups.members(lasting, 10, null);
    expect(nodes).toEqual([]);
  });

  it('is not written again if nothing changed, and concerns its members only', async () => {
    const groupId = await setGroup('still', { roles: ['USER', 'READER'] });
    const { id } = await member('hal', groupId);
    const { subject: other } = await verifier.verify(await system.tokenOf('ida'));
    const { groups } = system.identity;
    const request = { experiment: 'heron', name: 'still', expiresAt: null, reason: null };
    const again = await groups.setGroup({ ...request, roles: ['READER', 'USER'] }, admin);
    expect(again.group).toMatchObject({ _id: groupId, revision: 1 });
    const db = (await testDatabase()).client.db(system.database);
    const people = new People({
      principals: new PrincipalsRepository(db),
      issuers: new IssuersRepository(db),
      groups: new GroupsRepository(db),
      clock: systemClock,
    });
    const [own, others] = [await people.rightsOf(id), await people.rightsOf(other)];
    await setGroup('still', { roles: ['READER'] });
    await people.refresh([{ collection: 'groups', id: groupId }]);
    expect([own.isCurrent, others.isCurrent]).toEqual([false, true]);
    expect((await people.rightsOf(id)).grants).toEqual([{ experiment: 'heron', roles: ['READER'] }]);
    people.stop();
  });

  it('is changed by administrators of its experiment only, and does not exist for others', async () => {
    const groupId = await setGroup('private');
    const { id } = await member('eve', groupId);
    const { groups } = system.identity;
    const foreign = testPrincipal({ grants: { egret: 'ADMIN' } });
    const request = {
      experiment: 'heron',
      name: 'mine',
      roles: ['USER'],
      expiresAt: null,
      reason: null,
    } as const;
    await expect(groups.setGroup(request, foreign)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(groups.setGroup({ ...request, experiment: '*' }, foreign)).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    const change = { principalId: id, isMember: false, expiresAt: null, reason: null };
    const refused = await groups.setMember({ ...change, groupId }, foreign);
    const unknown = await groups.setMember({ ...change, groupId: 'grp_0' }, foreign);
    expect(refused.userErrors[0]?.code).toBe('GROUP_NOT_FOUND');
    expect(refused.userErrors[0]?.message.replace(groupId, 'grp_0')).toBe(unknown.userErrors[0]?.message);
    expect((await groups.page(10, null, foreign)).nodes).toEqual([]);
    expect(await groups.membershipsOf(id, foreign)).toEqual([]);
    const local = testPrincipal({ grants: { heron: 'ADMIN' } });
    expect((await groups.page(10, null, local)).nodes.map(({ name }) => name)).toContain('private');
    expect(await groups.membershipsOf(id, local)).toMatchObject([{ group: { name: 'private' } }]);
  });

  it('makes its members visible to administrators of its experiment', async () => {
    const groupId = await setGroup('visible');
    const { id } = await member('fay', groupId);
    const { principals } = system.identity;
    const seen = async (grants: Record<string, 'ADMIN'>) => {
      const by = testPrincipal({ grants });
      const { nodes } = await principals.page(100, null, by);
      const isListed = nodes.some(({ _id }) => _id === id);
      expect((await principals.principal(id, by)) !== null).toBe(isListed);
      return isListed;
    };
    expect(await seen({ heron: 'ADMIN' })).toBe(true);
    expect(await seen({ egret: 'ADMIN' })).toBe(false);
  });

  it.each<[string, object, string]>([
    ['the role of workers', { roles: ['PILOT'] }, 'roles'],
    ['a name with blanks', { name: 'two words' }, 'name'],
    ['an end in the past', { expiresAt: new Date(0) }, 'expiresAt'],
  ])('refuses %s', async (_, change, field) => {
    const request = {
      experiment: 'heron',
      name: 'x1',
      roles: ['USER'],
      expiresAt: null,
      reason: null,
    } as const;
    const { group, userErrors } = await system.identity.groups.setGroup({ ...request, ...change }, admin);
    expect(group).toBeNull();
    expect(userErrors).toMatchObject([{ code: 'INVALID_VALUE', path: [field] }]);
  });
});
