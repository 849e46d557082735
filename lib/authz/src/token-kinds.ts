import type { PrincipalKind } from './principal-kinds.js';

/**
 * Kinds of tokens. Each is accepted only by verifiers that name it: the token of a worker, an attempt or a
 * call is never an access token. `QUEUE` is the access token that all pilots of a queue share.
 */
export const tokenKinds = ['USER', 'SERVICE', 'AGENT', 'QUEUE', 'WORKER', 'ATTEMPT', 'CALL'] as const;

/** One of {@link tokenKinds}. */
export type TokenKind = (typeof tokenKinds)[number];

/** Kinds that callers present to the gateway as `at+jwt` (RFC 9068). */
export const accessTokenKinds = ['USER', 'SERVICE', 'AGENT', 'QUEUE'] as const;

/** The `typ` header of each kind. */
export const tokenTypes: Readonly<Record<TokenKind, string>> = {
  USER: 'at+jwt',
  SERVICE: 'at+jwt',
  AGENT: 'at+jwt',
  QUEUE: 'at+jwt',
  WORKER: 'rhizome-worker+jwt',
  ATTEMPT: 'rhizome-attempt+jwt',
  CALL: 'rhizome-call+jwt',
};

const hour = 3600;

/** Largest accepted `exp − iat` in seconds of an issuer without a bound of its own. */
export const maxLifetimes: Readonly<Record<TokenKind, number>> = {
  USER: 6 * hour,
  SERVICE: 24 * hour,
  AGENT: hour,
  QUEUE: 24 * hour,
  WORKER: hour,
  ATTEMPT: hour,
  CALL: 60,
};

const accessKinds: Readonly<Record<PrincipalKind, TokenKind>> = {
  HUMAN: 'USER',
  SERVICE: 'SERVICE',
  PILOT: 'QUEUE',
  AGENT: 'AGENT',
};

/** Kind of the access token of a principal. */
export function accessKindOf(kind: PrincipalKind): TokenKind {
  return accessKinds[kind];
}

/** Kind of a token, from its `typ` header and the kind of its principal; undefined for an unknown `typ`. */
export function tokenKindOf(typ: string, kind: PrincipalKind): TokenKind | undefined {
  if (typ === 'at+jwt') return accessKinds[kind];
  return tokenKinds.find((one) => tokenTypes[one] === typ);
}

/** The `typ` header without the optional prefix `application/`, in lower case as media types compare. */
export function normalType(typ: unknown): string | undefined {
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : undefined;
}
