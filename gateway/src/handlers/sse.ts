import type { ServerResponse } from 'node:http';
import type { ClientStream } from '../streams/index.js';

const opening = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  connection: 'keep-alive',
  // Proxies must forward each event immediately.
  'x-accel-buffering': 'no',
};

/** Number of keep-alive comments that a client may leave unread before its connection is cut. */
const patience = 5;

/** Sends one response as an event stream (graphql-sse, distinct connections). */
export function sendAsEvents(response: ServerResponse, text: string): void {
  response.writeHead(200, opening);
  response.end(`${nextEvent(text, undefined)}${complete}`);
}

/**
 * Sends a stream as server-sent events, each with its cursor as `id`, so that a browser reconnects after the
 * last event with `Last-Event-ID`. Comments keep idle connections open. Resolves when the response has ended.
 */
export async function sendStream(
  response: ServerResponse,
  stream: ClientStream,
  keepAliveMs: number,
): Promise<void> {
  response.writeHead(200, opening);
  // Some browsers treat the stream as open only after the first bytes.
  response.write(':\n\n');
  const pulse = setInterval(() => {
    if (!response.writableNeedDrain) response.write(':\n\n');
  }, keepAliveMs);
  response.once('close', () => void stream.return());
  try {
    for await (const { text, cursor } of stream) {
      if (!response.write(nextEvent(text, cursor))) await drained(response, patience * keepAliveMs);
    }
    response.end(complete);
    cutAfter(response, patience * keepAliveMs);
  } finally {
    clearInterval(pulse);
  }
}

const complete = 'event: complete\ndata: \n\n';

function nextEvent(text: string, cursor: string | undefined): string {
  const id = cursor !== undefined && !/[\n\r\0]/.test(cursor) ? `id: ${cursor}\n` : '';
  return `event: next\n${id}data: ${text}\n\n`;
}

/**
 * Resolves when the buffer has drained or the connection is closed; cuts a connection that the client does
 * not read.
 */
function drained(response: ServerResponse, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => response.destroy(), withinMs);
    const done = (): void => {
      clearTimeout(late);
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}

function cutAfter(response: ServerResponse, ms: number): void {
  const timer = setTimeout(() => response.destroy(), ms);
  timer.unref();
  response.once('close', () => clearTimeout(timer));
}
