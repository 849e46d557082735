import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Clock } from '@rhizome/clock';
import { assertAllowed, idleTimeoutMs, withoutCredentials } from '../http/http-client.js';
import { faultOfSource, piped } from '../http/transfers.js';
import { assertKey, assertPrefix } from '../keys.js';
import { pieceBytes, VerifiedContent } from '../sources.js';
import { isStorageError, StorageError } from '../storage-error.js';
import { longestList } from '../walk.js';
import { s3Error } from './s3-errors.js';
import type {
  CallOptions,
  FileBody,
  FileList,
  FileSource,
  GetOptions,
  ListOptions,
  PutOptions,
  S3Credential,
  S3Definition,
  SignedAddress,
  StorageGrant,
  StorageProvider,
  StoredFile,
} from '../storage.types.js';

/** Size from which a file is sent in parts, and smallest size of a part, in bytes. */
const partBytes = 16 * 1024 * 1024;
/** Most parts of one file; larger files have larger parts. */
const mostParts = 10_000;
/** Parts that are sent at the same time, and held in memory. */
const concurrentParts = 3;
/** Longest time for which the protocol signs addresses, in seconds. */
const longestSeconds = 7 * 24 * 60 * 60;

/** Objects of a bucket. */
export class S3Storage implements StorageProvider {
  readonly #client: S3Client;
  readonly #clock: Clock;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #shown: string;

  constructor(definition: S3Definition, credential: S3Credential, clock: Clock) {
    assertAllowed(definition.address, 'The address of the storage');
    silenceAdvice();
    this.#client = new S3Client(configOf(definition, credential));
    this.#clock = clock;
    this.#bucket = definition.bucket;
    this.#prefix = definition.prefix === undefined ? '' : `${definition.prefix}/`;
    this.#shown = `${withoutCredentials(definition.address).replace(/\/+$/, '')}/${definition.bucket}`;
  }

  async put(
    key: string,
    source: FileSource,
    { ifAbsent = false, signal }: PutOptions = {},
  ): Promise<StoredFile> {
    const object = this.#objectOf(key);
    const { sizeBytes, sha256 } = source;
    return this.#calling(`Writing ${this.#show(key)}`, signal, async () => {
      // Not every server knows the condition, which excludes others in between.
      if (ifAbsent && (await this.head(key, { signal })) !== null)
        throw new StorageError('EXISTS', `${this.#show(key)} exists`);
      await this.#send(
        { ...object, Metadata: { sha256 }, ...(ifAbsent && { IfNoneMatch: '*' }) },
        source,
        signal,
      );
      return { key, sizeBytes, sha256, modifiedAt: this.#clock.now() };
    });
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<FileBody> {
    const object = this.#objectOf(key);
    const what = `Reading ${this.#show(key)}`;
    return this.#calling(what, signal, async () => {
      const header = range && `bytes=${range.start}-${range.end ?? ''}`;
      const command = new GetObjectCommand({ ...object, ...(header !== undefined && { Range: header }) });
      const { Body, ContentLength, ContentRange } = await this.#client.send(command, { abortSignal: signal });
      const sizeBytes = Number(/\/(\d+)$/.exec(ContentRange ?? '')?.[1] ?? ContentLength);
      if (!(Body instanceof Readable))
        throw new StorageError('INVALID', `${what}: the server sent no content`);
      return { body: withErrors(Body, what, signal), sizeBytes };
    });
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<StoredFile | null> {
    const object = this.#objectOf(key);
    return this.#calling(`Looking up ${this.#show(key)}`, signal, async () => {
      const found = await this.#client.send(new HeadObjectCommand(object), { abortSignal: signal });
      const sha256 = found.Metadata?.['sha256'];
      return {
        key,
        sizeBytes: found.ContentLength ?? 0,
        modifiedAt: found.LastModified ?? null,
        ...(sha256 !== undefined && { sha256 }),
      };
    }).catch((error: unknown) => {
      if (isStorageError(error, 'GONE')) return null;
      throw error;
    });
  }

  async list(prefix: string, { after, limit = longestList, signal }: ListOptions = {}): Promise<FileList> {
    assertPrefix(prefix);
    return this.#calling(`Listing ${this.#shown}`, signal, async () => {
      signal?.throwIfAborted();
      const command = new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: `${this.#prefix}${prefix}`,
        MaxKeys: Math.max(1, Math.min(limit, longestList)),
        ...(after !== undefined && { StartAfter: `${this.#prefix}${after}` }),
      });
      const { Contents = [], IsTruncated = false } = await this.#client.send(command, {
        abortSignal: signal,
      });
      const files = Contents.map(({ Key = '', Size = 0, LastModified }) => ({
        key: Key.slice(this.#prefix.length),
        sizeBytes: Size,
        modifiedAt: LastModified ?? null,
      }));
      return { files, next: IsTruncated ? (files.at(-1)?.key ?? null) : null };
    });
  }

  async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
    const object = this.#objectOf(key);
    await this.#calling(`Removing ${this.#show(key)}`, signal, async () => {
      await this.#client.send(new DeleteObjectCommand(object), { abortSignal: signal });
    }).catch((error: unknown) => {
      if (!isStorageError(error, 'GONE')) throw error;
    });
  }

  async sign(key: string, grant: StorageGrant): Promise<SignedAddress> {
    const object = this.#objectOf(key);
    const { method, expiresAt } = grant;
    const now = this.#clock.now();
    const seconds = Math.floor((expiresAt.getTime() - now.getTime()) / 1000);
    if (seconds > longestSeconds)
      throw new StorageError(
        'INVALID',
        `S3 signs addresses for at most ${longestSeconds} seconds; got ${seconds}`,
      );
    // One that has expired is signed as of a moment at which it had not.
    const signingDate = seconds > 0 ? now : new Date(expiresAt.getTime() - 1000);
    const options = { expiresIn: Math.max(1, seconds), signingDate };
    if (method === 'GET') {
      // A browser must not show the file as a page of the server, whatever type the writer gave it.
      const command = new GetObjectCommand({ ...object, ResponseContentDisposition: 'attachment' });
      const url = await getSignedUrl(this.#client, command, options);
      return { method, url, headers: {}, expiresAt };
    }
    const headers = headersOf(grant);
    const names = new Set(Object.keys(headers));
    const { sizeBytes, sha256 } = grant;
    const command = new PutObjectCommand({
      ...object,
      ...(sizeBytes !== undefined && { ContentLength: sizeBytes }),
      ...(sha256 !== undefined && { ChecksumSHA256: inBase64(sha256), Metadata: { sha256 } }),
    });
    const signed = { ...options, unhoistableHeaders: names, signableHeaders: new Set([...names, 'host']) };
    return { method, url: await getSignedUrl(this.#client, command, signed), headers, expiresAt };
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  /** Sends verified content; a fault of it ends the request at once. */
  async #send(
    object: Omit<ObjectInput, 'Body'>,
    source: FileSource,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const content = new VerifiedContent(object.Key, source);
    const faults = new AbortController();
    content.once('error', (error) => faults.abort(error));
    const ended = signal === undefined ? faults.signal : AbortSignal.any([signal, faults.signal]);
    const input = { ...object, Body: piped(source.open(), content) };
    try {
      if (source.sizeBytes < partBytes) await this.#putWhole(input, source, ended);
      else await this.#putParts(input, source.sizeBytes, ended);
    } catch (error) {
      throw faults.signal.aborted ? faultOfSource(faults.signal.reason) : error;
    } finally {
      content.destroy();
    }
  }

  async #putWhole(input: ObjectInput, { sizeBytes, sha256 }: FileSource, signal: AbortSignal): Promise<void> {
    const content = { ContentLength: sizeBytes, ChecksumSHA256: inBase64(sha256) };
    await this.#client.send(new PutObjectCommand({ ...input, ...content }), { abortSignal: signal });
  }

  /** Nothing is stored until all parts are there and the content is verified. */
  async #putParts(params: ObjectInput, sizeBytes: number, signal: AbortSignal): Promise<void> {
    const partSize = Math.max(partBytes, Math.ceil(sizeBytes / mostParts));
    const upload = new Upload({ client: this.#client, params, partSize, queueSize: concurrentParts });
    const abort = (): void => void upload.abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      await upload.done();
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #objectOf(key: string): { readonly Bucket: string; readonly Key: string } {
    assertKey(key);
    return { Bucket: this.#bucket, Key: `${this.#prefix}${key}` };
  }

  #show(key: string): string {
    return `${this.#shown}/${this.#prefix}${key}`;
  }

  async #calling<T>(what: string, signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw s3Error(error, what, signal);
    }
  }
}

