/** Proposers of changes, and the people with whose rights the changes are checked. */
import { createPrincipal, type CurrentRights, type Principal } from '@rhizome/authz';
import { isPerson } from '@rhizome/agents';

/** Subjects of a proposal's origin. */
export interface Proposer {
  /** Null for a person that proposes by itself. */
  readonly agent: string | null;
  readonly person: string;
}

/** The rule of `createProposal` and `withdrawProposal`. */
export const proposersOnly = {
  rule: 'only people and agents that act for a person propose changes',
  holds: ({ principal }: { readonly principal: Principal }): boolean => proposerOf(principal) !== undefined,
};

/** The rule of `approveProposal` and `denyProposal`. */
export const peopleOnly = {
  rule: 'only people decide about proposals',
  holds: ({ principal }: { readonly principal: Principal }): boolean => isPerson(principal),
};

/** The origin of a proposal; undefined for principals that propose nothing. */
export function proposerOf(principal: Principal): Proposer | undefined {
  const { kind, subject, actsFor } = principal;
  if (isPerson(principal)) return { agent: null, person: subject };
  return kind === 'AGENT' && actsFor !== undefined ? { agent: subject, person: actsFor } : undefined;
}

/**
 * The person of a proposer with its present rights, by which a dry run is made. An agent itself has reads
 * only.
 * @throws DomainError SERVICE_UNAVAILABLE
 */
export async function personOf(
  principal: Principal,
  rights: CurrentRights,
  checkedAt: Date,
): Promise<Principal> {
  const { actsFor, boundedBy = [], expiresAt } = principal;
  if (principal.kind !== 'AGENT' || actsFor === undefined) return principal;
  const now = await rights.of({ subject: actsFor }, checkedAt);
  const grants = now.isRevoked ? [] : boundedBy;
  const { groups, linked } = now;
  return createPrincipal({ kind: 'HUMAN', subject: actsFor, grants, expiresAt, groups, linked });
}
