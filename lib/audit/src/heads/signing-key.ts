import { hkdfSync, randomBytes } from 'node:crypto';
import { loadKey } from '@rhizome/authz';
import { type CryptoKey, importJWK, type JWK } from 'jose';

/** Keys of the audit log, all of them from one file. */
export interface AuditKeys {
  /** Signs heads. */
  readonly signing: CryptoKey;
  /** Verifies them; not secret. */
  readonly publicKey: JWK;
  /** Key of the digests of arguments. */
  readonly digest: Uint8Array;
}

/**
 * Reads the private key of a file; creates it, with mode 0600, if there is none.
 * @throws DomainError CONFIG_INVALID if the file holds no such key, or if others may read it
 */
export async function openAuditKeys(file: string): Promise<AuditKeys> {
  const jwk = await loadKey(file, 'audit.keyFile');
  const { kty, crv, x, y, d = '' } = jwk;
  return {
    signing: (await importJWK(jwk, 'ES256')) as CryptoKey,
    publicKey: { kty, crv, x, y, alg: 'ES256', use: 'sig' } as JWK,
    digest: new Uint8Array(hkdfSync('sha256', d, '', 'rhizome audit digest', 32)),
  };
}

/** A key of digests that ends with the process, for a log without a key file. */
export function temporaryDigestKey(): Uint8Array {
  return randomBytes(32);
}
