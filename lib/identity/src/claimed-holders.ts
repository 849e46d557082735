/** Holders that a request names. Nothing of it is verified: it selects limits, and gives no rights. */
import { maxTokenLength } from '@rhizome/authz';
import { digestOfText } from '@rhizome/digest';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';
import { readTokenId } from './tokens/token-id.js';

/** Longest proof of possession, in characters. */
export const maxProofLength = 4096;
/** Begins the thumbprint of a client certificate, so that it never equals that of a key. */
export const certificatePrefix = 'x5t:';

/** Thumbprint of the key that a proof of possession names; undefined for a text that is none. */
export async function claimedKey(proof: string): Promise<string | undefined> {
  if (proof.length > maxProofLength) return undefined;
  try {
    const { jwk } = decodeProtectedHeader(proof);
    return jwk && (await calculateJwkThumbprint(jwk));
  } catch {
    return undefined;
  }
}

/** Thumbprint of the key that an assertion names, by its `kid` or with the key itself. */
export async function claimedAssertionKey(assertion: string): Promise<string | undefined> {
  if (assertion.length > maxProofLength) return undefined;
  try {
    const { kid } = decodeProtectedHeader(assertion);
    return typeof kid === 'string' ? kid : await claimedKey(assertion);
  } catch {
    return undefined;
  }
}

/** Issuer and subject in a token; undefined for a text that is no JWT. */
export function accountIn(token: string): { readonly issuer: string; readonly subject: string } | undefined {
  const { iss: issuer, sub: subject } = claimsIn(token);
  return typeof issuer === 'string' && typeof subject === 'string' ? { issuer, subject } : undefined;
}

/** The login of a refresh token, or the account of a JWT; undefined for another text. */
export function claimedByToken(token: string): string | undefined {
  const login = /^rhr_login_[0-9A-Z]{26}(?=_)/.exec(token)?.[0];
  const account = login === undefined ? accountIn(token) : undefined;
  const named = login ?? (account && `${account.issuer} ${account.subject}`);
  return named === undefined ? undefined : `account:${digestOfText(named)}`;
}

/** Thumbprint of the key or the client certificate to which a token is bound, as enrolments have it. */
export function claimedBinding(token: string): string | undefined {
  const { cnf } = claimsIn(token);
  const { jkt, 'x5t#S256': x5t } = (cnf ?? {}) as { readonly jkt?: unknown; readonly 'x5t#S256'?: unknown };
  if (typeof jkt === 'string') return jkt;
  return typeof x5t === 'string' ? certificatePrefix + x5t : undefined;
}

/**
 * As {@link claimedByToken}, with the key to which a token is bound. Strangers do not know the key of another
 * caller, so that they cannot use up its failures.
 */
export function claimedByBoundToken(token: string): string | undefined {
  return withKey(claimedByToken(token), claimedBinding(token));
}

/** As {@link claimedByToken}, with the key that an assertion names: strangers do not know that of a robot. */
export async function claimedByAssertion(assertion: string): Promise<string | undefined> {
  return withKey(claimedByToken(assertion), await claimedAssertionKey(assertion));
}

function withKey(account: string | undefined, key: string | undefined): string | undefined {
  return account === undefined || key === undefined ? account : `${account} ${digestOfText(key)}`;
}

/** The session of a browser, by the id in its cookie. */
export function claimedBySession(id: string): string {
  return `session:${digestOfText(id)}`;
}

/** The enrolment that the token of a worker names; another id for tokens of people. */
export function claimedEnrolment(token: string): string | undefined {
  const { jti } = claimsIn(token);
  return typeof jti === 'string' ? readTokenId(jti)?.family : undefined;
}

function claimsIn(token: string): JWTPayload {
  if (token.length > maxTokenLength) return {};
  try {
    return decodeJwt(token);
  } catch {
    return {};
  }
}
