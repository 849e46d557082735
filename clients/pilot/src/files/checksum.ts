import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** Size and checksum of a file. */
export interface Digest {
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** Reads a file once for its size and its SHA-256. */
export async function checksumFile(path: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  await pipeline(
    createReadStream(path),
    async (bytes: AsyncIterable<Buffer>) => {
      for await (const part of bytes) {
        hash.update(part);
        sizeBytes += part.length;
      }
    },
    { signal },
  );
  return { sizeBytes, sha256: hash.digest('hex') };
}
