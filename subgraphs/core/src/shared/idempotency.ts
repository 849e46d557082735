/** What is kept of the call that created something, so that its repetition is known. */
import type { InputErrors } from '@rhizome/errors';
import { digestOf } from '@rhizome/digest';

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
export function checkKey(errors: InputErrors<string>, key: string | null | undefined): void {
  if (key === null || key === undefined) return;
  errors.text(['idempotencyKey'], key, 1, maxKeyLength);
}

/** The digest of an input without its key. */
export function creationDigest(input: object): string {
  return digestOf({ ...input, idempotencyKey: undefined });
}
