/** Reads public keys as people paste them. */
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import type { PublicKey } from './robot-key.document.js';

const maxLength = 4096;

/** Completes "must be …". */
export const publicKeyForm =
  'a public P-256 or Ed25519 key, as JSON Web Key or in PEM ("BEGIN PUBLIC KEY"), without its private part';

/**
 * The key in a text; undefined for a text with another one. A private key is refused, too: its owner must not
 * get used to sending it.
 */
export function readPublicKey(text: string): PublicKey | undefined {
  if (text.length > maxLength || text.includes('PRIVATE')) return undefined;
  try {
    const trimmed = text.trim();
    return trimmed.startsWith('{') ? ofJwk(JSON.parse(trimmed) as JsonWebKey) : ofPem(trimmed);
  } catch {
    return undefined;
  }
}

function ofPem(text: string): PublicKey | undefined {
  return keptMembers(createPublicKey(text).export({ format: 'jwk' }));
}

function ofJwk(jwk: JsonWebKey): PublicKey | undefined {
  if ('d' in jwk) return undefined;
  // The import refuses a point that is not on the curve.
  return keptMembers(createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'jwk' }));
}

function keptMembers({ kty, crv, x = '', y = '' }: JsonWebKey): PublicKey | undefined {
  if (kty === 'EC' && crv === 'P-256') return { kty, crv, x, y };
  return kty === 'OKP' && crv === 'Ed25519' ? { kty, crv, x } : undefined;
}
