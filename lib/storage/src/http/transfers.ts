/** Transfers of files over HTTP: by signed addresses, and as a part of providers. */
import { pipeline, Readable } from 'node:stream';
import { type ExpectedContent, pieceBytes, VerifiedContent } from '../sources.js';
import { isStorageError, StorageError } from '../storage-error.js';
import {
  assertOk,
  connectionError,
  type Connections,
  discard,
  type FileRequest,
  type FileResponse,
  send,
  withoutCredentials,
  drain,
} from './http-client.js';
import { assertDigest } from './digests.js';
import { sendFollowing } from './redirects.js';
import type {
  ByteRange,
  CallOptions,
  FileBody,
  FileSource,
  GetOptions,
  SignedAddress,
} from '../storage.types.js';

/** Options of a transfer by a signed address. */
export interface SignedOptions extends CallOptions {
  /** Connections for servers with certificates of other authorities. */
  readonly http?: Connections | undefined;
}

/** A request for a file, with the way to send it. */
export interface Transfer {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly send?: (request: FileRequest) => Promise<FileResponse>;
  readonly idleMs?: number | undefined;
}

/**
 * Reads a file by a signed address.
 * @param expected the body fails with CORRUPT at its end if its content differs
 * @throws StorageError
 */
export async function readSigned(
  address: SignedAddress,
  { http, ...options }: GetOptions & SignedOptions = {},
  expected?: ExpectedContent,
): Promise<FileBody> {
  const { url } = address;
  const { body, ...file } = await readFile(transferBy(address, http), options);
  if (expected === undefined) return { body, ...file };
  const verified = new VerifiedContent(withoutCredentials(url), expected);
  return { body: piped(body, verified), ...file };
}

/** Writes a file by a signed address. @throws StorageError */
export async function writeSigned(
  address: SignedAddress,
  source: FileSource,
  { http, signal }: SignedOptions = {},
): Promise<void> {
  const headers = await writeFile(transferBy(address, http), source, { signal });
  assertDigest(headers, source.sha256, withoutCredentials(address.url));
}

/** Follows redirects, as of a head node to its data servers. */
function transferBy(
  { url, headers, trustedOrigins = [] }: SignedAddress,
  http: Connections | undefined,
): Transfer {
  const policy = {
    send: async (request: FileRequest) => (http ? http.send(request) : send(request)),
    trustedOrigins: new Set(trustedOrigins),
  };
  return { url, headers, send: async (request) => sendFollowing(request, policy) };
}

/** Reads a file, or a range of it. @throws StorageError */
export async function readFile(
  transfer: Transfer,
  { range, ifVersion, signal }: GetOptions,
): Promise<FileBody> {
  const { url, idleMs } = transfer;
  const headers = { ...transfer.headers, ...(range && rangeHeaders(range, ifVersion)) };
  const request = { method: 'GET', url, headers, signal, idleMs };
  const response = await (transfer.send ?? send)(request);
  if (response.status === 416) {
    await drain(response);
    throw new StorageError(
      'INVALID',
      `GET ${withoutCredentials(url)}: the range begins after the end of the file`,
    );
  }
  await assertOk(response, request);
  try {
    const version = versionOf(response);
    if (range !== undefined) assertRange(response, range, url);
    if (ifVersion !== undefined && version !== undefined && version !== ifVersion)
      throw new StorageError('CORRUPT', `GET ${withoutCredentials(url)}: the file was replaced`);
    return { body: bodyOf(response, request), sizeBytes: sizeOf(response, url), version };
  } catch (error) {
    discard(response);
    throw error;
  }
}

/** `If-Range` permits only exact versions. A server that has another one sends the whole file. */
function rangeHeaders({ start, end }: ByteRange, version: string | undefined): Record<string, string> {
  const isExact = version !== undefined && !version.startsWith('W/');
  return { Range: `bytes=${start}-${end ?? ''}`, ...(isExact && { 'If-Range': version }) };
}

function versionOf({ headers }: FileResponse): string | undefined {
  const version = headers['etag'] ?? headers['last-modified'];
  return typeof version === 'string' ? version : undefined;
}

/** @throws StorageError INVALID for an answer with other bytes */
function assertRange({ headers }: FileResponse, { start }: ByteRange, url: string): void {
  const range = headers['content-range'];
  if (range === undefined)
    throw new StorageError('INVALID', `GET ${withoutCredentials(url)}: the server does not serve the range`);
  if (Number(/^bytes (\d+)-/.exec(String(range))?.[1] ?? Number.NaN) === start) return;
  const shown = JSON.stringify(range);
  throw new StorageError('INVALID', `GET ${withoutCredentials(url)}: the range begins elsewhere: ${shown}`);
}

/** Writes a file. @returns headers of the answer @throws StorageError */
export async function writeFile(
  transfer: Transfer,
  source: FileSource,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<FileResponse['headers']> {
  const { url, idleMs } = transfer;
  let fault: unknown;
  const body = (): Readable => {
    const content = new VerifiedContent(withoutCredentials(url), source);
    const from = source.open();
    content.once('error', (error) => {
      if (isStorageError(error)) fault ??= error;
    });
    // A broken connection ends the content first, and by it the source.
    from.once('error', (error) => {
      if (!content.destroyed) fault ??= error;
    });
    return piped(from, content);
  };
  const headers = {
    'Content-Type': 'application/octet-stream',
    ...transfer.headers,
    'Content-Length': String(source.sizeBytes),
  };
  const request = { method: 'PUT', url, headers, body, signal, idleMs };
  try {
    const response = await (transfer.send ?? send)(request);
    await assertOk(response, request);
    await drain(response);
    return response.headers;
  } catch (error) {
    // What is wrong with the content explains why the connection broke.
    throw isStorageError(fault) || isLocal(fault) ? faultOfSource(fault) : error;
  }
}

/** True if the content itself failed, and not the connection that ended it. */
function isLocal(fault: unknown): boolean {
  return fault instanceof Error && 'syscall' in fault && 'path' in fault;
}

/** An error of the content that is stored. */
export function faultOfSource(fault: unknown): StorageError {
  if (fault instanceof StorageError) return fault;
  const text = `The content could not be read: ${fault instanceof Error ? fault.message : String(fault)}`;
  return new StorageError('INVALID', text, { cause: fault });
}

/** Size of the whole file. */
function sizeOf({ headers }: FileResponse, url: string): number {
  const range = headers['content-range'];
  const text = range !== undefined ? /\/(\d+)$/.exec(String(range))?.[1] : headers['content-length'];
  if (typeof text === 'string' && /^\d{1,16}$/.test(text)) return Number(text);
  throw new StorageError(
    'INVALID',
    `GET ${withoutCredentials(url)}: the server does not report the size of the file`,
  );
}

/** Errors of the connection reach the reader as those of a storage. */
function bodyOf({ body }: FileResponse, { method, url, signal }: FileRequest): Readable {
  const pieces = async function* (): AsyncGenerator<Buffer> {
    try {
      for await (const piece of body) yield piece as Buffer;
    } catch (error) {
      throw connectionError(error, method, url, signal);
    }
  };
  return Readable.from(pieces(), { objectMode: false, highWaterMark: pieceBytes });
}

/** Connects two streams; an error or an early end of one ends the other. */
export function piped(from: Readable, to: VerifiedContent): VerifiedContent {
  pipeline(from, to, () => undefined);
  return to;
}
