/** Principals: found by their accounts, with memberships that end. */
import { assertCan, type Principal, type PrincipalKind, type Role } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { isDeepStrictEqual } from 'node:util';
import { assertNotOwnRoles } from '../elevations/own-roles.js';
import { checkExperiment } from '../experiment-name.js';
import { checkEnd, checkRoles } from '../grantable-roles.js';
import type { GroupsRepository } from '../groups/groups.repository.js';
import type { IssuersRepository } from '../issuers/issuers.repository.js';
import { visibleIssuer } from '../issuers/visible-issuer.js';
import { checkRolesOfRobot } from '../robots/robot-roles.js';
import { concerns, visibleTo } from '../visible-experiments.js';
import type {
  HeldRoles,
  IdentityDocument,
  LoginRecord,
  MembershipDocument,
  PrincipalDocument,
  RoleSource,
} from './principal.document.js';
import type { Account, PrincipalsRepository } from './principals.repository.js';

/** Reasons to refuse a membership, besides invalid values. */
export type MembershipCode = 'PRINCIPAL_NOT_FOUND';

/** A membership as it shall be. */
export interface MembershipRequest {
  readonly principalId: string;
  readonly experiment: string;
  /** Empty to remove it, unless it has roles to take. */
  readonly roles: readonly Role[];
  /** Roles that the principal may take for a short time, with a reason; none by default. */
  readonly elevatableRoles?: readonly Role[];
  readonly expiresAt: Date | null;
  readonly reason: string | null;
}

/** Result of a change of a membership. */
export interface MembershipChanged {
  /** Null if it was removed or refused. */
  readonly membership: MembershipDocument | null;
  readonly userErrors: readonly InputError<MembershipCode>[];
}

/** Ports of {@link PrincipalsService}. */
export interface PrincipalsOptions {
  readonly principals: PrincipalsRepository;
  readonly issuers: Pick<IssuersRepository, 'all'>;
  readonly groups: RoleSource & Pick<GroupsRepository, 'principalsWithRolesIn'>;
  readonly clock: Clock;
  readonly ids: Ids;
}

const idPrefixes: Readonly<Partial<Record<PrincipalKind, string>>> = {
  HUMAN: 'usr',
  SERVICE: 'svc',
  AGENT: 'agt',
};

/** Interval at which equal logins of an account are recorded, in milliseconds. */
const repeatMs = 3_600_000;

/** Finds and changes principals. */
export class PrincipalsService {
  readonly #options: PrincipalsOptions;

  constructor(options: PrincipalsOptions) {
    this.#options = options;
  }

  /**
   * The principal of an account, made at the first login.
   * @param actsFor the human of an agent
   * @throws DomainError FORBIDDEN if it is suspended, or was of another kind before
   */
  async logIn(
    account: Account,
    kind: PrincipalKind,
    displayName: string | null,
    actsFor: string | null = null,
  ): Promise<PrincipalDocument> {
    const { principals, clock } = this.#options;
    const principal = await this.#find(account, { kind, displayName, actsFor });
    if (principal.kind !== kind) {
      const text = `Principal "${principal._id}" is a ${principal.kind}; its issuer now says ${kind}`;
      throw new DomainError('FORBIDDEN', text);
    }
    if (principal.isSuspended)
      throw new DomainError('FORBIDDEN', `Principal "${principal._id}" is suspended`);
    if (displayName === null || displayName === principal.displayName) return principal;
    await principals.rename(principal._id, displayName, clock.now());
    return { ...principal, displayName };
  }

