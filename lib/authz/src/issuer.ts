import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError } from '@rhizome/errors';
import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  SignJWT,
} from 'jose';
import { type Clock, systemClock } from '@rhizome/clock';
import type { Grant, PrincipalKind } from './principal.js';

/** A token issuer that needs nobody else: for playgrounds and tests. */
export interface TokenIssuerOptions {
  /** A private ES256 key as JWK; made, with mode 0600, where there is none. */
  readonly keyFile: string;
  /** The `iss` of the tokens. */
  readonly issuer: string;
  /** Default `rhizome`. */
  readonly audience?: string;
  readonly clock?: Clock;
}

/** Claims of a token. */
export interface MintOptions {
  readonly subject: string;
  readonly kind: PrincipalKind;
  readonly grants: readonly Grant[];
  readonly ttlSeconds: number;
  readonly actsFor?: string;
}

/** Mints tokens and publishes the key to check them with. */
export interface TokenIssuer {
  readonly issuer: string;
  /** The public keys. */
  jwks(): JSONWebKeySet;
  /** A signed token that is valid from now on. */
  mint(options: MintOptions): Promise<string>;
}

/**
 * Opens an issuer on its key file.
 *
 * @throws DomainError CONFIG_INVALID when the file is no such key, or others may read it
 */
export async function createTokenIssuer(options: TokenIssuerOptions): Promise<TokenIssuer> {
  const { keyFile, issuer, audience = 'rhizome', clock = systemClock } = options;
  const jwk = await loadKey(keyFile);
  const kid = await calculateJwkThumbprint(jwk);
  const key = (await importJWK(jwk, 'ES256')) as CryptoKey;
  const { kty, crv, x, y } = jwk;
  const published: JSONWebKeySet = { keys: [{ kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } as JWK] };
  return {
    issuer,
    jwks: () => published,
    mint: ({ subject, kind, grants, ttlSeconds, actsFor }) => {
      const now = Math.floor(clock.now().getTime() / 1000);
      return new SignJWT({ rhizome: { kind, grants, ...(actsFor === undefined ? {} : { actsFor }) } })
        .setProtectedHeader({ alg: 'ES256', kid, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt(now)
        .setExpirationTime(now + ttlSeconds)
        .sign(key);
    },
  };
}

async function loadKey(file: string): Promise<JWK> {
  const found = await stat(file).catch(() => undefined);
  if (!found) await writeNewKey(file);
  else if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
    throw wrongKey(file, `its mode is ${mode}; others must not read it, so make it 0600`);
  }
  const text = await readFile(file, 'utf8');
  const jwk = parseKey(text);
  if (jwk?.kty !== 'EC' || jwk.crv !== 'P-256' || !jwk.d)
    throw wrongKey(file, 'it holds no private P-256 JWK');
  return jwk;
}

function parseKey(text: string): JWK | undefined {
  try {
    return JSON.parse(text) as JWK;
  } catch {
    return undefined;
  }
}

/** Written aside and linked into place, so that two processes that start at once end up with one key. */
async function writeNewKey(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const aside = `${file}.${randomUUID()}.new`;
  const handle = await open(aside, 'wx', 0o600);
  try {
    await handle.writeFile(JSON.stringify(await exportJWK(privateKey)));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await chmod(aside, 0o600);
  await link(aside, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(aside);
}

function wrongKey(file: string, why: string): DomainError {
  return new DomainError('CONFIG_INVALID', `Key file ${file} cannot be used: ${why}`, {
    field: 'keyFile',
    value: file,
    expected: 'a private ES256 JWK with mode 0600',
  });
}
