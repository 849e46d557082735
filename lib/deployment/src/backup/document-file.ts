/** Files of BSON documents, one after the other, compressed by gzip; written and read in bounded memory. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createGzip } from 'node:zlib';
import { DeploymentError } from '../deployment-error.js';

/** Amounts and digest of a file. */
export interface WrittenFile {
  readonly documents: number;
  /** Bytes of the documents before compression. */
  readonly bytes: number;
  /** SHA-256 of the file. */
  readonly sha256: string;
}

/** Bytes that are passed on together. */
const chunkBytes = 1024 * 1024;
/** Bound for the size of a document; MongoDB stores 16 MiB, and slightly more for its own. */
const largestDocument = 17 * 1024 * 1024;
const smallestDocument = 5;

/**
 * Writes documents to a new file that only its owner may read.
 * @param onWritten called now and then with the number of documents so far
 */
export async function writeDocuments(
  path: string,
  documents: AsyncIterable<Uint8Array>,
  { onWritten, signal }: { readonly onWritten?: (count: number) => void; readonly signal?: AbortSignal },
): Promise<WrittenFile> {
  let count = 0;
  let bytes = 0;
  async function* chunks(): AsyncGenerator<Buffer> {
    let parts: Uint8Array[] = [];
    let size = 0;
    for await (const document of documents) {
      count += 1;
      bytes += document.length;
      parts.push(document);
      size += document.length;
      if (size < chunkBytes) continue;
      yield Buffer.concat(parts);
      onWritten?.(count);
      [parts, size] = [[], 0];
    }
    yield Buffer.concat(parts);
  }
  const digest = createHash('sha256');
  const digesting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      digest.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(
    Readable.from(chunks(), { objectMode: true, highWaterMark: 2 }),
    createGzip({ level: constants.Z_BEST_SPEED, chunkSize: 64 * 1024 }),
    digesting,
    createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true }),
    { ...(signal ? { signal } : {}) },
  );
  return { documents: count, bytes, sha256: digest.digest('hex') };
}

/** SHA-256 of a file. */
export async function digestOfFile(path: string): Promise<string> {
  const digest = createHash('sha256');
  await pipeline(createReadStream(path), digest);
  return digest.digest('hex');
}

/** Documents of a file, as BSON. @throws DeploymentError if the file does not consist of whole documents */
export async function* readDocuments(path: string): AsyncGenerator<Buffer> {
  const source = createReadStream(path);
  const content = createGunzip({ chunkSize: chunkBytes });
  // An error of the file ends the content, which is what is read here.
  source.on('error', (error) => content.destroy(error));
  source.pipe(content);
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      for (;;) {
        const size = data.length - at >= 4 ? data.readInt32LE(at) : undefined;
        if (size === undefined) break;
        if (size < smallestDocument || size > largestDocument)
          throw new DeploymentError(`${path} has a document of ${size} bytes; the file is damaged`);
        if (data.length - at < size) break;
        yield data.subarray(at, at + size);
        at += size;
      }
      rest = data.subarray(at);
    }
  } finally {
    source.destroy();
    content.destroy();
  }
  if (rest.length > 0) throw new DeploymentError(`${path} ends within a document; the file is damaged`);
}
