/** HTTP endpoints of tokens, next to GraphQL: they work for callers that have no Rhizome token yet. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isDomainError } from '@rhizome/errors';
import type { Identity } from '@rhizome/identity';
import type { Logger } from '@rhizome/log';
import { readForm } from './form.js';

/** Options of {@link TokenEndpoints}. */
export interface TokenEndpointsOptions {
  readonly identity: Identity;
  readonly log: Logger;
}

/** An answer of an endpoint. */
interface Answer {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

type Endpoint = (request: IncomingMessage) => Promise<Answer> | Answer;

/** Serves the endpoints. */
export class TokenEndpoints {
  readonly #options: TokenEndpointsOptions;
  readonly #endpoints: ReadonlyMap<string, Endpoint>;

  constructor(options: TokenEndpointsOptions) {
    this.#options = options;
    this.#endpoints = new Map<string, Endpoint>([
      ['POST /oauth/explain', (request) => this.#explain(request)],
    ]);
  }

  /** Answers a request. Returns false if the path is none of its own. */
  async handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const endpoint = this.#endpoints.get(`${request.method ?? ''} ${path}`);
    if (!endpoint) return false;
    try {
      send(response, await endpoint(request));
    } catch (error) {
      send(response, this.#failure(error));
    }
    return true;
  }

  async #explain(request: IncomingMessage): Promise<Answer> {
    const form = await readForm(request);
    return { status: 200, body: await this.#options.identity.outside.explain(form.get('token') ?? '') };
  }

  /** An error in the form of RFC 6749, section 5.2. */
  #failure(error: unknown): Answer {
    if (!isDomainError(error)) {
      this.#options.log.error({ err: error }, 'token endpoint failed');
      return { status: 500, body: { error: 'server_error', error_description: 'Internal error' } };
    }
    const { http: status, message, code } = error;
    const name =
      status >= 500
        ? 'temporarily_unavailable'
        : status === 413 || code === 'BAD_REQUEST'
          ? 'invalid_request'
          : 'invalid_grant';
    return {
      status: status === 401 || status === 403 ? 400 : status,
      body: { error: name, error_description: message, code },
    };
  }
}

function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(text);
}
