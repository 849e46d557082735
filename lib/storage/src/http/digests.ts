/** Digests in headers: `Repr-Digest` of RFC 9530, and `Digest` of RFC 3230, as in storages of the grid. */
import type { IncomingHttpHeaders } from 'node:http';
import { StorageError } from '../storage-error.js';

/** Headers with the digest of a file. @param sha256 in hexadecimal */
export function digestHeaders(sha256: string): Record<string, string> {
  const text = Buffer.from(sha256, 'hex').toString('base64');
  return { 'Repr-Digest': `sha-256=:${text}:`, Digest: `sha-256=${text}` };
}

/** Headers that ask for the digest of a file. */
export const wantDigest = { 'Want-Repr-Digest': 'sha-256=10', 'Want-Digest': 'sha-256' };

/** Headers with the digest of a file, also where a message has only a part of it, or none. */
const namesOfFile = ['repr-digest', 'digest'];

/**
 * SHA-256 in headers, in hexadecimal; undefined if it was not sent.
 * @param names of the headers, in small letters
 */
export function digestOf(headers: IncomingHttpHeaders, names = namesOfFile): string | undefined {
  for (const name of names) {
    const text = String(headers[name] ?? '');
    const found = /(?:^|,)\s*sha-256=:?([A-Za-z0-9+/]{43}=):?\s*(?:,|$)/i.exec(text)?.[1];
    if (found !== undefined) return Buffer.from(found, 'base64').toString('hex');
  }
  return undefined;
}

/** @throws StorageError CORRUPT if the server reports another digest than that of the content */
export function assertDigest(headers: IncomingHttpHeaders, sha256: string, what: string): void {
  const found = digestOf(headers);
  if (found === undefined || found === sha256) return;
  throw new StorageError('CORRUPT', `${what} has the SHA-256 ${found} instead of ${sha256}`);
}
