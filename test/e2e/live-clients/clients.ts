/**
 * Clients that others have written, each in a few lines as their users write them: they follow a stream from
 * a cursor on until it ends.
 */
import { spawn } from 'node:child_process';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import WebSocket from 'ws';

/** One message of the stream of jobs, as it came. */
export interface Change {
  readonly cursor: string;
  readonly event: {
    readonly state: string;
    readonly revision: number;
    readonly job: { readonly id: string };
  } | null;
}

/** Address and identity of a client. */
export interface Place {
  readonly url: string;
  readonly wsUrl: string;
  readonly token: string;
}

/**
 * Follows from a cursor on; resolves when the stream or the connection has ended, with the code of an error
 * where one came.
 */
export type Follow = (
  place: Place,
  after: string | undefined,
  take: (change: Change) => void,
  signal: AbortSignal,
) => Promise<string | undefined>;

const fields = 'cursor event { state revision job { id } }';
const query = `subscription Follow($after: String) { jobStateChanged(after: $after) { ${fields} } }`;

interface Result {
  readonly data?: { readonly jobStateChanged: Change } | null;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

function recordResult({ data, errors }: Result, take: (change: Change) => void): string | undefined {
  if (data) take(data.jobStateChanged);
  return errors?.[0]?.extensions?.code;
}

/** `graphql-ws`. */
export const byGraphqlWs: Follow = (place, after, take, signal) =>
  new Promise((resolve) => {
    const client = createWsClient({
      url: place.wsUrl,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { authorization: `Bearer ${place.token}` },
    });
    let code: string | undefined;
    const end = (): void => {
      void client.dispose();
      resolve(code);
    };
    signal.addEventListener('abort', end, { once: true });
    client.subscribe<Result['data']>(
      { query, variables: { after } },
      {
        next: (result) => void (code = recordResult(result as Result, take) ?? code),
        error: (error) => {
          if (Array.isArray(error)) code = (error as Result['errors'])?.[0]?.extensions?.code;
          end();
        },
        complete: end,
      },
    );
  });

/** `graphql-sse`. */
export const byGraphqlSse: Follow = async (place, after, take, signal) => {
  const client = createSseClient({
    url: place.url,
    headers: { authorization: `Bearer ${place.token}` },
    retryAttempts: 0,
  });
  let code: string | undefined;
  const events = client.iterate({ query, variables: { after } });
  const leave = (): void => void events.return?.();
  signal.addEventListener('abort', leave, { once: true });
  try {
    for await (const result of events) code = recordResult(result as Result, take) ?? code;
  } catch {
    // The connection broke: its user comes back.
  } finally {
    signal.removeEventListener('abort', leave);
    client.dispose();
  }
  return code;
};

/** `curl`, which says where it was by `Last-Event-ID`, as a browser's EventSource does. */
export const byCurl: Follow = (place, after, take, signal) =>
  new Promise((resolve, reject) => {
    const url = new URL(place.url);
    url.searchParams.set('query', `subscription { jobStateChanged { ${fields} } }`);
    const headers = [
      'accept: text/event-stream',
      `authorization: Bearer ${place.token}`,
      ...(after === undefined ? [] : [`last-event-id: ${after}`]),
    ];
    const curl = spawn('curl', ['-sN', ...headers.flatMap((header) => ['-H', header]), url.href]);
    const leave = (): void => void curl.kill();
    signal.addEventListener('abort', leave, { once: true });
    let code: string | undefined;
    let rest = '';
    curl.stdout.on('data', (chunk: Buffer) => {
      const blocks = (rest + chunk.toString()).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = block
          .split('\n')
          .filter((line) => line.startsWith('data: {'))
          .map((line) => line.slice('data: '.length))
          .join('\n');
        if (data !== '') code = recordResult(JSON.parse(data) as Result, take) ?? code;
      }
    });
    curl.once('error', reject);
    curl.once('close', () => {
      signal.removeEventListener('abort', leave);
      resolve(code);
    });
  });
