import type { IncomingMessage } from 'node:http';
import { DomainError } from '@rhizome/errors';
import { JsonParser, notJson, type ThreadedText } from './json-parser.js';
import { type JsonBounds, JsonScanner, largeJsonBounds, smallJsonBounds } from './json-scanner.js';
import { TurnTaking } from './turn-taking.js';

/** Bytes of a body that is parsed on the event loop. */
export const smallBodyBytes = 1024 * 1024;
/** Largest body by default: enough for a task of a million parameter sets. */
export const largestBodyBytes = 96 * 1024 * 1024;

/** Largest body that a caller may send. */
export interface BodyAllowance {
  /** Maximum size in bytes. Bodies above {@link smallBodyBytes} are parsed on a thread. */
  readonly maxBytes: number;
  /** Large bodies of one subject are read one after the other. */
  readonly subject: string;
  /** Takes over the end of a large body's turn, which otherwise ends when the body is parsed. */
  readonly hold?: (endTurn: () => void) => void;
}

/** Options of {@link JsonBodies}. */
export interface JsonBodiesOptions {
  /** Time for a small body to arrive, in milliseconds; default 30 s. The server limits large ones. */
  readonly waitMs?: number;
  /** Large bodies that are read at once; default 2. */
  readonly largeAtOnce?: number;
}

/**
 * Number of bytes of a refused body that are read and dropped, so that a client that writes before it reads
 * sees the reason.
 */
const maxDroppedBytes = 256 * 1024 * 1024;

/**
 * Reads JSON bodies of requests. Size, nesting and number of values are checked as the bytes arrive, so that
 * nothing beyond a bound is kept or parsed.
 */
export class JsonBodies {
  readonly #waitMs: number;
  readonly #parser = new JsonParser();
  readonly #turns: TurnTaking;

  constructor({ waitMs = 30_000, largeAtOnce = 2 }: JsonBodiesOptions = {}) {
    this.#waitMs = waitMs;
    this.#turns = new TurnTaking(largeAtOnce);
  }

  /**
   * The value of a body.
   * @throws DomainError REQUEST_TOO_LARGE above the allowance, before anything is read if the client
   *   announces the size; OPERATION_TOO_COMPLEX for nesting or too many values; BAD_REQUEST if it is not JSON
   *   or the client closes the connection before the end; REQUEST_TIMEOUT
   */
  async read(request: IncomingMessage, allowance: BodyAllowance): Promise<unknown> {
    const { maxBytes, subject } = allowance;
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > maxBytes) {
      dropRest(request);
      throw tooLarge(announced, maxBytes);
    }
    const body = new ArrivingBody(request, maxBytes);
    if (announced <= smallBodyBytes) {
      const text = await body.small(this.#waitMs);
      if (text !== undefined) return parseSmall(text);
    }
    const endTurn = await this.#turns.take(subject).catch((error: unknown) => {
      dropRest(request);
      throw error;
    });
    try {
      const value = await body.large(this.#parser);
      allowance.hold?.(endTurn);
      return value;
    } catch (error) {
      endTurn();
      throw error;
    } finally {
      if (!allowance.hold) endTurn();
    }
  }

  /** Ends the thread; large bodies in flight are rejected. */
  close(): Promise<void> {
    return this.#parser.close();
  }
}

function parseSmall(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch {
    throw notJson();
  }
}

/** A body as its bytes arrive: kept while it is small, then passed to a thread. */
class ArrivingBody {
  readonly #request: IncomingMessage;
  readonly #maxBytes: number;
  readonly #mayBeLarge: boolean;
  readonly #scanner: JsonScanner;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #isRead = false;

  constructor(request: IncomingMessage, maxBytes: number) {
    this.#request = request;
    this.#maxBytes = maxBytes;
    this.#mayBeLarge = maxBytes > smallBodyBytes;
    const bounds: JsonBounds = this.#mayBeLarge ? largeJsonBounds : smallJsonBounds;
    this.#scanner = new JsonScanner(bounds);
  }

  /** The whole text; undefined if it is large, whose rest then waits in the network. */
  small(waitMs: number): Promise<Buffer | undefined> {
    return this.#consume<Buffer | undefined>(
      (chunk, resolve) => {
        this.#chunks.push(chunk);
        if (!this.#mayBeLarge || !this.#isLarge()) return;
        this.#request.pause();
        resolve(undefined);
      },
      () => {
        const [first] = this.#chunks;
        return first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
      },
      waitMs,
    );
  }

  /** The value of a large text. */
  async large(parser: JsonParser): Promise<unknown> {
    const text = parser.begin();
    try {
      for (const chunk of this.#chunks.splice(0)) text.push(chunk);
      if (!this.#isRead) await this.#rest(text);
      return await text.parse();
    } finally {
      text.drop();
    }
  }

  #rest(text: ThreadedText): Promise<void> {
    const done = this.#consume<void>(
      (chunk) => text.push(chunk),
      () => undefined,
    );
    this.#request.resume();
    return done;
  }

  #isLarge(): boolean {
    return this.#size > smallBodyBytes || this.#scanner.tokens > smallJsonBounds.tokens;
  }

  #check(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxBytes) throw tooLarge(this.#size, this.#maxBytes);
    this.#scanner.scan(chunk);
  }

  /** By events: an async iterator costs more than the rest of a small request. */
  #consume<T>(
    take: (chunk: Buffer, resolve: (value: T) => void) => void,
    ended: () => T,
    waitMs?: number,
  ): Promise<T> {
    const request = this.#request;
    return new Promise<T>((resolve, reject) => {
      const late = waitMs === undefined ? undefined : setTimeout(() => refuse(tooSlow(waitMs)), waitMs);
      const settle = (): void => {
        clearTimeout(late);
        request.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      };
      const refuse = (error: unknown): void => {
        settle();
        this.#chunks.length = 0;
        dropRest(request);
        reject(error as Error);
      };
      const onData = (chunk: Buffer): void => {
        try {
          this.#check(chunk);
        } catch (error) {
          return refuse(error);
        }
        take(chunk, (value) => {
          settle();
          resolve(value);
        });
      };
      const onEnd = (): void => {
        this.#isRead = true;
        settle();
        resolve(ended());
      };
      const onError = (error: Error): void => refuse(error);
      // Every request closes: the error, with its stack, is created only if it is needed.
      const onClose = (): void => refuse(incomplete());
      request.on('data', onData).once('end', onEnd).once('error', onError).once('close', onClose);
      if (request.destroyed && !request.readableEnded) onClose();
    });
  }
}

function dropRest(request: IncomingMessage): void {
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
