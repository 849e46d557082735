import type { ProofKey } from './proof-key.js';

/**
 * A token, or a way to get one: asked before each request, and with `expired` true when the last one has
 * ended.
 */
export type TokenSource = string | ((expired: boolean) => string | Promise<string>);

/** A client certificate and its private key, in PEM. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A server, and how a client shows that its token is its own. */
export interface Endpoint {
  readonly url: string;
  readonly proofKey?: ProofKey | undefined;
  readonly certificate?: ClientCertificate | undefined;
}

/** A token, and the request that carries it. */
export interface CarriedToken {
  readonly token: string;
  /** The key that the token is bound to; undefined for a bearer token. */
  readonly proofKey: ProofKey | undefined;
  readonly method: string;
  readonly url: string;
  readonly nonce?: string | undefined;
}

/** Headers, or fields of `connection_init`, that carry a token and the proof that its holder has the key. */
export function credentials({ token, proofKey, method, url, nonce }: CarriedToken): Record<string, string> {
  if (!proofKey) return { authorization: `Bearer ${token}` };
  return { authorization: `DPoP ${token}`, dpop: proofKey.proof({ method, url, token, nonce }) };
}

/** Hands tokens out. */
export class Tokens {
  readonly #source: TokenSource;
  readonly #listeners = new Set<(token: string) => void>();
  #expired = false;
  #last: string | undefined;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** Returns true if there can be another token than the last one. */
  get canRenew(): boolean {
    return typeof this.#source === 'function';
  }

  /** The token that was asked for last. */
  get last(): string | undefined {
    return this.#last;
  }

  /** A token that may be sent without asking for another one. */
  get known(): string | undefined {
    return typeof this.#source === 'string' ? this.#source : this.#last;
  }

  /** The next token that is asked for must be a new one. */
  expire(): void {
    this.#expired = true;
  }

  async current(): Promise<string> {
    const source = this.#source;
    if (typeof source === 'string') return source;
    const expired = this.#expired;
    this.#expired = false;
    const token = await source(expired);
    if (token !== this.#last) {
      this.#last = token;
      for (const listener of this.#listeners) listener(token);
    }
    return token;
  }

  /** Calls the listener with each new token, whichever request it was for. */
  onChange(listener: (token: string) => void): void {
    this.#listeners.add(listener);
  }
}
