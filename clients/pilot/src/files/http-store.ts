import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { backoffMs, sleep } from '@rhizome/retry';
import { request, type Dispatcher } from 'undici';
import {
  Connections,
  type FileRequest,
  type FileResponse,
  isStorageError,
  sendFollowing,
  StorageError,
  withoutCredentials,
} from '@rhizome/storage';
import type { FileStore } from './file-store.types.js';

const maxAttempts = 4;
const firstPauseMs = 250;
/** Time without any data after which a transfer is given up. */
const idleTimeoutMs = 60_000;

/** Gives the bearer token for a store. */
export type StoreToken = () => string;

const authorization = (token: StoreToken | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token()}` };

/** A server that stores files by PUT and returns them by GET. */
export class HttpStore implements FileStore {
  readonly #base: string;
  readonly #token: StoreToken | undefined;

  /** @param token called before each transfer; undefined for a store that asks for none */
  constructor(url: string, token?: StoreToken) {
    this.#base = url.replace(/\/+$/, '');
    this.#token = token;
  }

  async put(localPath: string, place: string, signal: AbortSignal): Promise<void> {
    const { size } = await stat(localPath);
    await withTries(signal, async () => {
      const answer = await request(this.#urlOf(place), {
        method: 'PUT',
        headers: {
          ...authorization(this.#token),
          'content-length': String(size),
          'content-type': 'application/octet-stream',
        },
        body: createReadStream(localPath),
        headersTimeout: idleTimeoutMs,
        bodyTimeout: idleTimeoutMs,
        signal,
      });
      await answer.body.dump();
      assertOk(answer, 'PUT', this.#urlOf(place));
    });
  }

  async get(place: string, localPath: string, signal: AbortSignal): Promise<void> {
    await download(this.#urlOf(place), localPath, storeConnections, signal, this.#token);
  }

  async remove(place: string, signal: AbortSignal): Promise<void> {
    await withTries(signal, async () => {
      const answer = await request(this.#urlOf(place), {
        method: 'DELETE',
        headers: authorization(this.#token),
        headersTimeout: idleTimeoutMs,
        bodyTimeout: idleTimeoutMs,
        signal,
      });
      await answer.body.dump();
      if (!isMissing(answer.statusCode)) assertOk(answer, 'DELETE', this.#urlOf(place));
    });
  }

  #urlOf(place: string): string {
    const parts = place.split('/');
    if (parts.some((part) => part === '' || part === '.' || part === '..')) {
      throw new Error(`${JSON.stringify(place)} is not a key of the file store`);
    }
    return `${this.#base}/${parts.map(encodeURIComponent).join('/')}`;
  }
}

/** Connections to the store itself, which the site has chosen: it may be in a private network. */
const storeConnections = new Connections();

/**
 * Fetches a URL into a file, and removes the file on failure. Follows redirects to https or within the
 * origin; the token goes to no other origin.
 * @param connections their policy decides which addresses are refused, also by redirects
 * @param token only for the pilot's own store
 * @param limitBytes most bytes that are written
 * @throws StorageError INVALID for an address that is refused, TOO_LARGE for more bytes
 */
export async function download(
  url: string,
  localPath: string,
  connections: Connections,
  signal: AbortSignal,
  token?: StoreToken,
  limitBytes = Infinity,
): Promise<void> {
  const send = async (request: FileRequest): Promise<FileResponse> => connections.send(request);
  const redirects = { send, trustedOrigins: new Set<string>() };
  try {
    await withTries(signal, async () => {
      const answer = await sendFollowing(
        { method: 'GET', url, headers: authorization(token), signal },
        redirects,
      );
      if (answer.status !== 200) answer.body.destroy();
      assertOk({ statusCode: answer.status }, 'GET', url);
      const limited = (body: AsyncIterable<Buffer>): AsyncIterable<Buffer> => within(body, limitBytes);
      await pipeline(answer.body, limited, createWriteStream(localPath), { signal });
    });
  } catch (error) {
    await rm(localPath, { force: true });
    throw error;
  }
}

async function* within(body: AsyncIterable<Buffer>, limitBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > limitBytes) throw new StorageError('TOO_LARGE', `it has more than ${limitBytes} bytes`);
    yield piece;
  }
}

/** A response for which a repetition is useless. */
class FinalAnswer extends Error {
  constructor(
    message: string,
    readonly statusCode: number,
  ) {
    super(message);
  }
}

const isMissing = (statusCode: number): boolean => statusCode === 404 || statusCode === 410;

/** True if a store does not have a file, according to the error of a transfer. */
export function isNoSuchFile(error: unknown): boolean {
  if (error instanceof FinalAnswer) return isMissing(error.statusCode);
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function assertOk(
  { statusCode }: Pick<Dispatcher.ResponseData, 'statusCode'>,
  method: string,
  url: string,
): void {
  if (statusCode >= 200 && statusCode < 300) return;
  const message = `${method} ${withoutCredentials(url)} returned status ${statusCode}`;
  const isPassing = statusCode >= 500 || statusCode === 408 || statusCode === 429;
  throw isPassing ? new Error(message) : new FinalAnswer(message, statusCode);
}

/** Errors of the network and of the server may pass; all others are final. */
async function withTries(signal: AbortSignal, transfer: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transfer();
    } catch (error) {
      if (attempt === maxAttempts || signal.aborted || isFinal(error)) throw error;
      await sleep(backoffMs(attempt, { initialDelayMs: firstPauseMs }), signal);
      signal.throwIfAborted();
    }
  }
}

function isFinal(error: unknown): boolean {
  const isRefused = isStorageError(error, 'INVALID') || isStorageError(error, 'TOO_LARGE');
  return error instanceof FinalAnswer || isRefused || isLocal(error);
}

/** True for an error of this host's own disk: another try does not help. */
function isLocal(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EACCES' || code === 'ENOENT' || code === 'EROFS' || code === 'EDQUOT';
}
