import type { IncomingMessage } from 'node:http';
import { DomainError, isDomainError, formatValue } from '@rhizome/errors';
import { assertJsonBounds, type BodyAllowance, type JsonBodies } from '@rhizome/subgraph';

/** Request parameters of GraphQL over HTTP. */
export interface Parameters {
  /** The document; undefined if the request has only its hash. */
  readonly query: string | undefined;
  /** SHA-256 of the document, of a persisted operation. */
  readonly hash: string | undefined;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
  /** True if the extensions ask for the plan: `{"plan": true}`. */
  readonly wantsPlan: boolean;
  /** Tags of root fields that introspection leaves out: `{"withoutTags": ["pilot"]}`. */
  readonly withoutTags: readonly string[] | undefined;
}

/** A refusal with an HTTP status other than the error code's. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly error: DomainError;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, error: DomainError, headers: Readonly<Record<string, string>> = {}) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.headers = headers;
  }
}

function badRequest(message: string, details: Record<string, unknown> = {}): HttpRefusal {
  return new HttpRefusal(400, new DomainError('BAD_REQUEST', message, details));
}

/** Parameters of a GET request. @throws HttpRefusal */
export function readQueryString(url: string): Parameters {
  const at = url.indexOf('?');
  const search = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  const json = (name: string): unknown => {
    const text = search.get(name);
    if (text === null || text === '') return undefined;
    assertJsonBounds(Buffer.from(text));
    try {
      return JSON.parse(text);
    } catch {
      throw badRequest(`${name}: not JSON; must be a JSON object`, {
        field: name,
        expected: 'a JSON object',
      });
    }
  };
  return check({
    query: search.get('query') ?? undefined,
    operationName: search.get('operationName') || undefined,
    variables: json('variables'),
    extensions: json('extensions'),
  });
}

/**
 * Parameters of a POST request, whose body must be JSON in UTF-8.
 * @throws HttpRefusal 415 for another type, 413 for too large a body, 400 for an invalid GraphQL request
 */
export async function readBody(
  request: IncomingMessage,
  bodies: JsonBodies,
  allowance: BodyAllowance,
): Promise<Parameters> {
  assertJson(request.headers['content-type']);
  if (request.headers['content-encoding'] && request.headers['content-encoding'] !== 'identity') {
    throw new HttpRefusal(
      415,
      new DomainError('BAD_REQUEST', 'content-encoding: compressed request bodies are not supported', {
        field: 'content-encoding',
        value: request.headers['content-encoding'],
        expected: 'identity',
      }),
    );
  }
  const body = await readJson(request, bodies, allowance);
  if (Array.isArray(body)) {
    throw badRequest('body: batches are not supported; send each operation separately', {
      field: 'body',
      expected: 'a JSON object',
    });
  }
  if (!isObject(body))
    throw badRequest('body: not a JSON object', { field: 'body', expected: 'a JSON object' });
  return check(body);
}

function assertJson(contentType: string | undefined): void {
  const [type = '', ...parameters] = (contentType ?? '').split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (type === 'application/json' && (charset === undefined || /^charset="?utf-?8"?$/.test(charset))) return;
  throw new HttpRefusal(
    415,
    new DomainError('BAD_REQUEST', `content-type: ${formatValue(contentType ?? null)} is not supported`, {
      field: 'content-type',
      value: contentType,
      expected: 'application/json; charset=utf-8',
    }),
  );
}

/** @throws HttpRefusal, which closes the connection if the body was not read to its end */
async function readJson(
  request: IncomingMessage,
  bodies: JsonBodies,
  allowance: BodyAllowance,
): Promise<unknown> {
  try {
    return await bodies.read(request, allowance);
  } catch (error) {
    if (!isDomainError(error)) throw error;
    if (request.complete) throw new HttpRefusal(statusOfBody(error), error);
    throw new HttpRefusal(statusOfBody(error), error, { connection: 'close' });
  }
}

/** A body that does not arrive is the client's fault; the code's own status is that of a slow subgraph. */
function statusOfBody({ code, http }: DomainError): number {
  return code === 'REQUEST_TIMEOUT' ? 408 : http;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The checks that all handlers share. @throws HttpRefusal */
function check(given: Readonly<Record<string, unknown>>): Parameters {
  const { query, operationName, variables, extensions } = given;
  if (extensions !== undefined && extensions !== null && !isObject(extensions)) {
    throw badRequest('extensions: not an object', { field: 'extensions', expected: 'an object' });
  }
  const hash = persistedHash(extensions);
  const isMissing = query === undefined || query === null || query === '';
  if (isMissing ? hash === undefined : typeof query !== 'string')
    throw badRequest('query: missing or not a string', { field: 'query', expected: 'a GraphQL document' });
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') {
    throw badRequest('operationName: not a string', { field: 'operationName', expected: 'a string' });
  }
  if (variables !== undefined && variables !== null && !isObject(variables)) {
    throw badRequest('variables: not an object', { field: 'variables', expected: 'an object' });
  }
  return {
    query: typeof query === 'string' && query !== '' ? query : undefined,
    hash,
    operationName: operationName ?? undefined,
    variables: variables ?? undefined,
    wantsPlan: isObject(extensions) && extensions['plan'] === true,
    withoutTags: isObject(extensions) ? tagsOf(extensions['withoutTags']) : undefined,
  };
}

/** The hash of a persisted operation. @throws HttpRefusal */
export function persistedHash(extensions: unknown): string | undefined {
  const given = isObject(extensions) ? extensions['persistedQuery'] : undefined;
  if (given === undefined || given === null) return undefined;
  const { version, sha256Hash } = isObject(given) ? given : {};
  if (version === 1 && typeof sha256Hash === 'string' && sha256Hash.length <= 64) return sha256Hash;
  throw badRequest('extensions.persistedQuery: not a hash of version 1', {
    field: 'extensions.persistedQuery',
    expected: '{ version: 1, sha256Hash: "…" }',
  });
}

function tagsOf(given: unknown): readonly string[] | undefined {
  if (given === undefined || given === null) return undefined;
  if (Array.isArray(given) && given.every((tag) => typeof tag === 'string')) return given;
  throw badRequest(`extensions.withoutTags: ${formatValue(given)} is not a list of strings`, {
    field: 'extensions.withoutTags',
    value: given,
    expected: 'a list of strings',
  });
}
