import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readBodyText } from './read-body.js';

const maxBytes = 1000;

type Outcome = string | { readonly code: unknown; readonly details: unknown };

let server: Server;
let outcomes: Outcome[];
let seen: () => void;
let port: number;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    outcomes.push(await readBodyText(request, maxBytes));
    response.end('read');
  } catch (error) {
    const { code, details } = error as { code: unknown; details: unknown };
    outcomes.push({ code, details });
    response.writeHead(413, { connection: 'close' }).end('refused');
  }
  seen();
}

beforeEach(async () => {
  outcomes = [];
  server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Resolves when the handler has the body or its error. */
const handled = (): Promise<void> => new Promise((resolve) => (seen = resolve));

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

describe('readBodyText', () => {
  it('returns a body of one chunk, of many, and of none', async () => {
    for (const body of ['α', 'x'.repeat(maxBytes), '']) {
      const done = handled();
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body });
      expect(await response.text()).toBe('read');
      await done;
    }
    const done = handled();
    const socket = await open();
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\n\xce', 'latin1');
    socket.end('\r\n1\r\n\xb1\r\n0\r\n\r\n', 'latin1');
    await done;
    expect(outcomes).toEqual(['α', 'x'.repeat(maxBytes), '', 'α']);
  });

  it('refuses a body by its announced size before any of it arrives', async () => {
    const done = handled();
    const socket = await open();
    socket.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${maxBytes + 1}\r\n\r\n`);
    await done;
    expect(outcomes).toMatchObject([
      { code: 'REQUEST_TOO_LARGE', details: { value: maxBytes + 1, expected: 'at most 1000 bytes' } },
    ]);
    socket.destroy();
  });

  it('refuses a body of unknown size that exceeds the limit and answers a client that continues to write', async () => {
    const done = handled();
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 100; i += 1) controller.enqueue(new Uint8Array(10_000));
        controller.close();
      },
    });
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    const response = await fetch(`http://127.0.0.1:${port}/`, init);
    expect(response.status).toBe(413);
    expect(await response.text()).toBe('refused');
    await done;
    expect(outcomes).toMatchObject([{ code: 'REQUEST_TOO_LARGE' }]);
  });

  it('rejects when the client closes the connection before the end', async () => {
    const done = handled();
    const socket = await open();
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345');
    await once(server, 'request').catch(() => undefined);
    socket.destroy();
    await done;
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).not.toEqual(expect.any(String));
  });
});
