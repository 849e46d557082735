/** Requests to servers of files: time limits, redirects within bounds, errors by kind. */
import { Readable } from 'node:stream';
import { type Dispatcher, errors, request } from 'undici';
import { isStorageError, StorageError, type StorageErrorKind } from '../storage-error.js';
import { outsideMetadata, RefusedAddress, assertNoMetadata } from './metadata-addresses.js';

/** Time without any data after which a request is given up, in milliseconds. */
export const idleTimeoutMs = 60_000;

export interface FileRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readable | string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Time without any data, in milliseconds; default 60,000. */
  readonly idleMs?: number | undefined;
}

/** A response that was accepted. */
export interface FileResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
}

/**
 * Sends one request, and follows no redirects. Refuses addresses of metadata services.
 * @throws StorageError SLOW if there is no connection or no answer; the signal's reason if it aborts
 */
export async function send({
  method,
  url,
  headers,
  body,
  signal,
  idleMs,
}: FileRequest): Promise<FileResponse> {
  try {
    assertNoMetadata(url);
    const answer = await request(url, {
      method: method as Dispatcher.HttpMethod,
      headers: { ...headers },
      body: body ?? null,
      dispatcher: outsideMetadata,
      headersTimeout: idleMs ?? idleTimeoutMs,
      bodyTimeout: idleMs ?? idleTimeoutMs,
      signal: signal ?? null,
    });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  } catch (error) {
    if (body instanceof Readable) body.destroy();
    throw connectionError(error, method, url, signal);
  }
}

/** An error of a connection as one of a storage. */
export function connectionError(
  error: unknown,
  method: string,
  url: string,
  signal: AbortSignal | undefined,
): unknown {
  if (signal?.aborted) return signal.reason;
  if (isStorageError(error)) return error;
  const shown = withoutCredentials(url);
  if (error instanceof RefusedAddress || error instanceof errors.InvalidArgumentError)
    return new StorageError('INVALID', `${method} ${shown}: ${error.message}`, { cause: error });
  return new StorageError('SLOW', `${method} ${shown} failed: ${reasonOf(error)}`, { cause: error });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return error.message === '' ? code : error.message;
}

/** A URL without user names, passwords and signatures, for errors. */
export function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/s, '');
}

const kinds: Readonly<Record<number, StorageErrorKind>> = {
  401: 'DENIED',
  403: 'DENIED',
  404: 'GONE',
  408: 'SLOW',
  410: 'GONE',
  412: 'EXISTS',
  413: 'FULL',
  422: 'CORRUPT',
  429: 'SLOW',
  507: 'FULL',
};

/** The kind of error of a status of HTTP. */
export function kindOfStatus(status: number): StorageErrorKind {
  return kinds[status] ?? (status >= 500 ? 'SLOW' : 'INVALID');
}

/** Ends the connection of an answer whose body nobody reads. */
export function discard({ body }: FileResponse): void {
  body.on('error', () => undefined).destroy();
}

/** Largest part of an answer that is read to explain an error, in bytes. */
const longestExplanation = 2048;

/** Throws for a status other than 2xx, after reading the beginning of the explanation. */
export async function assertOk(
  { status, body }: FileResponse,
  { method, url }: Pick<FileRequest, 'method' | 'url'>,
): Promise<void> {
  if (status >= 200 && status < 300) return;
  const text = await explanation(body);
  const message = `${method} ${withoutCredentials(url)} returned status ${status}${text === '' ? '' : `: ${text}`}`;
  // The protocol of S3 has codes of its own, and some servers send them with status 400.
  const kind = /\bAccessDenied\b/.test(text) ? 'DENIED' : kindOfStatus(status);
  throw new StorageError(kind, message);
}

async function explanation(body: FileResponse['body']): Promise<string> {
  let text = '';
  try {
    for await (const piece of body) {
      text += String(piece);
      if (text.length > longestExplanation) break;
    }
  } catch {
    // The status is enough.
  }
  return text
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, 300);
}

/** Reads a small answer, such as a list. @throws StorageError INVALID if it is longer than the limit */
export async function readText(response: FileResponse, limitBytes: number, what: string): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response.body) {
    size += (piece as Buffer).length;
    if (size > limitBytes) throw new StorageError('INVALID', `${what} has more than ${limitBytes} bytes`);
    pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces).toString('utf8');
}
