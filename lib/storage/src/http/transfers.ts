/** Transfers of files over HTTP: by signed addresses, and as a part of providers. */
import { pipeline, Readable } from 'node:stream';
import { type ExpectedContent, pieceBytes, VerifiedContent } from '../sources.js';
import { isStorageError, StorageError } from '../storage-error.js';
import {
  assertOk,
  connectionError,
  discard,
  type FileRequest,
  type FileResponse,
  send,
  withoutCredentials,
  drain,
} from './http-client.js';
import type { ByteRange, FileBody, FileSource, GetOptions, SignedAddress } from '../storage.types.js';

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
  { url, headers }: SignedAddress,
  options: GetOptions = {},
  expected?: ExpectedContent,
): Promise<FileBody> {
  const { body, sizeBytes } = await readFile({ url, headers }, options);
  if (expected === undefined) return { body, sizeBytes };
  const verified = new VerifiedContent(withoutCredentials(url), expected);
  return { body: piped(body, verified), sizeBytes };
}

/** Writes a file by a signed address. @throws StorageError */
export async function writeSigned(
  { url, headers }: SignedAddress,
  source: FileSource,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await writeFile({ url, headers }, source, options);
}

/** Reads a file, or a range of it. @throws StorageError */
export async function readFile(transfer: Transfer, { range, signal }: GetOptions): Promise<FileBody> {
  const { url, idleMs } = transfer;
  const headers = { ...transfer.headers, ...(range && { Range: headerOf(range) }) };
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
  const sizeBytes = sizeOf(response, url);
  if (range === undefined || response.headers['content-range'] !== undefined)
    return { body: bodyOf(response, request), sizeBytes };
  discard(response);
  throw new StorageError('INVALID', `GET ${withoutCredentials(url)}: the server does not serve ranges`);
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
    content.once('error', (error) => (fault ??= error));
    return piped(source.open(), content);
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

function headerOf({ start, end }: ByteRange): string {
  return `bytes=${start}-${end ?? ''}`;
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
