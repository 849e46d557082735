/** ES256 keys: made, read from files, and published. */
import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
} from 'jose';
import { type PrivateFile, readPrivateFile, unusableFile } from './private-file.js';

/** The public half of an ES256 key, as it is published. */
export function publicJwk({ kty, crv, x, y }: JWK, kid: string): JWK {
  return { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } as JWK;
}

/** A new private ES256 key. */
export async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return exportJWK(privateKey);
}

/**
 * Reads a private ES256 key, which is created with mode 0600 if there is none.
 *
 * @param field setting that names the file
 * @throws DomainError CONFIG_INVALID if the file is no such key, or others may read it
 */
export async function loadKey(path: string, field = 'keyFile'): Promise<JWK> {
  const create = async (): Promise<string> => JSON.stringify(await newKey());
  const file: PrivateFile = { path, field, expected: 'a private ES256 JWK', create };
  const jwk = parseKey(await readPrivateFile(file));
  if (jwk?.kty !== 'EC' || jwk.crv !== 'P-256' || !jwk.d)
    throw unusableFile(file, 'it holds no private P-256 JWK');
  return jwk;
}

function parseKey(text: string): JWK | undefined {
  try {
    return JSON.parse(text) as JWK;
  } catch {
    return undefined;
  }
}

/** A private key that is ready to sign, with the set of keys that verifies its signatures. */
export interface SigningKey {
  readonly key: CryptoKey;
  readonly kid: string;
  readonly jwks: JSONWebKeySet;
}

/** Prepares a private ES256 key; its thumbprint is the `kid`. */
export async function signingKeyOf(jwk: JWK): Promise<SigningKey> {
  const kid = await calculateJwkThumbprint(jwk);
  const key = (await importJWK(jwk, 'ES256')) as CryptoKey;
  return { key, kid, jwks: { keys: [publicJwk(jwk, kid)] } };
}
