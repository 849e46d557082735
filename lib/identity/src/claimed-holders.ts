/** Holders that a request names. Nothing of it is verified: it selects limits, and gives no rights. */
import { maxTokenLength } from '@rhizome/authz';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';
import { readTokenId } from './tokens/token-id.js';

const maxProofLength = 4096;

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

/** The account that a token names; undefined for a text that is no JWT. */
export function claimedAccount(token: string): string | undefined {
  const account = accountIn(token);
  return account && `${account.issuer} ${account.subject}`;
}

/** Issuer and subject in a token; undefined for a text that is no JWT. */
export function accountIn(token: string): { readonly issuer: string; readonly subject: string } | undefined {
  const { iss: issuer, sub: subject } = claimsIn(token);
  return typeof issuer === 'string' && typeof subject === 'string' ? { issuer, subject } : undefined;
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
