import type { ServerResponse } from 'node:http';
import type { ClientStream } from '../streams/index.js';

const opening = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  connection: 'keep-alive',
  // Proxies must hand on each event as it comes.
  'x-accel-buffering': 'no',
};

/** Pulses that a client may go without reading before its connection is cut. */
const patience = 5;

/** Sends one answer as an event stream of its own (graphql-sse, distinct connections). */
export function sendAsEvents(response: ServerResponse, text: string): void {
  response.writeHead(200, opening);
  response.end(`${nextEvent(text, undefined)}${complete}`);
}

/**
 * Sends a stream as server-sent events, each with its cursor as `id`, so that a browser's own reconnect goes on from
 * there by `Last-Event-ID`. Comments keep quiet connections alive. Resolves when the response has ended.
 */
export async function sendStream(
  response: ServerResponse,
  stream: ClientStream,
  keepAliveMs: number,
): Promise<void> {
  response.writeHead(200, opening);
  // Some browsers take the stream for open only when something has come.
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

/** Resolves when the buffer has drained or the connection is closed; a connection that is not read is cut. */
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
