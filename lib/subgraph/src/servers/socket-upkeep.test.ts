import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { socketCheck } from './socket-upkeep.js';

const mebibyte = 1024 * 1024;
const message = Buffer.alloc(mebibyte);
const messages = 24;

interface Pair {
  readonly client: WebSocket;
  readonly server: WebSocket;
  readonly connection: Socket;
  /** Bytes that the network has taken from the server. */
  taken(): number;
}

const servers: WebSocketServer[] = [];

async function connect(): Promise<Pair> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  servers.push(server);
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const opened = once(client, 'open');
  const [socket, request] = (await once(server, 'connection')) as [WebSocket, IncomingMessage];
  await opened;
  const { socket: connection } = request;
  const taken = (): number => connection.bytesWritten - connection.writableLength;
  return { client, server: socket, connection, taken };
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    for (const client of server.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Sends more than the kernel buffers to a client that does not read. */
function fill({ client, server }: Pair): void {
  client.pause();
  for (let sent = 0; sent < messages; sent++) server.send(message);
}

/** Asks again and again until the answer is true; jest ends a test that waits too long. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5);
}

/** Looks until the socket is cut. */
async function untilCut({ server }: Pair, look: () => void): Promise<void> {
  const isCut = (): boolean => {
    look();
    return server.readyState === WebSocket.CLOSED;
  };
  await until(isCut);
}

describe('socketCheck', () => {
  it('keeps a client that answers pings, and cuts one that answers none', async () => {
    const pair = await connect();
    const { client, server, connection } = pair;
    const look = socketCheck(server, connection);
    for (let at = 0; at < 3; at++) {
      const pong = once(server, 'pong');
      look();
      look();
      await pong;
    }
    expect(server.readyState).toBe(WebSocket.OPEN);
    client.pause();
    await untilCut(pair, look);
  });

  it('keeps a client that reads slowly, although messages for it are buffered at each look', async () => {
    const pair = await connect();
    const { client, server, connection, taken } = pair;
    const look = socketCheck(server, connection);
    let received = 0;
    client.on('message', () => {
      received += 1;
      client.pause();
    });
    fill(pair);
    look();
    while (server.bufferedAmount > 0) {
      const before = taken();
      await until(() => {
        client.resume();
        return taken() > before;
      });
      look();
      expect(server.readyState).toBe(WebSocket.OPEN);
    }
    client.removeAllListeners('message');
    client.on('message', () => (received += 1));
    client.resume();
    await until(() => received === messages);
  });

  it('cuts a client that does not read, also if it sends', async () => {
    const pair = await connect();
    const look = socketCheck(pair.server, pair.connection);
    fill(pair);
    const send = setInterval(() => pair.client.send('still here'), 10);
    pair.client.once('close', () => clearInterval(send));
    await once(pair.server, 'message');
    await untilCut(pair, look);
    clearInterval(send);
  });
});
