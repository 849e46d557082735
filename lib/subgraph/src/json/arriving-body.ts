import type { IncomingMessage } from 'node:http';
import { DomainError } from '@rhizome/errors';

/** Time for a small body to arrive, in milliseconds, by default. */
export const bodyWaitMs = 30_000;

/** Options of {@link readBody}. */
export interface ReadBodyOptions {
  readonly maxBytes: number;
  /** Time for the body to arrive, in milliseconds; default 30 s. */
  readonly waitMs?: number;
}

/**
 * The bytes of a small body of any type.
 * @throws DomainError REQUEST_TOO_LARGE above the limit, before anything is read if the client announces the
 *   size; BAD_REQUEST if the client closes the connection before the end; REQUEST_TIMEOUT
 */
export async function readBody(
  request: IncomingMessage,
  { maxBytes, waitMs = bodyWaitMs }: ReadBodyOptions,
): Promise<Buffer> {
  refuseAnnounced(request, maxBytes);
  const chunks: Buffer[] = [];
  await new ArrivingBody(request, maxBytes).consume<void>(
    (chunk) => void chunks.push(chunk),
    () => undefined,
    waitMs,
  );
  return joined(chunks);
}

/** One buffer with the bytes of all. */
export function joined(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  return first && chunks.length === 1 ? first : Buffer.concat(chunks);
}

/** @returns the announced size. @throws DomainError REQUEST_TOO_LARGE if it is above the limit */
export function refuseAnnounced(request: IncomingMessage, maxBytes: number): number {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced <= maxBytes) return announced;
  dropRest(request);
  throw tooLarge(announced, maxBytes);
}

/** A body as its bytes arrive; each chunk is checked before it is used. */
export class ArrivingBody {
  readonly #request: IncomingMessage;
  readonly #maxBytes: number;
  readonly #check: ((chunk: Buffer) => void) | undefined;
  #size = 0;
  #isRead = false;

  /** `check` throws for a chunk that must not be used. */
  constructor(request: IncomingMessage, maxBytes: number, check?: (chunk: Buffer) => void) {
    this.#request = request;
    this.#maxBytes = maxBytes;
    this.#check = check;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** True once all bytes have arrived. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /**
   * Passes chunks to `use` until that resolves, or to the end of the body; rejects with the reason for which
   * it is refused. By events: an async iterator costs more than the rest of a small request.
   */
  consume<T>(
    use: (chunk: Buffer, resolve: (value: T) => void) => void,
    ended: () => T,
    waitMs?: number,
  ): Promise<T> {
    const request = this.#request;
    return new Promise<T>((resolve, reject) => {
      const timer = waitMs === undefined ? undefined : setTimeout(() => refuse(tooSlow(waitMs)), waitMs);
      const settle = (): void => {
        clearTimeout(timer);
        request.off('data', onData).off('end', onEnd).off('error', onLost).off('close', onLost);
      };
      const refuse = (error: unknown): void => {
        settle();
        dropRest(request);
        reject(error as Error);
      };
      const onData = (chunk: Buffer): void => {
        try {
          this.#count(chunk);
        } catch (error) {
          return refuse(error);
        }
        use(chunk, (value) => {
          settle();
          resolve(value);
        });
      };
      const onEnd = (): void => {
        this.#isRead = true;
        settle();
        resolve(ended());
      };
      // Every request closes: the error, with its stack, is created only if it is needed.
      const onLost = (): void => refuse(incomplete());
      request.on('data', onData).once('end', onEnd).once('error', onLost).once('close', onLost);
      if (request.destroyed && !request.readableEnded) onLost();
    });
  }

  #count(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxBytes) throw tooLarge(this.#size, this.#maxBytes);
    this.#check?.(chunk);
  }
}

/**
 * Number of bytes of a refused body that are read and dropped, so that a client that writes before it reads
 * sees the reason.
 */
const maxDroppedBytes = 256 * 1024 * 1024;

/** Reads and drops the rest of a refused body. */
export function dropRest(request: IncomingMessage): void {
  let left = maxDroppedBytes;
  request.on('error', () => undefined);
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
  request.resume();
}

function incomplete(): DomainError {
  return new DomainError('BAD_REQUEST', 'body: incomplete; the client closed the connection', {
    field: 'body',
  });
}

function tooSlow(waitMs: number): DomainError {
  return new DomainError('REQUEST_TIMEOUT', `body: incomplete after ${waitMs / 1000} s`, {
    field: 'body',
    expected: `all bytes within ${waitMs / 1000} s`,
  });
}

function tooLarge(bytes: number, maxBytes: number): DomainError {
  return new DomainError(
    'REQUEST_TOO_LARGE',
    `body: ${bytes} bytes or more are too many; must be at most ${maxBytes}`,
    { field: 'body', value: bytes, expected: `at most ${maxBytes} bytes` },
  );
}
