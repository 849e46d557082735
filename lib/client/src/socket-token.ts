import { lookUp } from '@rhizome/errors';
import type { Tokens } from './token-source.js';

/** Time before its end from which a token is renewed although its source still gives it, in milliseconds. */
const urgentMs = 30_000;
const shortestWaitMs = 1000;

/** Ports of {@link SocketToken}. */
export interface SocketTokenOptions {
  readonly tokens: Tokens;
  /** The token with a new proof, as `connection_init` and `ping` carry it. */
  readonly credentialsOf: (token: string) => Record<string, string>;
  /** Drops the socket, so that its streams open another one. */
  readonly drop: () => void;
}

/**
 * The token of a socket. Each renewed token is sent in a `ping`, so that the socket and its streams survive
 * the end of the token with which it was opened.
 */
export class SocketToken {
  readonly #options: SocketTokenOptions;
  #send: ((text: string) => void) | undefined;
  #accepted: string | undefined;
  #sent: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SocketTokenOptions) {
    this.#options = options;
    options.tokens.onChange((token) => this.#offer(token));
  }

  /** True while a socket is open that the server has accepted for the token that requests carry. */
  get isCurrent(): boolean {
    return this.#send !== undefined && this.#accepted === this.#options.tokens.known;
  }

  /** Credentials for `connection_init`. */
  async initial(): Promise<Record<string, string>> {
    const { tokens, credentialsOf } = this.#options;
    const token = await tokens.current();
    this.#sent = token;
    return credentialsOf(token);
  }

  /** The socket was accepted. */
  opened(send: (text: string) => void): void {
    this.#send = send;
    this.#accepted = this.#sent;
    const { last } = this.#options.tokens;
    if (last !== undefined) this.#offer(last);
    this.#schedule();
  }

  /** The socket has closed. */
  closed(): void {
    this.#send = undefined;
    clearTimeout(this.#timer);
  }

  /** Reads the answer to a token. */
  pong(payload: Readonly<Record<string, unknown>> | undefined): void {
    if (typeof payload?.['expiresAt'] === 'string') {
      this.#accepted = this.#sent;
      return this.#schedule();
    }
    const { code } = (payload?.['error'] ?? {}) as { readonly code?: string };
    if (code === undefined) return;
    // Another attempt with this token may help, or only another socket.
    if (lookUp(code)?.retry === 'never') this.#options.drop();
    else this.#sent = this.#accepted;
  }

  #offer(token: string): void {
    if (!this.#send || token === this.#sent) return;
    this.#sent = token;
    this.#send(JSON.stringify({ type: 'ping', payload: this.#options.credentialsOf(token) }));
  }

  /** Looks for another token at half of the remaining time, again and again. */
  #schedule(): void {
    clearTimeout(this.#timer);
    const endsAt = this.#accepted === undefined ? undefined : endOf(this.#accepted);
    if (endsAt === undefined || !this.#options.tokens.canRenew) return;
    const leftMs = endsAt - Date.now();
    if (leftMs <= 0) return;
    const waitMs = Math.min(Math.max(leftMs / 2, shortestWaitMs), longestTimerMs);
    this.#timer = setTimeout(() => void this.#check(endsAt), waitMs);
    this.#timer.unref();
  }

  async #check(endsAt: number): Promise<void> {
    const { tokens } = this.#options;
    if (endsAt - Date.now() <= urgentMs) tokens.expire();
    try {
      this.#offer(await tokens.current());
    } catch {
      // The next look may succeed; otherwise the server closes the socket, and its streams report it.
    }
    if (this.#send) this.#schedule();
  }
}

const longestTimerMs = 2 ** 31 - 1;

/** The end of a token in milliseconds since 1970; undefined if it does not say so. */
function endOf(token: string): number | undefined {
  try {
    const [, claims = ''] = token.split('.');
    const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { readonly exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
