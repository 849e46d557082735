/** Record of the call that created a document, by which a repetition is recognised. */
import type { InputErrors } from '@rhizome/errors';
import { digestOf } from '@rhizome/digest';

/** Stored in the created document, with a unique index over `by` and `key`. */
export interface StoredCreation {
  /** Subject of the caller. */
  readonly by: string;
  readonly key: string;
  /** Digest of the input without its key. */
  readonly digest: string;
}

/** Maximum length of a key. */
const maxKeyLength = 200;

/** Adds an error if a key is empty, too long or unprintable. A missing key is valid. */
export function checkKey(errors: InputErrors<string>, key: string | null | undefined): void {
  if (key === null || key === undefined) return;
  errors.text(['idempotencyKey'], key, 1, maxKeyLength);
}

/** Digest of an input without its key. */
export function creationDigest(input: object): string {
  return digestOf({ ...input, idempotencyKey: undefined });
}
