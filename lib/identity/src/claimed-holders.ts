/** Holders that a request names. Nothing of it is verified: it selects limits, and gives no rights. */
import { maxTokenLength } from '@rhizome/authz';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader } from 'jose';

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
  if (token.length > maxTokenLength) return undefined;
  try {
    const { iss, sub } = decodeJwt(token);
    return typeof iss === 'string' && typeof sub === 'string' ? `${iss} ${sub}` : undefined;
  } catch {
    return undefined;
  }
}
