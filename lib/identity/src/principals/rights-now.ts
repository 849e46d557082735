/** Decides which rights a principal has now, from its last logins and its memberships. */
import { type Grant, maxGroups, maxIdentities } from '@rhizome/authz';
import { constrain, grantsOf, statedRule } from '../issuers/assess.js';
import type { IssuerSettingsRecord } from '../issuers/issuer.document.js';
import { grantsOfRobot } from '../robots/robot-roles.js';
import type { HeldRoles, LoginGrant, LoginRecord, PrincipalDocument } from './principal.document.js';

/** Stored facts about a principal. */
export interface PrincipalFacts {
  readonly principal: PrincipalDocument;
  /** Roles by memberships and groups, and elevatable roles of memberships. */
  readonly held: readonly HeldRoles[];
  readonly issuers: ReadonlyMap<string, IssuerSettingsRecord>;
  /** Identities of linked people, among them those of the principal's person. */
  readonly linked?: readonly PrincipalDocument[] | undefined;
}

/** Rights of a principal. */
export interface DatedRights {
  readonly grants: readonly Grant[];
  /** Roles of memberships that an elevation can give. */
  readonly ready: readonly Grant[];
  /** Ids of groups that have not ended. */
  readonly groups: readonly string[];
  /** Ids of the other identities of the same person that count. */
  readonly linked: readonly string[];
  /** Time at which some of them end; undefined if none does. */
  readonly until: Date | undefined;
}

/**
 * Time for which the rights of a token count after it was last presented, in milliseconds: nothing is learned
 * about an account between two logins.
 */
export const loginLastsMs = 30 * 86_400_000;

/** Undefined for a principal whose logins are not recorded. */
export function rightsNow(facts: PrincipalFacts, now: Date): DatedRights | undefined {
  const { principal, held, issuers } = facts;
  const { isSuspended, logins, robot } = principal;
  if (isSuspended) return { grants: [], ready: [], groups: [], linked: [], until: undefined };
  const lasting = held.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
  if (robot) return rightsOfRobot(lasting);
  if (logins === undefined) return undefined;
  const ends: Date[] = [];
  const ready = lasting.map(({ experiment, elevatableRoles = [] }) => ({
    experiment,
    roles: elevatableRoles,
  }));
  const outcomes = logins.map((login) => {
    const issuer = issuers.get(login.issuer);
    const end = new Date(login.at.getTime() + loginLastsMs);
    if (!issuer?.isEnabled || end <= now) return { has: [], ready: [] };
    ends.push(end);
    ends.push(...lasting.flatMap(ending));
    return {
      has: constrain([...fromRules(login, issuer), ...lasting], issuer),
      ready: constrain(ready, issuer),
    };
  });
  return {
    grants: grantsOf(outcomes.flatMap(({ has }) => has)),
    ready: grantsOf(outcomes.flatMap((one) => one.ready)),
    groups: ends.length === 0 ? [] : groupsOf(lasting),
    linked: ends.length === 0 ? [] : linkedOf(facts),
    until: earliest(ends),
  };
}

/** A robot has no logins: its memberships and groups decide. */
function rightsOfRobot(lasting: readonly HeldRoles[]): DatedRights {
  const until = earliest(lasting.flatMap(ending));
  return { grants: grantsOfRobot(lasting), ready: [], groups: groupsOf(lasting), linked: [], until };
}

/**
 * A suspended identity gives nothing to the others of its person, and neither does one whose issuers are all
 * disabled: they may have proven somebody else's identity.
 */
function linkedOf({ principal, issuers, linked = [] }: PrincipalFacts): readonly string[] {
  const { _id: own, personId } = principal;
  if (personId === undefined) return [];
  return linked
    .filter((one) => one.personId === personId && one._id !== own && !one.isSuspended)
    .filter(({ logins = [] }) => logins.some(({ issuer }) => issuers.get(issuer)?.isEnabled))
    .map(({ _id }) => _id)
    .sort()
    .slice(0, maxIdentities);
}

/** The oldest ones that a token holds: a store with more of them must not make its members unknown. */
const groupsOf = (held: readonly HeldRoles[]): readonly string[] =>
  held
    .flatMap(({ groupId }) => groupId ?? [])
    .sort()
    .slice(0, maxGroups);

const ending = ({ expiresAt }: HeldRoles): readonly Date[] => (expiresAt === null ? [] : [expiresAt]);

function earliest(ends: readonly Date[]): Date | undefined {
  return ends.length === 0 ? undefined : new Date(Math.min(...ends.map((end) => end.getTime())));
}

/** The rights of the last token that its rules still give. */
function fromRules({ grants }: LoginRecord, issuer: IssuerSettingsRecord): readonly Grant[] {
  return grants
    .filter((one) => one.rule === statedRule || isGiven(one, issuer))
    .map(({ experiment, role }) => ({ experiment, roles: [role] }));
}

function isGiven({ rule, experiment, role }: LoginGrant, { rules }: IssuerSettingsRecord): boolean {
  const found = rules.find(({ name }) => name === rule);
  return found?.grants.some((one) => one.experiment === experiment && one.roles.includes(role)) ?? false;
}
