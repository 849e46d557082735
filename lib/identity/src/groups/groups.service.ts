/** Rules of groups: the permissions to change them, and the roles that they give. */
import { assertCan, can, maxGroups, type Principal, type Role } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { isDeepStrictEqual } from 'node:util';
import { assertNotOwnRoles } from '../elevations/own-roles.js';
import { checkExperiment } from '../experiment-name.js';
import { checkEnd, checkRoles } from '../grantable-roles.js';
import type { PrincipalsRepository } from '../principals/principals.repository.js';
import { concerns, visibleTo } from '../visible-experiments.js';
import type { GroupDocument, GroupMemberDocument } from './group.document.js';
import type { GroupsRepository } from './groups.repository.js';

/** A group as it shall be. */
export interface GroupRequest {
  readonly experiment: string;
  readonly name: string;
  /** Empty to remove the group. */
  readonly roles: readonly Role[];
  readonly expiresAt: Date | null;
  readonly reason: string | null;
}

/** Result of a change of a group. */
export interface GroupChanged {
  /** Null if it was removed or refused. */
  readonly group: GroupDocument | null;
  readonly userErrors: readonly InputError[];
}

/** A member as it shall be. */
export interface MemberRequest {
  readonly groupId: string;
  readonly principalId: string;
  readonly isMember: boolean;
  readonly expiresAt: Date | null;
  readonly reason: string | null;
}

/** Reasons to refuse a member, besides invalid values. */
export type MemberCode = 'GROUP_NOT_FOUND' | 'PRINCIPAL_NOT_FOUND' | 'TOO_MANY_GROUPS';

/** Result of a change of a member. */
export interface MemberChanged {
  /** Null if it was removed or refused. */
  readonly member: GroupMemberDocument | null;
  readonly userErrors: readonly InputError<MemberCode>[];
}

/** A member with its group. */
export interface MemberOfGroup extends GroupMemberDocument {
  readonly group: GroupDocument;
}

/** Ports of {@link GroupsService}. */
export interface GroupsOptions {
  readonly groups: GroupsRepository;
  readonly principals: Pick<PrincipalsRepository, 'principal'>;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** No experiment uses up the groups of a principal that others may need. */
const limits = { all: maxGroups, experiment: maxGroups / 2 };

const groupName = /^[a-z][a-z0-9-]{1,62}$/;

/** Groups of principals. A group gives roles in one experiment, so that its administrators decide alone. */
export class GroupsService {
  readonly #options: GroupsOptions;

  constructor(options: GroupsOptions) {
    this.#options = options;
  }

  /** Creates, changes or removes a group. @throws DomainError FORBIDDEN */
  async setGroup(request: GroupRequest, by: Principal): Promise<GroupChanged> {
    const { experiment, name, roles, expiresAt, reason } = request;
    assertCan(by, 'membership:set', experiment);
    const { groups, clock, ids } = this.#options;
    const now = clock.now();
    const errors = new InputErrors();
    checkExperiment(['experiment'], experiment, errors);
    errors.form(['name'], name, groupName, '2 to 63 lower-case letters, digits and "-"');
    checkRoles('roles', roles, errors);
    checkEnd(request, now, errors);
    if (!errors.isEmpty) return { group: null, userErrors: errors.all };
    const found = await groups.named(experiment, name);
    if (found && by.elevation && (await this.#hasMember(found, by))) assertNotOwnRoles(by, by.subject);
    if (roles.length > 0) {
      // A change is followed by reads of the rights of all members.
      if (found && isSame(found, request)) return { group: found, userErrors: [] };
      const change = { experiment, name, roles, expiresAt, reason, updatedBy: by.subject };
      return { group: await groups.setGroup(change, ids.next('grp'), now), userErrors: [] };
    }
    if (found) await groups.removeGroup(found._id);
    return { group: null, userErrors: [] };
  }

  /** True if the caller, or an identity that is linked to it, is a member. */
  async #hasMember({ _id }: GroupDocument, { subject, linked = [] }: Principal): Promise<boolean> {
    const { groups } = this.#options;
    const found = await Promise.all([subject, ...linked].map((id) => groups.member(id, _id)));
    return found.some((member) => member !== null);
  }

  /**
   * Adds, changes or removes a member. A group that the caller may not change is not found.
   * @throws DomainError FORBIDDEN for a caller with elevated roles that would change itself
   */
  async setMember(request: MemberRequest, by: Principal): Promise<MemberChanged> {
    const { groupId, principalId, isMember, expiresAt, reason } = request;
    assertNotOwnRoles(by, principalId);
    const { groups, principals, clock } = this.#options;
    const now = clock.now();
    const errors = new InputErrors<MemberCode>();
    checkEnd(request, now, errors);
    const group = await groups.group(groupId);
    if (!group || !can(by, 'membership:set', group.experiment))
      errors.report(
        'GROUP_NOT_FOUND',
        ['groupId'],
        `Group "${groupId}" not found, or you may not change it.`,
      );
    else if (isMember && !(await principals.principal(principalId)))
      errors.report('PRINCIPAL_NOT_FOUND', ['principalId'], `Principal "${principalId}" not found.`);
    if (!group || !errors.isEmpty) return { member: null, userErrors: errors.all };
    if (!isMember) {
      await groups.removeMember(principalId, groupId);
      return { member: null, userErrors: [] };
    }
    const change = { principalId, groupId, expiresAt, reason, updatedBy: by.subject };
    const member = await groups.setMember(change, group.experiment, limits, now);
    if (member) return { member, userErrors: [] };
    const { all, experiment: most } = limits;
    const message = `A principal is in at most ${all} groups, and at most ${most} of one experiment; end another one first.`;
    errors.report('TOO_MANY_GROUPS', ['groupId'], message);
    return { member: null, userErrors: errors.all };
  }

  /** Groups of the experiments whose identities the caller may read. */
  page(first: number, after: string | null | undefined, by: Principal): Promise<KeysetPage<GroupDocument>> {
    return this.#options.groups.page(visibleTo(by), first, after);
  }

  /** Memberships of somebody in groups; only those that the caller may read. */
  async membershipsOf(principalId: string, by: Principal): Promise<readonly MemberOfGroup[]> {
    const { groups, clock } = this.#options;
    const members = await groups.membershipsOf(principalId, clock.now());
    if (members.length === 0) return [];
    const visible = visibleTo(by);
    const found = await groups.groupsOf(members.map(({ groupId }) => groupId));
    const seen = new Map(
      found.filter(({ experiment }) => concerns(experiment, visible)).map((group) => [group._id, group]),
    );
    return members.flatMap((member) => {
      const group = seen.get(member.groupId);
      return group ? { ...member, group } : [];
    });
  }

  /** Members that have not ended. */
  members(
    groupId: string,
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<GroupMemberDocument>> {
    const { groups, clock } = this.#options;
    return groups.members(groupId, clock.now(), first, after);
  }
}

/** True if a group is as it shall be; the order of its roles does not matter. */
function isSame(group: GroupDocument, { roles, expiresAt, reason }: GroupRequest): boolean {
  const now = [[...new Set(group.roles)].sort(), group.expiresAt, group.reason];
  return isDeepStrictEqual(now, [[...new Set(roles)].sort(), expiresAt, reason]);
}
