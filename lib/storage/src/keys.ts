import { StorageError } from './storage-error.js';

/** Largest size of a key in UTF-8, in bytes: that of object stores. */
export const longestKeyBytes = 1024;
/** Largest size of a part of a key in UTF-8, in bytes: that of file systems. */
const longestPartBytes = 255;
/** Beginning of names that the file service uses itself. */
export const ownPrefix = '.rhizome-';

// Characters that people, and some programs, take for `/` or `\`.
const slashes = /[\\\u2044\u2215\u2216\u29F5\u29F8\u29F9\uFE68\uFF0F\uFF3C]/u;
// Control characters, and those that change the direction of text: they hide what a name is.
const controls = /[\p{Cc}\u200E\u200F\u2028-\u202E\u2066-\u2069]/u;

/**
 * Refuses keys that could lead out of a storage, or that look like others that do: absolute ones, `.` and
 * `..` as parts, also in look-alike characters, empty parts, control characters, invalid Unicode.
 * @throws StorageError INVALID
 */
export function assertKey(key: string): void {
  const fault = faultOf(key);
  if (fault !== undefined) throw invalidKey(key, fault);
}

/** @throws StorageError INVALID unless keys can begin with it */
export function assertPrefix(prefix: string): void {
  if (prefix === '') return;
  assertKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}

function invalidKey(key: string, fault: string): StorageError {
  const shown = JSON.stringify(key.length > 120 ? `${key.slice(0, 120)}…` : key);
  return new StorageError('INVALID', `Key ${shown} ${fault}`);
}

function faultOf(key: string): string | undefined {
  if (key === '') return 'is empty; must be a relative path';
  if (Buffer.byteLength(key) > longestKeyBytes)
    return `has ${Buffer.byteLength(key)} bytes; must have at most ${longestKeyBytes}`;
  if (/\p{Surrogate}/u.test(key)) return 'is not valid Unicode';
  if (controls.test(key)) return 'contains control characters';
  if (slashes.test(key))
    return 'contains a character that looks like "/", or "\\"; the separator must be "/"';
  if (key.startsWith('/')) return 'is an absolute path; must be a relative one';
  if (key.startsWith(ownPrefix)) return `must not begin with ${ownPrefix}`;
  for (const part of key.split('/')) {
    const fault = faultOfPart(part);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOfPart(part: string): string | undefined {
  if (part === '') return 'has an empty part; must have one "/" between parts and none at the end';
  // Full-width dots and dot leaders become dots.
  const plain = part.normalize('NFKC');
  if (plain === '.' || plain === '..') return `has ${JSON.stringify(part)} as a part; must have names only`;
  const bytes = Buffer.byteLength(part);
  if (bytes > longestPartBytes)
    return `has a part of ${bytes} bytes; each must have at most ${longestPartBytes}`;
  return undefined;
}

/** A key in a URL. */
export function encodeKey(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/');
}

/** Orders keys by their bytes in UTF-8, as object stores do. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
