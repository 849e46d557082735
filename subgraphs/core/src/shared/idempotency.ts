/** What is kept of the call that created something, so that its repetition is known. */
import { createHash } from 'node:crypto';
import type { Problems } from './problems.js';

/** Stored in the created document, with a unique index over `by` and `key`. */
export interface StoredCreation {
  /** The subject that called. */
  readonly by: string;
  readonly key: string;
  /** Of the input without its key. */
  readonly digest: string;
}

/** Longest key. */
const maxKeyLength = 200;

/** Notes a key that is empty, too long or unprintable; a missing key passes. */
export function checkKey(problems: Problems<string>, key: string | null | undefined): void {
  if (key === null || key === undefined) return;
  problems.text(['idempotencyKey'], key, 1, maxKeyLength);
}

/** Equal for inputs that differ at most in the order of their fields, in fields left out or null, and in the key. */
export function digestOf(input: object): string {
  return createHash('sha256')
    .update(canonical({ ...input, idempotencyKey: undefined }))
    .digest('base64url');
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner) || inner instanceof Date)
      return inner;
    const kept = Object.entries(inner).filter(([, part]) => part !== undefined && part !== null);
    return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