  async #find(
    account: Account,
    {
      kind,
      displayName,
      actsFor,
    }: Pick<PrincipalDocument, 'displayName' | 'actsFor'> & { kind: PrincipalKind },
  ): Promise<PrincipalDocument> {
    const { principals, clock, ids } = this.#options;
    const now = clock.now();
    const fresh = (id: string): PrincipalDocument => ({
      _id: id,
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      kind: kind as PrincipalDocument['kind'],
      displayName,
      isSuspended: false,
      actsFor,
    });
    const known = await principals.identity(account);
    if (known)
      return (await principals.principal(known.principalId)) ?? principals.ensure(fresh(known.principalId));
    const made = fresh(ids.next(idPrefixes[kind] ?? 'usr'));
    if (await principals.insert(made, account)) return made;
    const other = await principals.identity(account);
    if (!other) throw new TypeError('An account vanished');
    return principals.ensure(fresh(other.principalId));
  }

  /** The principal of an account; null if it has never logged in. */
  async principalIdOf(account: Account): Promise<string | null> {
    return (await this.#options.principals.identity(account))?.principalId ?? null;
  }

  /** True if there is a principal with this id. */
  async exists(id: string): Promise<boolean> {
    return (await this.#options.principals.principal(id)) !== null;
  }

  /** A principal with rights in an experiment whose identities the caller may read, or an agent of one. */
  async principal(id: string, by: Principal): Promise<PrincipalDocument | null> {
    const found = await this.#options.principals.principal(id);
    const visible = visibleTo(by);
    if (!found || visible === '*') return found;
    const holders = [found._id, ...(found.actsFor === null ? [] : [found.actsFor])];
    return (await this.#withRightsIn(visible, holders)).length > 0 ? found : null;
  }

  /** Accounts of a principal at issuers that the caller sees. */
  async identitiesOf(id: string, by: Principal): Promise<readonly IdentityDocument[]> {
    const { principals, issuers } = this.#options;
    const visible = visibleTo(by);
    const found = await principals.identitiesOf(id);
    if (visible === '*') return found;
    const all = await issuers.all();
    const seen = new Set(all.flatMap((one) => (visibleIssuer(one, visible) ? [one.issuer] : [])));
    return found.filter(({ issuer }) => seen.has(issuer));
  }

  /** Principals as {@link principal} shows them, the newest first. @throws DomainError CURSOR_INVALID */
  async page(
    first: number,
    after: string | null | undefined,
    by: Principal,
  ): Promise<KeysetPage<PrincipalDocument>> {
    const visible = visibleTo(by);
    const ids = visible === '*' ? visible : await this.#withRightsIn(visible);
    return this.#options.principals.page(ids, first, after);
  }

  /**
   * Principals with rights in one of the experiments or in all, by memberships, logins or groups.
   * @param among limits the search to these principals
   */
  async #withRightsIn(experiments: readonly string[], among?: readonly string[]): Promise<readonly string[]> {
    const { principals, groups, clock } = this.#options;
    const now = clock.now();
    const found = await Promise.all([
      principals.withRightsIn(experiments, now, among),
      groups.principalsWithRolesIn(experiments, now, among),
    ]);
    return [...new Set(found.flat())];
  }

  /**
   * Records what a token of an account was worth. One that is worth the same as the last one is recorded once
   * an hour.
   */
  async recordLogin(principal: PrincipalDocument, login: Omit<LoginRecord, 'at'>): Promise<void> {
    const { principals, clock } = this.#options;
    const now = clock.now();
    const last = principal.logins?.find(({ account }) => account === login.account);
    if (last && now.getTime() - last.at.getTime() < repeatMs && isDeepStrictEqual(last.grants, login.grants))
      return;
    await principals.recordLogin(principal._id, { ...login, at: now }, now);
  }

  /** Roles by memberships and groups that have not ended. */
  async rolesOf(id: string): Promise<readonly HeldRoles[]> {
    const { principals, groups, clock } = this.#options;
    const now = clock.now();
    return (await Promise.all([principals.memberships(id, now), groups.rolesOf([id], now)])).flat();
  }

  /** Memberships that have not ended. */
  membershipsOf(id: string): Promise<readonly MembershipDocument[]> {
    return this.#options.principals.memberships(id, this.#options.clock.now());
  }

  /** Memberships that have not ended and give rights in experiments whose identities the caller may read. */
  async visibleMembershipsOf(id: string, by: Principal): Promise<readonly MembershipDocument[]> {
    const visible = visibleTo(by);
    return (await this.membershipsOf(id)).filter(({ experiment }) => concerns(experiment, visible));
  }

  /** Suspends a principal, or ends its suspension; null if there is none. @throws DomainError FORBIDDEN */
  async suspend(id: string, isSuspended: boolean, principal: Principal): Promise<PrincipalDocument | null> {
    assertCan(principal, 'membership:set', '*');
    return this.#options.principals.suspend(id, isSuspended, this.#options.clock.now());
  }

  /**
   * Sets or removes the membership of a principal in an experiment. An administrator of one experiment cannot
   * give rights in others, and nobody can keep the roles of an elevation.
   * @throws DomainError FORBIDDEN
   */
  async setMembership(request: MembershipRequest, by: Principal): Promise<MembershipChanged> {
    const { principalId, experiment, roles, elevatableRoles = [], expiresAt, reason } = request;
    assertCan(by, 'membership:set', experiment);
    assertNotOwnRoles(by, principalId);
    const { principals, clock } = this.#options;
    const now = clock.now();
    const errors = new InputErrors<MembershipCode>();
    checkExperiment(['experiment'], experiment, errors);
    checkRoles('roles', roles, errors);
    checkRoles('elevatableRoles', elevatableRoles, errors);
    checkEnd(request, now, errors);
    const found = errors.isEmpty ? await principals.principal(principalId) : undefined;
    if (found === null)
      errors.report('PRINCIPAL_NOT_FOUND', ['principalId'], `Principal "${principalId}" not found.`);
    else if (found?.robot) checkRolesOfRobot(roles, errors);
    if (!errors.isEmpty) return { membership: null, userErrors: errors.all };
    if (roles.length + elevatableRoles.length === 0) {
      await principals.removeMembership(principalId, experiment);
      return { membership: null, userErrors: [] };
    }
    const rest = { expiresAt, reason, updatedBy: by.subject };
    const change = { principalId, experiment, roles, elevatableRoles, ...rest };
    return { membership: await principals.setMembership(change, now), userErrors: [] };
  }
}
