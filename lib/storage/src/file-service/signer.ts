import { assertKey, encodeKey } from '../keys.js';
import { StorageError } from '../storage-error.js';
import { type SignedRequest, signRequest, smallestKeyBytes } from './signature.js';
import type { SignedAddress, SigningKeys, StorageGrant } from '../storage.types.js';

/** Signs addresses of the file service. */
export class FileServiceSigner {
  readonly #base: string;
  readonly #key: Uint8Array;

  /** @param address URL of the file service @throws StorageError INVALID without a key of 32 bytes */
  constructor(address: string, { keys }: SigningKeys) {
    this.#base = address.replace(/\/+$/, '');
    const [key] = keys;
    if (key === undefined || key.length < smallestKeyBytes)
      throw new StorageError('INVALID', `The signing key must have at least ${smallestKeyBytes} bytes`);
    this.#key = key;
  }

  sign(key: string, { method, expiresAt, sizeBytes, sha256 }: StorageGrant): SignedAddress {
    assertKey(key);
    const expires = Math.floor(expiresAt.getTime() / 1000);
    const isWrite = method === 'PUT';
    const request = { method, key, expires, ...(isWrite && { sizeBytes, sha256 }) };
    // A client that sends another length fails at once, not at the end.
    const headers: Record<string, string> = {};
    if (isWrite && sizeBytes !== undefined) headers['content-length'] = String(sizeBytes);
    return { method, url: this.urlOf(request), headers, expiresAt: new Date(expires * 1000) };
  }

  /** URL of a signed request. */
  urlOf(request: SignedRequest, extra: Readonly<Record<string, string>> = {}): string {
    const query = signRequest(request, this.#key);
    for (const [name, value] of Object.entries(extra)) query.set(name, value);
    return `${this.#base}/${request.method === 'LIST' ? '' : encodeKey(request.key)}?${query.toString()}`;
  }
}

/** Signs, if there is a key. @throws StorageError INVALID without one */
export async function signedBy(
  signer: FileServiceSigner | undefined,
  key: string,
  grant: StorageGrant,
): Promise<SignedAddress> {
  assertKey(key);
  if (signer !== undefined) return signer.sign(key, grant);
  const text =
    'A storage of the kind FOLDER needs a credential with the key of its file service to sign addresses';
  throw new StorageError('INVALID', text);
}
