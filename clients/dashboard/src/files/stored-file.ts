/** Reading of stored files by signed addresses. */
import type { StoredOutput } from './output-folders.js';

/** Reasons why a file cannot be read. */
export type ReadErrorKind = 'CHANGED' | 'DENIED' | 'FAILED' | 'GONE' | 'UNREACHABLE' | 'UNSIGNED';

/** A file could not be read. */
export class ReadError extends Error {
  constructor(
    readonly kind: ReadErrorKind,
    message: string,
  ) {
    super(message);
  }
}

/** Asks core for a new address of a file; null if there is none. */
export type AddressSource = () => Promise<string | null>;

/** Bytes of a file. */
export interface ReadBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** True if these are all bytes of the file. */
  readonly isWhole: boolean;
  /** True if the SHA-256 was compared; only whole files have one, and only secure pages can compute it. */
  readonly isVerified: boolean;
}

/** Files as a signal ends their reading. */
interface ReadOptions {
  readonly addressOf: AddressSource;
  /** Bytes to read at most; the rest of a larger file is not requested. */
  readonly mostBytes: number;
  readonly signal: AbortSignal;
}

/**
 * Reads a file or its beginning. An address that is refused is replaced once, as it may have expired.
 * @throws ReadError
 */
export async function readStored(output: StoredOutput, options: ReadOptions): Promise<ReadBytes> {
  const { addressOf, mostBytes, signal } = options;
  const { sizeBytes, sha256 } = output;
  const isWhole = sizeBytes <= mostBytes;
  const headers: Record<string, string> = isWhole ? {} : { range: `bytes=0-${mostBytes - 1}` };
  const get = async (): Promise<Response> => request(await signed(addressOf), { headers, signal });
  let response = await get();
  if (isRefusal(response)) response = await get();
  assertAnswered(response);
  const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  if (total !== undefined && Number(total) !== sizeBytes) throw changed(Number(total), sizeBytes);
  // One more byte shows that the file is larger than its record.
  const bytes = await bodyOf(response, isWhole ? sizeBytes + 1 : mostBytes);
  if (bytes.length < Math.min(sizeBytes, mostBytes)) throw changed(bytes.length, sizeBytes);
  if (!isWhole) return { bytes, isWhole, isVerified: false };
  if (bytes.length > sizeBytes) throw changed(undefined, sizeBytes);
  return { bytes, isWhole, isVerified: await isIntact(bytes, sha256) };
}

/** A new address of a file. @throws ReadError UNSIGNED if core has none */
export async function signed(addressOf: AddressSource): Promise<URL> {
  const address = await addressOf();
  if (address === null || !URL.canParse(address))
    throw new ReadError('UNSIGNED', 'Core has no address of this file: its storage was removed or is away.');
  return new URL(address);
}

async function request(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, {
      ...init,
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ReadError(
      'UNREACHABLE',
      `The browser cannot read from ${url.origin}: the storage does not answer, or the site does not permit ` +
        'this page to read from it.',
    );
  }
}

const isRefusal = ({ status }: Response): boolean => status === 401 || status === 403;

/** @throws ReadError unless the answer has the file */
function assertAnswered(response: Response): void {
  const { status, ok } = response;
  if (ok) return;
  if (isRefusal(response))
    throw new ReadError('DENIED', `The storage refuses access to the file (status ${status}).`);
  if (status === 404 || status === 410)
    throw new ReadError('GONE', `The storage does not have the file any more (status ${status}).`);
  if (status === 416) throw changed(0, undefined);
  throw new ReadError('FAILED', `The storage answered with status ${status}.`);
}

function changed(found: number | undefined, recorded: number | undefined): ReadError {
  const size = found === undefined ? 'more' : `${found}`;
  const record = recorded === undefined ? '' : `; the job stored ${recorded}`;
  return new ReadError('CHANGED', `The file has ${size} bytes${record}. It has changed, and is not shown.`);
}

/** Body of an answer, up to some bytes. */
async function bodyOf({ body }: Response, mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body?.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    while (reader && length < mostBytes) {
      const { done, value } = await reader.read();
      if (done) break;
      const chunk = new Uint8Array(value).subarray(0, mostBytes - length);
      chunks.push(chunk);
      length += chunk.length;
    }
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ReadError('FAILED', 'The storage closed the connection before the end of the file.');
  } finally {
    void reader?.cancel().catch(() => undefined);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Compares the digest; false where the browser offers none. @throws ReadError if the digests differ */
async function isIntact(bytes: Uint8Array<ArrayBuffer>, sha256: string): Promise<boolean> {
  // Pages without TLS have none, except on this machine.
  if (!globalThis.isSecureContext) return false;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  if (found === sha256) return true;
  throw new ReadError(
    'CHANGED',
    'The SHA-256 of the file differs from that which the job stored. It has changed, and is not shown.',
  );
}
