import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readForm } from './form.js';

type Outcome = Readonly<Record<string, string>> | { readonly code: unknown };

let server: Server;
let socket: Socket;
let outcome: Promise<Outcome>;
let waitMs: number | undefined;

beforeEach(async () => {
  waitMs = undefined;
  let settle: (outcome: Outcome) => void;
  outcome = new Promise((resolve) => (settle = resolve));
  server = createServer((request, response) => {
    readForm(request, waitMs)
      .then(
        (form) => settle(Object.fromEntries(form)),
        ({ code }: { code: unknown }) => settle({ code }),
      )
      .finally(() => response.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
});

afterEach(async () => {
  socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Sends a request whose body may be shorter than its announced length. */
function send(body: string, { type = 'application/x-www-form-urlencoded', length = body.length } = {}): void {
  socket.write(
    `POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n${body}`,
  );
}

describe('readForm', () => {
  it('returns the parameters', async () => {
    send('grant_type=a&code=b%20c');
    expect(await outcome).toEqual({ grant_type: 'a', code: 'b c' });
  });

  it('refuses a parameter that occurs twice', async () => {
    send('code=a&code=b');
    expect(await outcome).toEqual({ code: 'BAD_REQUEST' });
  });

  it('refuses another type', async () => {
    send('{}', { type: 'application/json' });
    expect(await outcome).toEqual({ code: 'BAD_REQUEST' });
  });

  it('refuses a large form before it arrives', async () => {
    send('code=a', { length: 70_000 });
    expect(await outcome).toEqual({ code: 'REQUEST_TOO_LARGE' });
  });

  it('refuses a form that does not arrive in time', async () => {
    waitMs = 50;
    send('code=a', { length: 100 });
    expect(await outcome).toEqual({ code: 'REQUEST_TIMEOUT' });
  });

  it('refuses a form whose sender closes the connection', async () => {
    send('code=a', { length: 100 });
    socket.end();
    expect(await outcome).toEqual({ code: 'BAD_REQUEST' });
  });
});
