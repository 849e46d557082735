import { connect } from 'node:net';
import type { EndpointContract } from './types.js';
import { CheckFailed } from './types.js';

/** An answer of an endpoint. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, where it is a JSON object. */
  readonly json: GraphQLAnswer | undefined;
}

/** A body as GraphQL over HTTP has it. */
export interface GraphQLAnswer {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly GraphQLAnswerError[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** An error of such a body. */
export interface GraphQLAnswerError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Body of a request. */
export interface GraphQLRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Options of a request. */
export interface RequestOptions {
  /** Default: the contract's token; null sends none. */
  readonly token?: string | null;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The header with which a caller requests the number of loads of a subgraph; see
 * `docs/how-to/write-an-experiment.md`.
 */
export const countLoadsHeader = 'x-rhizome-count-loads';

/** Asks one endpoint over HTTP. */
export class EndpointClient {
  constructor(readonly contract: EndpointContract) {}

  /** The token with which the endpoint is called for a caller; by default for the contract's. */
  async token(of: string = this.contract.token): Promise<string> {
    return this.contract.callToken ? this.contract.callToken(of) : of;
  }

  /** Sends a GraphQL request. */
  execute(request: GraphQLRequest, options: RequestOptions = {}): Promise<Answer> {
    return this.send(JSON.stringify(request), options);
  }

  /** Posts a body as it is. */
  async send(body: string, { token, headers = {} }: RequestOptions = {}): Promise<Answer> {
    const bearer = token === undefined ? await this.token() : token;
    return this.fetch(this.contract.url, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
        ...headers,
      },
    });
  }

  /** Gets a path of the same origin, without a token. */
  get(path: string): Promise<Answer> {
    return this.fetch(new URL(path, this.contract.url).href, { method: 'GET' });
  }

  /** The data of an answer that must have no errors. */
  async data(
    request: GraphQLRequest,
    options: RequestOptions = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const { status, json, text } = await this.execute(request, options);
    if (json?.data && !json.errors?.length) return json.data;
    throw new CheckFailed(`${status}: ${errorText(json, text)}`, `return data for ${oneLine(request.query)}`);
  }

  async fetch(url: string, init: RequestInit): Promise<Answer> {
    const timeoutMs = this.contract.timeoutMs ?? 10_000;
    let response: Response;
    try {
      response = await fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs), redirect: 'manual' });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
      throw new CheckFailed(`no response from ${url}: ${why}${cause}`, `respond within ${timeoutMs} ms`);
    }
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  }
}

/**
 * Announces a body of `bytes` and sends none of it; the status of the answer, or null where the connection
 * just ends.
 */
export function announceBody(
  url: string,
  token: string,
  bytes: number,
  timeoutMs: number,
): Promise<number | null> {
  const { hostname, port, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) });
    const done = (status: number | null): void => {
      socket.destroy();
      resolve(status);
    };
    socket.setTimeout(timeoutMs, () => {
      socket.destroy();
      reject(
        new CheckFailed(`it waited for the announced ${bytes} bytes`, 'check content-length and return 413'),
      );
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNREFUSED') return done(null);
      reject(new CheckFailed(`no response from ${url}: ${error.message}`, 'accept connections'));
    });
    socket.on('close', () => done(null));
    socket.on('data', (chunk) => {
      const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(chunk.toString('latin1')) ?? [];
      if (status !== '100') done(Number(status ?? 0));
    });
    socket.write(
      `POST ${pathname} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\n` +
        `authorization: Bearer ${token}\r\ncontent-length: ${bytes}\r\n\r\n`,
    );
  });
}

/** Summary of the errors of a response, in one line. */
export function errorText(json: GraphQLAnswer | undefined, text: string): string {
  const errors = json?.errors?.map(({ message, extensions }) =>
    oneLine(`${message}${typeof extensions?.['code'] === 'string' ? ` [${extensions['code']}]` : ''}`),
  );
  return errors?.join('; ') ?? oneLine(text);
}

/** A text on one line, at most 200 characters. */
export function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

/** The codes of an answer's errors. */
export function codesOf(json: GraphQLAnswer | undefined): readonly string[] {
  return (json?.errors ?? []).map(({ extensions }) => String(extensions?.['code'] ?? ''));
}

function parsed(text: string): GraphQLAnswer | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
