import { type Client, createClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { EndpointClient, GraphQLAnswer } from './endpoint-client.js';
import { oneLine } from './endpoint-client.js';
import type { ServedSchema } from './served-schema.js';
import { CheckFailed, type Check, CheckSkipped } from './types.js';

/**
 * It streams over graphql-transport-ws on the same path: refuses a socket without a token, opens, and resumes
 * from a cursor.
 */
export function streamChecks(endpoint: EndpointClient, served: () => ServedSchema): readonly Check[] {
  const { contract } = endpoint;
  const timeoutMs = contract.timeoutMs ?? 10_000;
  const streams = Object.keys(contract.subscriptions ?? {});
  return [
    {
      part: 'streams',
      promise: 'every subscription is tested',
      run: async () => {
        const all = served().roots.filter(({ operation }) => operation === 'subscription');
        if (all.length === 0) return 'it has no subscriptions';
        const missing = all.filter(({ name }) => !contract.subscriptions?.[name]);
        if (missing.length === 0) return all.map(({ name }) => name).join(', ');
        throw new CheckSkipped(`needs the arguments of ${missing.map(({ name }) => name).join(', ')}`);
      },
    },
    {
      part: 'streams',
      promise: 'a socket without a token is closed',
      run: async () => {
        if (!served().roots.some(({ operation }) => operation === 'subscription'))
          return 'it has no subscriptions';
        const code = await closeCode(contract.url, timeoutMs);
        if (code === 4401 || code === 4403) return `closed with ${code}`;
        throw new CheckFailed(
          `closed with ${code}`,
          'verify `connectionParams.authorization` and close with 4401 or 4403',
        );
      },
    },
    ...streams.flatMap((field) => [opens(endpoint, served, field), resumes(endpoint, served, field)]),
  ];
}

function opens(endpoint: EndpointClient, served: () => ServedSchema, field: string): Check {
  return {
    part: 'streams',
    promise: `${field}: opens with a message with the cursor`,
    run: async () => {
      const mark = served().resumable.get(field);
      if (!mark) return 'not marked @resumable';
      const cursor = await firstCursor(endpoint, served, field);
      return `cursor ${oneLine(cursor).slice(0, 24)}`;
    },
  };
}

function resumes(endpoint: EndpointClient, served: () => ServedSchema, field: string): Check {
  return {
    part: 'streams',
    promise: `${field}: continues after an earlier cursor`,
    run: async () => {
      const mark = served().resumable.get(field);
      if (!mark) return 'not marked @resumable';
      const cursor = await firstCursor(endpoint, served, field);
      await firstCursor(endpoint, served, field, { [mark.argument]: cursor });
      return 'opened again';
    },
  };
}

async function firstCursor(
  endpoint: EndpointClient,
  served: () => ServedSchema,
  field: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { contract } = endpoint;
  const given = { ...contract.subscriptions?.[field]?.arguments, ...more };
  const cursorField = served().resumable.get(field)?.cursor ?? 'cursor';
  const query = subscriptionTo(field, given, cursorField);
  const answer = await firstMessageOverSocket(
    contract.url,
    await endpoint.token(),
    query,
    contract.timeoutMs ?? 10_000,
  );
  const payload = answer.data?.[field] as Readonly<Record<string, unknown>> | null | undefined;
  const cursor = payload?.[cursorField];
  if (typeof cursor === 'string' && cursor !== '') return cursor;
  throw new CheckFailed(
    answer.errors?.map(({ message }) => message).join('; ') ?? `no \`${cursorField}\` received`,
    `start ${field} with a message with \`${cursorField}\` only, also after a cursor`,
  );
}

/**
 * The first message of an operation over a socket; errors as an answer has them.
 * @throws CheckFailed if none comes in time
 */
export async function firstMessageOverSocket(
  url: string,
  token: string,
  query: string,
  timeoutMs: number,
): Promise<GraphQLAnswer> {
  const client = socketTo(url, { authorization: `Bearer ${token}` });
  const stream = client.iterate<Record<string, unknown>>({ query });
  const timeout = new Promise<never>((_, reject) =>
    setTimeout(
      () =>
        reject(
          new CheckFailed(`no message within ${timeoutMs} ms: ${oneLine(query)}`, 'send an opening message'),
        ),
      timeoutMs,
    ).unref(),
  );
  try {
    const next = await Promise.race([stream.next(), timeout]);
    return next.done
      ? { errors: [{ message: 'the stream ended without a message' }] }
      : (next.value as GraphQLAnswer);
  } catch (error) {
    if (error instanceof CheckFailed) throw error;
    return refusalOf(error);
  } finally {
    void client.dispose();
  }
}

/** A failure of the socket as an answer: `error` messages are lists, closures are events. */
function refusalOf(error: unknown): GraphQLAnswer {
  if (Array.isArray(error)) return { errors: error as GraphQLAnswer['errors'] & object };
  const { code, reason } = (error ?? {}) as { code?: unknown; reason?: unknown };
  const isDenied = code === 4401 || code === 4403;
  return {
    errors: [
      {
        message:
          error instanceof Error
            ? error.message
            : `the socket was closed with ${String(code)} ${String(reason)}`,
        ...(isDenied ? { extensions: { code: 'UNAUTHENTICATED' } } : {}),
      },
    ],
  };
}

/** A client of graphql-ws to an endpoint, that tries once. */
export function socketTo(url: string, connectionParams: Readonly<Record<string, unknown>>): Client {
  return createClient({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { ...connectionParams },
    retryAttempts: 0,
    lazy: true,
    onNonLazyError: () => undefined,
  });
}

function closeCode(url: string, timeoutMs: number): Promise<number | string> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws', {
    handshakeTimeout: timeoutMs,
  });
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      socket.terminate();
      resolve('nothing at all');
    }, timeoutMs);
    const done = (code: number | string): void => {
      clearTimeout(timer);
      socket.terminate();
      resolve(code);
    };
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init' })));
    socket.on('message', (data) => {
      if (String(data as Buffer).includes('connection_ack')) done('an acknowledgement');
    });
    socket.on('unexpected-response', (_request, { statusCode }) =>
      done(statusCode === 401 ? 4401 : `HTTP ${statusCode}`),
    );
    socket.on('error', () => undefined);
    socket.on('close', (code) => done(code));
  });
}

/** The text of a subscription to a field with these arguments. */
export function subscriptionTo(
  field: string,
  given: Readonly<Record<string, unknown>>,
  selection: string,
): string {
  const written = Object.entries(given).map(([name, value]) => `${name}: ${literal(value)}`);
  return `subscription { ${field}${written.length > 0 ? `(${written.join(', ')})` : ''} { ${selection} } }`;
}

/** A JSON value as GraphQL text. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, one]) => `${key}: ${literal(one)}`)
      .join(', ')}}`;
  return JSON.stringify(value);
}
