/** Access to groups and their members. */
import { collection, isDuplicateKey, type KeysetPage, keysetPage } from '@rhizome/mongo';
import type { ClientSession, Collection, Db } from 'mongodb';
import { lasting } from '../principals/lasting.js';
import type { HeldRoles, RoleSource } from '../principals/principal.document.js';
import { inPrincipalTransaction } from '../principals/principal-transaction.repository.js';
import { upserted } from '../store/upserted.js';
import type { VisibleExperiments } from '../visible-experiments.js';
import {
  type GroupDocument,
  type GroupMemberDocument,
  groupMembersCollection,
  groupsCollection,
} from './group.document.js';

/** A group to write. */
export type GroupChange = Pick<
  GroupDocument,
  'name' | 'experiment' | 'roles' | 'expiresAt' | 'reason' | 'updatedBy'
>;

/** A member to write. */
export type MemberChange = Pick<
  GroupMemberDocument,
  'principalId' | 'groupId' | 'expiresAt' | 'reason' | 'updatedBy'
>;

/** Numbers of groups that one principal may be in. */
export interface GroupLimits {
  readonly all: number;
  /** Of one experiment. */
  readonly experiment: number;
}

/** Collections `groups` and `groupMembers`. */
export class GroupsRepository implements RoleSource {
  readonly #db: Db;
  readonly #groups: Collection<GroupDocument>;
  readonly #members: Collection<GroupMemberDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#groups = collection(db, groupsCollection);
    this.#members = collection(db, groupMembersCollection);
  }

  group(id: string): Promise<GroupDocument | null> {
    return this.#groups.findOne({ _id: id });
  }

  named(experiment: string, name: string): Promise<GroupDocument | null> {
    return this.#groups.findOne({ experiment, name });
  }

  /** Creates or changes the group of this name. @param id of a new one */
  async setGroup(change: GroupChange, id: string, now: Date): Promise<GroupDocument> {
    const { experiment, name, ...fields } = change;
    const write = (): Promise<GroupDocument | null> =>
      this.#groups.findOneAndUpdate(
        { experiment, name },
        {
          $set: { ...fields, updatedAt: now },
          $setOnInsert: { _id: id, schemaVersion: 1, createdAt: now },
          $inc: { revision: 1 },
        },
        { upsert: true, returnDocument: 'after' },
      );
    const found = await write().catch((error: unknown) => {
      // Somebody else has created it just now.
      if (isDuplicateKey(error)) return write();
      throw error;
    });
    return upserted(found);
  }

  /** Removes a group with its members. The group goes first: without it, members have no roles. */
  async removeGroup(id: string): Promise<void> {
    await this.#groups.deleteOne({ _id: id });
    await this.#members.deleteMany({ groupId: id });
  }

  /**
   * Writes a member; undefined if the principal would be in too many groups, also by concurrent calls.
   * @param experiment that of the group
   */
  setMember(
    change: MemberChange,
    experiment: string,
    limits: GroupLimits,
    now: Date,
  ): Promise<GroupMemberDocument | undefined> {
    return inPrincipalTransaction(this.#db, change.principalId, now, async (session) => {
      const isFull = await this.#hasTooMany(change, experiment, { limits, now, session });
      return isFull ? undefined : this.#writeMember(change, now, session);
    });
  }

  /** True if the principal is in as many other groups as it may be. */
  async #hasTooMany(
    { principalId, groupId }: MemberChange,
    experiment: string,
    {
      limits,
      now,
      session,
    }: { readonly limits: GroupLimits; readonly now: Date; readonly session: ClientSession },
  ): Promise<boolean> {
    const others = { principalId, groupId: { $ne: groupId }, ...lasting(now) };
    const options = { projection: { groupId: 1 }, limit: limits.all, session };
    const ids = (await this.#members.find(others, options).toArray()).map((member) => member.groupId);
    if (ids.length < limits.experiment) return false;
    if (ids.length >= limits.all) return true;
    const same = await this.#groups.countDocuments({ _id: { $in: ids }, experiment }, { session });
    return same >= limits.experiment;
  }

  async #writeMember(change: MemberChange, now: Date, session: ClientSession): Promise<GroupMemberDocument> {
    const { principalId, groupId, ...fields } = change;
    const found = await this.#members.findOneAndUpdate(
      { _id: `${principalId}:${groupId}` },
      {
        $set: { ...fields, principalId, groupId, updatedAt: now },
        $setOnInsert: { schemaVersion: 1, createdAt: now },
        $inc: { revision: 1 },
      },
      { upsert: true, returnDocument: 'after', session },
    );
    return upserted(found);
  }

  /** A member, also one whose membership has ended. */
  member(principalId: string, groupId: string): Promise<GroupMemberDocument | null> {
    return this.#members.findOne({ _id: `${principalId}:${groupId}` });
  }

  async removeMember(principalId: string, groupId: string): Promise<void> {
    await this.#members.deleteOne({ _id: `${principalId}:${groupId}` });
  }

  /**
   * A page of the groups that concern the experiments, the newest first.
   * @throws DomainError CURSOR_INVALID
   */
  page(
    experiments: VisibleExperiments,
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<GroupDocument>> {
    const filter = experiments === '*' ? {} : { experiment: { $in: [...experiments, '*'] } };
    const order = [{ field: 'createdAt', direction: -1 }] as const;
    return keysetPage({ collection: this.#groups, filter, order, first, after });
  }

  /** A page of the members of a group whose membership has not ended, the newest first. */
  members(
    groupId: string,
    now: Date,
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<GroupMemberDocument>> {
    const order = [{ field: 'createdAt', direction: -1 }] as const;
    return keysetPage({
      collection: this.#members,
      filter: { groupId, ...lasting(now) },
      order,
      first,
      after,
    });
  }

  /** All members of groups, also those whose membership has ended. */
  async memberIdsOf(groupIds: readonly string[]): Promise<readonly string[]> {
    const filter = { groupId: { $in: [...groupIds] } };
    const options = { projection: { principalId: 1 }, readConcern: 'majority' } as const;
    return (await this.#members.find(filter, options).toArray()).map(({ principalId }) => principalId);
  }

  groupsOf(ids: readonly string[]): Promise<GroupDocument[]> {
    return this.#groups.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** The groups of which somebody is a member, at most 100. */
  membershipsOf(principalId: string, now: Date): Promise<GroupMemberDocument[]> {
    const options = { sort: { _id: 1 }, limit: 100 } as const;
    return this.#members.find({ principalId, ...lasting(now) }, options).toArray();
  }

  /** Roles that principals have as members of groups. */
  async rolesOf(principalIds: readonly string[], now: Date): Promise<readonly HeldRoles[]> {
    const options = { readConcern: 'majority' } as const;
    const filter = { principalId: { $in: [...principalIds] }, ...lasting(now) };
    const members = await this.#members.find(filter, options).toArray();
    if (members.length === 0) return [];
    const ids = [...new Set(members.map(({ groupId }) => groupId))];
    const groups = await this.#groups.find({ _id: { $in: ids }, ...lasting(now) }, options).toArray();
    const byId = new Map(groups.map((group) => [group._id, group]));
    return members.flatMap(({ principalId, groupId, expiresAt }) => {
      const group = byId.get(groupId);
      if (!group) return [];
      const { experiment, roles } = group;
      const end = earlier(expiresAt, group.expiresAt);
      return { principalId, experiment, roles, groupId, expiresAt: end };
    });
  }

  /**
   * Members of groups that give roles in one of the experiments or in all.
   * @param among limits the search to these principals
   */
  async principalsWithRolesIn(
    experiments: readonly string[],
    now: Date,
    among?: readonly string[],
  ): Promise<readonly string[]> {
    const filter = { experiment: { $in: [...experiments, '*'] }, ...lasting(now) };
    const ids = await this.#groups.distinct('_id', filter);
    if (ids.length === 0) return [];
    const principalId = among && { principalId: { $in: [...among] } };
    return this.#members.distinct('principalId', { groupId: { $in: ids }, ...principalId, ...lasting(now) });
  }
}

function earlier(one: Date | null, other: Date | null): Date | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}
