/** Requests to servers of files: time limits, errors by kind. */
import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { rootCertificates } from 'node:tls';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import {
  isStorageError,
  StorageError,
  type StorageErrorKind,
  type StorageErrorOptions,
} from '../storage-error.js';
import type { AddressPolicy } from './allowed-networks.js';
import { assertNoMetadata, lookupOutsideMetadata, RefusedAddress } from './metadata-addresses.js';

/** Time without any data after which a request is given up, in milliseconds. */
export const idleTimeoutMs = 60_000;

export interface FileRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text, or a function that opens the content; it is called again when the request is repeated. */
  readonly body?: string | (() => Readable) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Time without any data, in milliseconds; default 60,000. */
  readonly idleMs?: number | undefined;
}

/** A response; its body is read to the end, or given up by {@link discard}. */
export interface FileResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
}

/** Connections of one storage, which are kept for further requests. */
export class Connections {
  readonly http = new HttpAgent({ keepAlive: true });
  readonly https: HttpsAgent;

  /**
   * @param authorities certificates in PEM that are trusted in addition
   * @param policy addresses that requests may reach; by default, all except those of metadata services
   */
  constructor(
    authorities?: string,
    readonly policy: AddressPolicy = outsideMetadata,
  ) {
    const ca = authorities === undefined ? {} : { ca: [...rootCertificates, authorities] };
    this.https = new HttpsAgent({ keepAlive: true, ...ca });
  }

  /** As {@link send}. */
  async send(request: FileRequest): Promise<FileResponse> {
    return send(request, this);
  }

  close(): void {
    this.http.destroy();
    this.https.destroy();
  }
}

const outsideMetadata: AddressPolicy = {
  assertAllowed: assertNoMetadata,
  lookup: lookupOutsideMetadata,
};
const ownConnections = new Connections();

/**
 * Sends one request, and follows no redirects. Refuses addresses that the policy of the connections does not
 * allow. Names of headers are sent as they are written, unlike by undici: XRootD 5.5 does not know
 * `content-length` in small letters.
 * @throws StorageError SLOW if there is no connection or no answer; the signal's reason if it aborts
 */
export async function send(request: FileRequest, connections = ownConnections): Promise<FileResponse> {
  const { method, url, signal } = request;
  try {
    signal?.throwIfAborted();
    connections.policy.assertAllowed(url);
    return await exchange(request, connections);
  } catch (error) {
    throw connectionError(error, method, url, signal);
  }
}

function exchange(
  { method, url, headers, body, signal, idleMs = idleTimeoutMs }: FileRequest,
  { http, https, policy: { lookup } }: Connections,
): Promise<FileResponse> {
  const options = { method, headers: { ...headers }, timeout: idleMs, lookup, signal };
  const isSecure = new URL(url).protocol === 'https:';
  const sent = isSecure
    ? httpsRequest(url, { ...options, agent: https })
    : httpRequest(url, { ...options, agent: http });
  const content = typeof body === 'function' ? body() : undefined;
  return new Promise((resolve, reject) => {
    sent.on('timeout', () => sent.destroy(new Error(`no data for ${idleMs / 1000} s`)));
    sent.on('error', (error) => {
      content?.destroy();
      reject(error);
    });
    sent.on('response', (answer) => {
      endAfter(answer, sent, content);
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer });
    });
    if (content === undefined) sent.end(typeof body === 'string' ? body : undefined);
    else content.on('error', (error) => sent.destroy(error)).pipe(sent);
  });
}

/** Ends what is still sent when the answer came early, which is a refusal. */
function endAfter(answer: IncomingMessage, sent: ClientRequest, content: Readable | undefined): void {
  if (content === undefined || content.readableEnded) return;
  if ((answer.statusCode ?? 0) < 300) return;
  content.unpipe(sent).destroy();
  answer.once('close', () => sent.destroy());
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
  if (error instanceof RefusedAddress || isInvalidArgument(error))
    return new StorageError('INVALID', `${method} ${shown}: ${error.message}`, { cause: error });
  return new StorageError('SLOW', `${method} ${shown} failed: ${reasonOf(error)}`, { cause: error });
}

/** @throws StorageError INVALID for the address of a metadata service */
export function assertAllowed(url: string, what: string): void {
  try {
    assertNoMetadata(url);
  } catch (cause) {
    if (!(cause instanceof RefusedAddress)) throw cause;
    throw new StorageError('INVALID', `${what}: ${cause.message}`, { cause });
  }
}

/** True for a URL or a header that cannot be sent. */
function isInvalidArgument(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^ERR_(INVALID|UNESCAPED)/.test(String(error.code));
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

/** An error by the status of an answer. */
export class StatusError extends StorageError {
  constructor(
    kind: StorageErrorKind,
    message: string,
    readonly status: number,
    options: StorageErrorOptions = {},
  ) {
    super(kind, message, options);
  }
}

const kinds: Readonly<Record<number, StorageErrorKind>> = {
  401: 'DENIED',
  403: 'DENIED',
  404: 'GONE',
  408: 'SLOW',
  410: 'GONE',
  412: 'EXISTS',
  413: 'TOO_LARGE',
  422: 'CORRUPT',
  429: 'SLOW',
  507: 'FULL',
};

/** Codes in answers of S3, for which some servers have other statuses. */
const kindsOfCodes: Readonly<Record<string, StorageErrorKind>> = {
  AccessDenied: 'DENIED',
  EntityTooLarge: 'TOO_LARGE',
};

/** The kind of error of a status of HTTP. */
export function kindOfStatus(status: number): StorageErrorKind {
  return kinds[status] ?? (status >= 500 ? 'SLOW' : 'INVALID');
}

/** Ends the connection of an answer whose body nobody reads. */
export function discard({ body }: FileResponse): void {
  body.on('error', () => undefined).destroy();
}

/** Reads an answer to its end without keeping it: the connection can be used again. */
export async function drain({ body }: FileResponse): Promise<void> {
  body.resume();
  await finished(body);
}

/** Largest part of an answer that is read to explain an error, in bytes. */
const longestExplanation = 2048;

/** Throws for a status other than 2xx, after reading the beginning of the explanation. */
export async function assertOk(
  { status, headers, body }: FileResponse,
  { method, url }: Pick<FileRequest, 'method' | 'url'>,
): Promise<void> {
  if (status >= 200 && status < 300) return;
  const text = await explanation(body);
  const message = `${method} ${withoutCredentials(url)} returned status ${status}${text === '' ? '' : `: ${text}`}`;
  const code = Object.keys(kindsOfCodes).find((name) => text.includes(name)) ?? '';
  const kind = kindsOfCodes[code] ?? kindOfStatus(status);
  throw new StatusError(kind, message, status, { retryAfterMs: pauseOf(headers['retry-after']) });
}

/** The pause of a header, in milliseconds: it has seconds, or a time. */
function pauseOf(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return ms > 0 ? ms : undefined;
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
  return plainText(text)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, 300);
}

/** Of an error of S3 only the code and the message: the rest has the key's name and what was signed. */
function plainText(text: string): string {
  const parts = ['Code', 'Message'].flatMap((name) => new RegExp(`<${name}>([^<]*)<`).exec(text)?.[1] ?? []);
  return parts.length > 0 ? parts.join(': ') : text.replace(/<[^>]*>/g, ' ');
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
