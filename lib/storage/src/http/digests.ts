/** Digests in headers: `Repr-Digest` of RFC 9530, and `Digest` of RFC 3230, as in storages of the grid. */
import { StorageError } from '../storage-error.js';
import type { FileResponse } from './http-client.js';

/** Headers with the digest of a file. @param sha256 in hexadecimal */
export function digestHeaders(sha256: string): Record<string, string> {
  const text = Buffer.from(sha256, 'hex').toString('base64');
  return { 'Repr-Digest': `sha-256=:${text}:`, Digest: `sha-256=${text}` };
}

/** Headers that ask for the digest of a file. */
export const wantDigest = { 'Want-Repr-Digest': 'sha-256=10', 'Want-Digest': 'sha-256' };

/** SHA-256 of an answer in hexadecimal; undefined if the server did not send it. */
export function digestOf(headers: FileResponse['headers']): string | undefined {
  for (const name of ['repr-digest', 'digest']) {
    const found = /(?:^|,)\s*sha-256=:?([A-Za-z0-9+/]{43}=)/i.exec(String(headers[name] ?? ''))?.[1];
    if (found !== undefined) return Buffer.from(found, 'base64').toString('hex');
  }
  return undefined;
}

/** @throws StorageError CORRUPT if the server reports another digest than that of the content */
export function assertDigest(headers: FileResponse['headers'], sha256: string, what: string): void {
  const found = digestOf(headers);
  if (found === undefined || found === sha256) return;
  throw new StorageError('CORRUPT', `${what} has the SHA-256 ${found} instead of ${sha256}`);
}
