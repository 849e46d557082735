import type { GraphQLFormattedError } from 'graphql';
import { Agent, request } from 'undici';
import { RhizomeApiError } from './api-error.js';
import type { ProofKey } from './proof-key.js';
import { credentials, type Endpoint, type Tokens } from './token-source.js';

/** One GraphQL request. */
export interface HttpCall {
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: unknown;
  readonly requestId: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** A GraphQL answer. */
export interface HttpAnswer {
  readonly data?: unknown;
  readonly errors?: readonly GraphQLFormattedError[];
}

interface Received {
  readonly status: number;
  readonly text: string;
  /** True if the proof named the nonce of another server. */
  readonly wantsNonce: boolean;
}

const connectTimeoutMs = 5000;
/** Shorter than servers keep a connection, so that none is used in the moment it is closed. */
const keepAliveMs = 30_000;

/** Failures before a connection stands: the server has seen nothing. */
const notSentCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Sends requests over kept connections, once each; retries are for others. */
export class HttpTransport {
  readonly #url: string;
  readonly #tokens: Tokens;
  readonly #agent: Agent;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #proofKey: ProofKey | undefined;
  /** Nonce of the server that answered last: proofs with it cost it nothing to remember. */
  #nonce: string | undefined;

  /** @param headers sent with each request, in addition to those of the protocol */
  constructor(
    { url, connections, proofKey, certificate }: Endpoint & { readonly connections: number },
    tokens: Tokens,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.#headers = headers;
    this.#proofKey = proofKey;
    this.#url = url;
    this.#tokens = tokens;
    this.#agent = new Agent({
      connections,
      connect: { timeout: connectTimeoutMs, ...certificate },
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
    });
  }

  /**
   * @throws RhizomeApiError for everything but an answer in GraphQL's form; what aborted the signal as it is
   */
  async send(call: HttpCall): Promise<HttpAnswer> {
    let { status, text, wantsNonce } = await this.#sendOnce(call);
    if (wantsNonce) {
      // The connection is to another server than the one that gave the nonce: every server accepts none.
      this.#nonce = undefined;
      ({ status, text, wantsNonce } = await this.#sendOnce(call));
    }
    return parseAnswer(text) ?? refuseAnswer(this.#url, status, call.requestId);
  }

  async #sendOnce(call: HttpCall): Promise<Received> {
    const token = await this.#tokens.current();
    const { query, operationName, variables, requestId } = call;
    const [proofKey, nonce, url] = [this.#proofKey, this.#nonce, this.#url];
    try {
      const response = await request(url, {
        method: 'POST',
        dispatcher: this.#agent,
        headers: {
          ...this.#headers,
          'content-type': 'application/json',
          accept: 'application/graphql-response+json, application/json;q=0.9',
          ...credentials({ token, proofKey, nonce, method: 'POST', url }),
          'x-request-id': requestId,
        },
        body: JSON.stringify({ query, operationName, variables }),
        headersTimeout: call.timeoutMs,
        bodyTimeout: call.timeoutMs,
        ...(call.signal ? { signal: call.signal } : {}),
      });
      const { statusCode: status, headers } = response;
      const wantsNonce = status === 401 && String(headers['www-authenticate']).includes('use_dpop_nonce');
      const given = headers['dpop-nonce'];
      if (typeof given === 'string') this.#nonce = given;
      return { status, text: await response.body.text(), wantsNonce };
    } catch (cause) {
      throw call.signal?.aborted ? cause : networkError(this.#url, call, cause);
    }
  }

  /** Waits for what runs, then closes the connections. */
  async close(): Promise<void> {
    await this.#agent.close();
  }
}

function parseAnswer(text: string): HttpAnswer | undefined {
  try {
    const answer = JSON.parse(text) as HttpAnswer | null;
    const isAnswer =
      typeof answer === 'object' && answer !== null && ('data' in answer || Array.isArray(answer.errors));
    return isAnswer ? answer : undefined;
  } catch {
    return undefined;
  }
}

function refuseAnswer(url: string, status: number, requestId: string): never {
  const passing = status === 502 || status === 503 || status === 504 || status === 429;
  throw new RhizomeApiError({
    code: passing ? 'SERVICE_UNAVAILABLE' : 'DOWNSTREAM_SERVICE_ERROR',
    retry: passing ? 'later' : 'never',
    message: `${url} answered with status ${status} and not with GraphQL; is the address right?`,
    requestId,
    noAnswer: true,
    details: { status },
  });
}

function networkError(url: string, { timeoutMs, requestId }: HttpCall, cause: unknown): RhizomeApiError {
  const code = (cause as { code?: unknown } | undefined)?.code;
  // What the TLS library says comes in several lines.
  const [text] = (cause instanceof Error ? cause.message || String(code) : String(cause)).trim().split('\n');
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    const message = `${url} gave no answer within ${timeoutMs} ms`;
    return new RhizomeApiError({ code: 'REQUEST_TIMEOUT', message, requestId, noAnswer: true, cause });
  }
  return new RhizomeApiError({
    code: 'SERVICE_UNAVAILABLE',
    message: `${url} cannot be reached: ${text}`,
    requestId,
    noAnswer: true,
    notSent: typeof code === 'string' && notSentCodes.has(code),
    cause,
  });
}
