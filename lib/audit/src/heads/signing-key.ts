import { hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError } from '@rhizome/errors';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';

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
  const found = await stat(file).catch(() => undefined);
  if (!found) await writeNewKey(file);
  else if ((found.mode & 0o077) !== 0) throw wrongKey(file, 'others may read it; set its mode to 0600');
  const jwk = parsed(await readFile(file, 'utf8'));
  if (jwk?.kty !== 'EC' || jwk.crv !== 'P-256' || typeof jwk.d !== 'string')
    throw wrongKey(file, 'it holds no private P-256 JWK');
  const { kty, crv, x, y, d } = jwk;
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

/** Written aside and linked, so that two processes that start together have one key. */
async function writeNewKey(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const aside = `${file}.${randomUUID()}.new`;
  await writeFile(aside, JSON.stringify(await exportJWK(privateKey)), {
    mode: 0o600,
    flag: 'wx',
    flush: true,
  });
  await link(aside, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(aside);
}

function parsed(text: string): JWK | undefined {
  try {
    return JSON.parse(text) as JWK;
  } catch {
    return undefined;
  }
}

function wrongKey(file: string, reason: string): DomainError {
  return new DomainError('CONFIG_INVALID', `audit.keyFile: ${file} cannot be used: ${reason}`, {
    field: 'audit.keyFile',
    value: file,
    expected: 'a private ES256 JWK with mode 0600',
  });
}
