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
  type JWTPayload,
  SignJWT,
} from 'jose';
import { type Clock, systemClock } from '@rhizome/clock';
import type { AttemptReference, Grant, PrincipalKind } from './principal.js';
import { accessKindOf, type TokenKind, tokenTypes } from './token-kinds.js';

/** Options of a token issuer that needs nothing else: for playgrounds and tests. */
export interface TokenIssuerOptions {
  /** A private ES256 key as JWK; made, with mode 0600, where there is none. */
  readonly keyFile: string;
  /** The `iss` of the tokens. */
  readonly issuer: string;
  /** Default `rhizome`. */
  readonly audience?: string;
  readonly clock?: Clock;
}

/** Claims of a token; the kind of token follows from the kind of principal unless it is given. */
export interface MintOptions {
  readonly subject: string;
  readonly kind: PrincipalKind;
  readonly grants: readonly Grant[];
  readonly ttlSeconds: number;
  readonly actsFor?: string | undefined;
  /** Upper limit of the actions. */
  readonly actions?: readonly string[] | undefined;
  readonly tokenKind?: TokenKind | undefined;
  /** Default: a new one. */
  readonly tokenId?: string | undefined;
  /** Default: now. */
  readonly issuedAt?: Date | undefined;
  /** Default: the issuer's. */
  readonly audience?: string | undefined;
  readonly queue?: string | undefined;
  readonly worker?: string | undefined;
  readonly attempt?: AttemptReference | undefined;
  /** Thumbprint of the holder's key, which then must be proven. */
  readonly keyThumbprint?: string | undefined;
}

/** A private key that signs tokens, and how it is named in them. */
export interface TokenSigner {
  readonly issuer: string;
  readonly key: CryptoKey;
  readonly kid: string;
  readonly audience: string;
  readonly clock?: Clock;
}

/** Signs a token of the signer's issuer (ES256). */
export function signToken(options: MintOptions, signer: TokenSigner): Promise<string> {
  const { issuer, key, kid, audience, clock = systemClock } = signer;
  const kind = options.tokenKind ?? accessKindOf(options.kind);
  const issuedAt = Math.floor((options.issuedAt ?? clock.now()).getTime() / 1000);
  return new SignJWT(claimsOf(options))
    .setProtectedHeader({ alg: 'ES256', kid, typ: tokenTypes[kind] })
    .setIssuer(issuer)
    .setAudience(options.audience ?? audience)
    .setSubject(options.subject)
    .setJti(options.tokenId ?? randomUUID())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + options.ttlSeconds)
    .sign(key);
}

function claimsOf(options: MintOptions): JWTPayload {
  const { kind, grants, actsFor, actions, queue, worker, attempt, keyThumbprint } = options;
  return {
    rhizome: { kind, grants, ...(actsFor !== undefined && { actsFor }), ...(actions && { actions }) },
    ...(queue !== undefined && { queue }),
    ...(worker !== undefined && { wid: worker }),
    ...(attempt && { attempt }),
    ...(keyThumbprint !== undefined && { cnf: { jkt: keyThumbprint } }),
  };
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
  const signer = { issuer, key, kid, audience, clock };
  return {
    issuer,
    jwks: () => published,
    mint: (options) => signToken(options, signer),
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
