/** Checks of what arrives against what is known of a file. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Adler32 } from './adler32.js';

/** Digest of a file, in hexadecimal. */
export interface Checksum {
  readonly kind: 'SHA256' | 'MD5' | 'ADLER32';
  readonly value: string;
}

/** Known facts about the content of a file. */
export interface ExpectedContent {
  /** Null or absent if it is not known. */
  readonly sizeBytes?: number | null;
  readonly checksums?: readonly Checksum[];
}

interface Sum {
  update(piece: Uint8Array): unknown;
  digest(): string;
}

/** Content that arrives in pieces. */
export class ContentCheck {
  readonly #expected: ExpectedContent;
  readonly #sums: readonly (Checksum & { readonly sum: Sum })[];
  #sizeBytes = 0;

  constructor(expected: ExpectedContent = {}) {
    this.#expected = expected;
    this.#sums = (expected.checksums ?? []).map((checksum) => ({ ...checksum, sum: sumOf(checksum.kind) }));
  }

  update(piece: Uint8Array): void {
    this.#sizeBytes += piece.length;
    for (const { sum } of this.#sums) sum.update(piece);
  }

  /** Difference of the whole content, for an error; undefined if there is none. Called once. */
  problem(): string | undefined {
    const { sizeBytes } = this.#expected;
    if (sizeBytes != null && sizeBytes !== this.#sizeBytes)
      return `has ${this.#sizeBytes} bytes instead of ${sizeBytes}`;
    for (const { kind, value, sum } of this.#sums) {
      const found = sum.digest();
      if (found !== value) return `has the ${names[kind]} ${found} instead of ${value}`;
    }
    return undefined;
  }
}

const names = { SHA256: 'SHA-256', MD5: 'MD5', ADLER32: 'Adler-32' } as const;

function sumOf(kind: Checksum['kind']): Sum {
  if (kind === 'ADLER32') return new Adler32();
  const hash = createHash(kind === 'MD5' ? 'md5' : 'sha256');
  return { update: (piece) => hash.update(piece), digest: () => hash.digest('hex') };
}

/** Reads a file for its difference from what is expected; undefined if there is none. */
export async function problemOfFile(
  path: string,
  expected: ExpectedContent,
  signal: AbortSignal,
): Promise<string | undefined> {
  const check = new ContentCheck(expected);
  await pipeline(
    createReadStream(path),
    async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) check.update(piece);
    },
    { signal },
  );
  return check.problem();
}
