import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { JsonBodies } from './json-body.js';

const maxBytes = 1000;

type Outcome = unknown;

let server: Server;
let outcomes: Outcome[];
let seen: () => void;
let port: number;
let bodies: JsonBodies;
let limit: number;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const subject = String(request.headers['x-subject'] ?? 'alice');
    outcomes.push(await bodies.read(request, { maxBytes: limit, subject }));
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
  limit = maxBytes;
  bodies = new JsonBodies();
  server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await bodies.close();
});

/** Resolves when the handler has the body or its error. */
const handled = (): Promise<void> => new Promise((resolve) => (seen = resolve));

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

describe('JsonBodies', () => {
  it('reads a body of one chunk and of many', async () => {
    const long = 'x'.repeat(maxBytes - 2);
    for (const body of ['"α"', `"${long}"`]) {
      const done = handled();
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body });
      expect(await response.text()).toBe('read');
      await done;
    }
    const done = handled();
    const socket = await open();
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n"\xce', 'latin1');
    socket.end('\r\n2\r\n\xb1"\r\n0\r\n\r\n', 'latin1');
    await done;
    expect(outcomes).toEqual(['α', long, 'α']);
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

/** Sends a body in chunks without its size, and returns the status. */
async function stream(chunks: Iterable<string>): Promise<number> {
  const next = chunks[Symbol.iterator]();
  const body = new ReadableStream({
    pull(controller) {
      const { value, done } = next.next();
      if (done) controller.close();
      else controller.enqueue(Buffer.from(value as string));
    },
  });
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
  const response = await fetch(`http://127.0.0.1:${port}/`, init);
  await response.text();
  return response.status;
}

const mebibyte = 1024 * 1024;

/** Texts of request bodies; what runs the tests parses JSON, too. */
function bodiesAmong(calls: readonly (readonly unknown[])[]): string[] {
  return calls.map(([text]) => String(text)).filter((text) => text.startsWith('{"variables"'));
}

describe('JsonBodies with hostile bodies', () => {
  it.each<[string, string, number]>([
    ['nest deep', '[', 90],
    ['hold too many values of a caller with small bodies', '{},', 1],
    ['hold too many values', '[],', 90],
  ])('refuses bodies that %s without parsing them', async (_what, unit, mebibytes) => {
    limit = mebibytes === 1 ? mebibyte : 96 * mebibyte;
    const parse = jest.spyOn(JSON, 'parse');
    const piece = unit.repeat(Math.floor(65_536 / unit.length));
    const done = handled();
    // The server closes the connection, which a client that still writes may see as a failure.
    const sent = stream(['{"variables":[', ...Array<string>(mebibytes * 15).fill(piece)]).catch(() => 413);
    await done;
    expect(await sent).toBe(413);
    expect(outcomes).toMatchObject([{ code: 'OPERATION_TOO_COMPLEX', details: { field: 'body' } }]);
    expect(bodiesAmong(parse.mock.calls)).toEqual([]);
    parse.mockRestore();
  });

  it('parses a large body on its thread: the event loop parses none of it', async () => {
    limit = 96 * mebibyte;
    const value = {
      variables: {
        jobs: Array.from({ length: 4000 }, (_, at) => ({ name: `job ${at}`, note: 'n'.repeat(900) })),
      },
    };
    const body = JSON.stringify(value);
    expect(body.length).toBeGreaterThan(3 * mebibyte);
    const parse = jest.spyOn(JSON, 'parse');
    const done = handled();
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body });
    await done;
    expect(response.status).toBe(200);
    expect(bodiesAmong(parse.mock.calls)).toEqual([]);
    parse.mockRestore();
    expect(outcomes).toEqual([value]);
  });

  it('reports a large body that is not JSON', async () => {
    limit = 96 * mebibyte;
    const done = handled();
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      body: `{"a":"${'x'.repeat(2 * mebibyte)}"`,
    });
    await done;
    expect(response.status).toBe(413);
    expect(outcomes).toMatchObject([{ code: 'BAD_REQUEST', details: { field: 'body' } }]);
  });

  it('reads large bodies of one subject one after the other, and those of others meanwhile', async () => {
    limit = 96 * mebibyte;
    const large = (subject: string): string =>
      `POST / HTTP/1.1\r\nhost: a\r\nx-subject: ${subject}\r\ncontent-length: ${2 * mebibyte}\r\n\r\n`;
    const text = `"${'x'.repeat(2 * mebibyte - 2)}"`;
    const first = await open();
    const second = await open();
    const other = await open();
    first.write(large('alice') + text.slice(0, 1000));
    await once(server, 'request');
    second.write(large('alice') + text);
    await once(server, 'request');
    let done = handled();
    other.write(large('bob') + text);
    await done;
    expect(outcomes).toHaveLength(1);
    done = handled();
    first.write(text.slice(1000));
    await done;
    if (outcomes.length < 3) await handled();
    expect(outcomes).toHaveLength(3);
    for (const socket of [first, second, other]) socket.destroy();
  });

  it('refuses a small body that does not arrive in time', async () => {
    bodies = new JsonBodies({ waitMs: 50 });
    const done = handled();
    const socket = await open();
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{');
    await done;
    expect(outcomes).toMatchObject([{ code: 'REQUEST_TIMEOUT', details: { field: 'body' } }]);
    socket.destroy();
  });
});
