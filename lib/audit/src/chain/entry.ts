/** Shape of an entry of the audit log, as it is stored and exported. */
import type { PrincipalKind, TokenKind } from '@rhizome/authz';

/** Kinds of entries. */
export const auditKinds = ['MUTATION', 'AGENT_CALL', 'REFUSAL', 'LOGIN', 'SECRET_READ', 'SYSTEM'] as const;

/** One of {@link auditKinds}. */
export type AuditKind = (typeof auditKinds)[number];

/**
 * Results of a recorded call: it succeeded, its input was rejected (`userErrors`), the caller was refused, it
 * failed, the client ended it, so that the change may have been made or not, or it waits for a decision.
 */
export const auditResults = ['SUCCEEDED', 'REJECTED', 'REFUSED', 'FAILED', 'CANCELLED', 'PENDING'] as const;

/** One of {@link auditResults}. */
export type AuditResult = (typeof auditResults)[number];

/** The principal of a call. */
export interface AuditActor {
  readonly kind: PrincipalKind;
  readonly subject: string;
  /** The human behind the principal: the person itself, or the one that an agent acts for. */
  readonly human: string | null;
  readonly issuer: string | null;
  /** The `jti` of the token. */
  readonly tokenId: string | null;
  /** Never `CALL`: such tokens are for subgraphs only. */
  readonly tokenKind: Exclude<TokenKind, 'CALL'> | null;
  readonly worker: string | null;
}

/** The objects of a call. The arguments themselves are not kept: they may hold secrets. */
export interface AuditTargets {
  readonly count: number;
  /** Identifiers and names in the arguments, at most 20. */
  readonly ids: readonly string[];
  /** Names of the given arguments and of their fields, at most 50. */
  readonly fields: readonly string[];
  /** HMAC-SHA-256 of the arguments, so that a guessed value cannot be confirmed from the store alone. */
  readonly digest: string | null;
  /** Reason of a call for which one is required, such as the start of an elevation; absent for others. */
  readonly reason?: string;
}

/** The client of a call. */
export interface AuditClient {
  readonly name: string;
  readonly version: string;
  readonly address: string | null;
}

/** Position in a hash chain. */
export interface ChainLink {
  /** From 1, without gaps. */
  readonly sequence: number;
  /** Hash of the link before; empty for the first. */
  readonly previous: string;
  readonly hash: string;
}

/** The end of a call. */
export interface AuditOutcome<Time = Date> {
  readonly result: AuditResult;
  /** Error codes of the answer. */
  readonly codes: readonly string[];
  readonly at: Time;
  /** Null if the outcome was known when the entry was stored; then the link of the entry covers it. */
  readonly link: ChainLink | null;
}

/** Content of an entry without its position and outcome. */
export interface AuditCall {
  readonly kind: AuditKind;
  /** Coordinate of the field, such as `Mutation.submitJobs`, or an action such as `session.login`. */
  readonly action: string;
  /** Null for an anonymous caller. */
  readonly actor: AuditActor | null;
  /** The one experiment that the call concerns; null if there are several, or if it is unknown. */
  readonly experiment: string | null;
  readonly targets: AuditTargets;
  readonly requestId: string;
  readonly client: AuditClient;
  /** Equal refusals that this entry stands for. */
  readonly repeats: number;
}

/** An entry as it is stored; `Time` is a text in an export. */
export interface AuditEntry<Time = Date> extends AuditCall {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly chain: string;
  readonly at: Time;
  readonly link: ChainLink;
  /** Null while the call runs, and for good if the process ended before the outcome was stored. */
  readonly outcome: AuditOutcome<Time> | null;
}

/** An entry as JSON. */
export type AuditRecord = AuditEntry<string>;
