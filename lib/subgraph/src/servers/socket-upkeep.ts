/** Keeps the WebSockets of a server alive, and closes them. */
import type { Socket } from 'node:net';
import type { WebSocket, WebSocketServer } from 'ws';

/** Upkeep of one socket. */
export interface KeepAlive {
  /** Changes the time between two looks. */
  setInterval(intervalMs: number): void;
  stop(): void;
}

/**
 * Looks at a socket at an interval: pings it if it seems dead, and cuts it if it still does at the next look.
 * See {@link socketCheck}.
 * @param connection what carries the socket
 */
export function keepAlive(socket: WebSocket, connection: Socket, intervalMs: number): KeepAlive {
  const look = socketCheck(socket, connection);
  const start = (everyMs: number): NodeJS.Timeout => setInterval(look, everyMs).unref();
  let timer = start(intervalMs);
  return {
    setInterval(everyMs) {
      clearInterval(timer);
      timer = start(everyMs);
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * Creates the look at a socket. The peer is alive if something has arrived from it since the last look, or,
 * while messages for it are buffered, if the network has taken some of them since then: a client that reads
 * a busy stream slowly is not cut. One that sends and does not read is.
 */
export function socketCheck(socket: WebSocket, connection: Socket): () => void {
  let isHeard = true;
  let isPinged = false;
  let takenBytes = 0;
  const heard = (): void => void (isHeard = true);
  for (const event of ['message', 'ping', 'pong']) socket.on(event, heard);
  return () => {
    // What is buffered is among the written bytes.
    const taken = connection.bytesWritten - connection.writableLength;
    const isAlive = socket.bufferedAmount === 0 ? isHeard : taken > takenBytes;
    takenBytes = taken;
    if (!isAlive && isPinged) return socket.terminate();
    isPinged = !isAlive;
    if (isPinged) socket.ping();
    isHeard = false;
  };
}

/** Closes all sockets with 1001 and waits until they are gone; cuts those that do not answer in time. */
export async function closeSockets(server: WebSocketServer, reason: string, graceMs: number): Promise<void> {
  const { clients } = server;
  const gone = Promise.all(
    [...clients].map((client) => new Promise((resolve) => client.once('close', resolve))),
  );
  for (const client of clients) client.close(1001, reason);
  const cut = setTimeout(() => {
    for (const client of clients) client.terminate();
  }, graceMs);
  await gone;
  clearTimeout(cut);
  server.close();
}
