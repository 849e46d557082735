/** Content to store, and the check of what is transferred. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable, Transform, type TransformCallback } from 'node:stream';
import { StorageError } from './storage-error.js';
import type { FileSource } from './storage.types.js';

/** Bytes that are read or written at once. */
export const pieceBytes = 256 * 1024;

/** A text or bytes as content. */
export function sourceOfBytes(content: string | Uint8Array): FileSource {
  const bytes = Buffer.from(content);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { sizeBytes: bytes.length, sha256, open: () => Readable.from(bytes.length > 0 ? [bytes] : []) };
}

/** A local file, whose digest is known, as content. */
export function sourceOfFile(path: string, digest: Pick<FileSource, 'sizeBytes' | 'sha256'>): FileSource {
  const { sizeBytes, sha256 } = digest;
  return { sizeBytes, sha256, open: () => createReadStream(path, { highWaterMark: pieceBytes }) };
}

/** Size and digest that content must have; `undefined` accepts any. */
export interface ExpectedContent {
  readonly sizeBytes?: number | undefined;
  /** In hexadecimal. */
  readonly sha256?: string | undefined;
}

/**
 * Passes content on, and fails with CORRUPT at its end if size or digest are wrong, and as soon as it is too
 * long. The last piece is passed on after the check: a receiver never has all of a wrong file.
 */
export class VerifiedContent extends Transform {
  readonly #what: string;
  readonly #expected: ExpectedContent;
  readonly #hash = createHash('sha256');
  #sizeBytes = 0;
  #sha256: string | undefined;
  #held: Buffer | undefined;

  /** @param what names the content in errors */
  constructor(what: string, expected: ExpectedContent) {
    super({ highWaterMark: pieceBytes });
    this.#what = what;
    this.#expected = expected;
  }

  /** Bytes so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** In hexadecimal; defined at the end of the content. */
  get sha256(): string {
    return (this.#sha256 ??= this.#hash.digest('hex'));
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#sizeBytes += piece.length;
    const { sizeBytes } = this.#expected;
    if (sizeBytes !== undefined && this.#sizeBytes > sizeBytes)
      return callback(this.#corrupt(`more than ${sizeBytes} bytes, which were declared`));
    this.#hash.update(piece);
    const before = this.#held;
    this.#held = piece;
    callback(null, before);
  }

  override _flush(callback: TransformCallback): void {
    const { sizeBytes = this.#sizeBytes, sha256 = this.sha256 } = this.#expected;
    if (this.#sizeBytes !== sizeBytes)
      return callback(this.#corrupt(`${this.#sizeBytes} bytes instead of ${sizeBytes}`));
    if (this.sha256 !== sha256)
      return callback(this.#corrupt(`the SHA-256 ${this.sha256} instead of ${sha256}`));
    callback(null, this.#held);
  }

  #corrupt(difference: string): StorageError {
    return new StorageError('CORRUPT', `${this.#what} has ${difference}`);
  }
}
