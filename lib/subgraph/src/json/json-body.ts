import type { IncomingMessage } from 'node:http';
import { ArrivingBody, bodyWaitMs, dropRest, joined, refuseAnnounced } from './arriving-body.js';
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
 * Reads JSON bodies of requests. Size, nesting and number of values are checked as the bytes arrive, so that
 * nothing beyond a bound is kept or parsed.
 */
export class JsonBodies {
  readonly #waitMs: number;
  readonly #parser = new JsonParser();
  readonly #turns: TurnTaking;

  constructor({ waitMs = bodyWaitMs, largeAtOnce = 2 }: JsonBodiesOptions = {}) {
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
    const announced = refuseAnnounced(request, maxBytes);
    const body = new JsonBody(request, maxBytes);
    if (announced <= smallBodyBytes) {
      const text = await body.small(this.#waitMs);
      if (text !== undefined) return parseSmall(text);
    }
    const endTurn = await this.#turns.acquire(subject).catch((error: unknown) => {
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

/** A JSON body: kept while it is small, then passed to a thread. */
class JsonBody {
  readonly #request: IncomingMessage;
  readonly #arriving: ArrivingBody;
  readonly #mayBeLarge: boolean;
  readonly #scanner: JsonScanner;
  readonly #chunks: Buffer[] = [];

  constructor(request: IncomingMessage, maxBytes: number) {
    this.#request = request;
    this.#mayBeLarge = maxBytes > smallBodyBytes;
    const bounds: JsonBounds = this.#mayBeLarge ? largeJsonBounds : smallJsonBounds;
    this.#scanner = new JsonScanner(bounds);
    this.#arriving = new ArrivingBody(request, maxBytes, (chunk) => this.#scanner.scan(chunk));
  }

  /** The whole text; undefined if it is large, whose rest then waits in the network. */
  small(waitMs: number): Promise<Buffer | undefined> {
    return this.#arriving.consume<Buffer | undefined>(
      (chunk, resolve) => {
        this.#chunks.push(chunk);
        if (!this.#mayBeLarge || !this.#isLarge()) return;
        this.#request.pause();
        resolve(undefined);
      },
      () => joined(this.#chunks),
      waitMs,
    );
  }

  /** The value of a large text. */
  async large(parser: JsonParser): Promise<unknown> {
    const text = parser.begin();
    try {
      for (const chunk of this.#chunks.splice(0)) text.push(chunk);
      if (!this.#arriving.isRead) await this.#rest(text);
      return await text.parse();
    } finally {
      text.drop();
    }
  }

  #rest(text: ThreadedText): Promise<void> {
    const done = this.#arriving.consume<void>(
      (chunk) => text.push(chunk),
      () => undefined,
    );
    this.#request.resume();
    return done;
  }

  #isLarge(): boolean {
    return this.#arriving.size > smallBodyBytes || this.#scanner.tokens > smallJsonBounds.tokens;
  }
}