interface ObjectInput {
  readonly Bucket: string;
  readonly Key: string;
  readonly Body: Readable;
  readonly Metadata: Record<string, string>;
  readonly IfNoneMatch?: string;
}

function configOf({ address, region = 'us-east-1' }: S3Definition, credential: S3Credential): S3ClientConfig {
  const { accessKeyId, secretAccessKey, sessionToken } = credential;
  return {
    endpoint: address,
    region,
    // Most servers other than the first one have no host name for each bucket.
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
    // Our own checks cover the content; many servers do not know the trailers that the SDK adds otherwise.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 3,
    // Its warnings repeat what the errors say.
    logger: silent,
    requestHandler: { connectionTimeout: 10_000, socketTimeout: idleTimeoutMs },
  };
}

/** The SDK advises each process on standard error to use another Node.js; its version here runs on ours. */
function silenceAdvice(): void {
  // eslint-disable-next-line no-restricted-properties -- the SDK has no other setting for it
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}

const silent = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // Nothing.
}

/** Headers that a signed upload must have. */
function headersOf({ sizeBytes, sha256 }: StorageGrant): Record<string, string> {
  const headers: Record<string, string> = {};
  if (sizeBytes !== undefined) headers['content-length'] = String(sizeBytes);
  if (sha256 !== undefined) {
    headers['x-amz-checksum-sha256'] = inBase64(sha256);
    headers['x-amz-meta-sha256'] = sha256;
  }
  return headers;
}

function inBase64(hexadecimal: string): string {
  return Buffer.from(hexadecimal, 'hex').toString('base64');
}

/** Errors of the connection reach the reader as those of a storage. */
function withErrors(body: Readable, what: string, signal: AbortSignal | undefined): Readable {
  const pieces = async function* (): AsyncGenerator<Buffer> {
    try {
      for await (const piece of body) yield piece as Buffer;
    } catch (error) {
      throw s3Error(error, what, signal);
    }
  };
  return Readable.from(pieces(), { objectMode: false, highWaterMark: pieceBytes });
}
