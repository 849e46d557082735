/** Attacks by HTTP: ordinary requests, and bytes that no client library would send. */
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { waitFor } from '@rhizome/testkit';
import type { AttackSystem } from './attack-system.js';
import type { Caller, Home } from './attackers.js';
import { type AttackCase, codeIn, type Expected, headersOf, type Outcome } from './case.js';

/** A request, where it differs from a POST of `{ __typename }` to the gateway by nobody. */
export interface Attack {
  readonly as?: Caller;
  /** Experiment in which the caller has its role. */
  readonly home?: Home;
  readonly at?: string;
  readonly method?: string;
  readonly path?: string;
  /** Query of the address, with its `?`, if it is another one in each system. */
  readonly query?: (system: AttackSystem) => string;
  readonly headers?: Headers | ((system: AttackSystem) => Headers);
  /** Sent as it is; an object is sent as JSON. */
  readonly body?: string | Buffer | object | null | ((system: AttackSystem) => object | string);
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const limit = { deadlineMs: 120_000 };

/** A case of one request. @param fields root fields that it calls */
export function http(
  name: string,
  attack: Attack,
  expected: Expected,
  fields: readonly string[] = [],
): AttackCase {
  return { name, expected, covers: [routeOf(attack), ...fields], run: (system) => send(system, attack) };
}

/** The route of a request, without its query. */
export function routeOf({ method = 'POST', path = '/graphql' }: Attack): string {
  return `${method} ${path.replace(/\?.*$/s, '')}`;
}

/** A query or mutation by POST. */
export function graphql(
  name: string,
  as: Caller,
  query: string,
  expected: Expected,
  variables?: object | ((system: AttackSystem) => object),
): AttackCase {
  const body = (system: AttackSystem): object => ({
    query,
    variables:
      typeof variables === 'function' ? (variables as (s: AttackSystem) => object)(system) : variables,
  });
  return http(name, { as, body }, expected);
}

/** Sends a request on a connection of its own. */
export async function send(system: AttackSystem, attack: Attack): Promise<Outcome> {
  const { as = 'nobody', at = 'gateway', method = 'POST', path = '/graphql', headers = {}, query } = attack;
  const body = bodyOf(system, attack);
  const given: Record<string, string | readonly string[] | undefined> = {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    accept: 'application/json',
    connection: 'close',
    ...(await headersOf(system, as, attack.home)),
    ...(typeof headers === 'function' ? headers(system) : headers),
  };
  const used = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const target = new URL(system.origin(at));
  const request = httpRequest({
    ...{
      host: target.hostname,
      port: target.port,
      method,
      path: path + (query?.(system) ?? ''),
      agent: false,
    },
    headers: {
      ...used,
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    } as Record<string, string>,
  });
  // A refused body is not read to its end: the server may close while it is sent.
  const answered = new Promise<Outcome>((resolve) => {
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      const end = (): void => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode, code: codeIn(text), text });
      };
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        // The first event of a stream is the answer.
        if (isStream(response) && String(Buffer.concat(chunks)).includes('event:')) {
          end();
          request.destroy();
        }
      });
      response.on('end', end).on('error', end).on('close', end);
    });
    request.on('error', (error) => resolve({ status: 0, text: error.message }));
  });
  request.end(body);
  return waitFor('an answer', answered, limit);
}

const isStream = ({ headers }: IncomingMessage): boolean =>
  String(headers['content-type']).startsWith('text/event-stream');

function bodyOf(system: AttackSystem, { method = 'POST', body }: Attack): string | Buffer | undefined {
  if (body === undefined) return method === 'POST' ? JSON.stringify({ query: '{ __typename }' }) : undefined;
  if (body === null) return undefined;
  if (typeof body === 'function') return textOf(body(system));
  return typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
}

const textOf = (body: object | string): string => (typeof body === 'string' ? body : JSON.stringify(body));

/** A case of bytes as they are; `TOKEN` in a text stands for the reader's token. */
export function raw(
  name: string,
  bytes: string | Buffer,
  expected: Expected,
  { at = 'gateway' }: { readonly at?: string } = {},
): AttackCase {
  return {
    name,
    expected,
    run: async (system) => {
      const { hostname, port } = new URL(system.origin(at));
      const socket = connect(Number(port), hostname);
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => undefined);
      await once(socket, 'connect');
      const closed = once(socket, 'close');
      socket.write(typeof bytes === 'string' ? bytes.replaceAll('TOKEN', system.tokens.reader) : bytes);
      await waitFor('the end of the connection', closed, limit).finally(() => socket.destroy());
      const text = Buffer.concat(chunks).toString('latin1');
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
      const body = text.slice(text.indexOf('\r\n\r\n') + 4);
      return { status: Number(status ?? 0), code: codeIn(body), text };
    },
  };
}
