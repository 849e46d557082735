/** Keeps the WebSockets of a server alive, and closes them. */
import type { WebSocket, WebSocketServer } from 'ws';

/** Upkeep of one socket. */
export interface KeepAlive {
  /** Changes the time between two looks. */
  setInterval(intervalMs: number): void;
  stop(): void;
}

/**
 * Pings a socket from which nothing has arrived since the last look, and cuts it if nothing arrives until the
 * next one either. A client that sends and does not read is pinged, too.
 */
export function keepAlive(socket: WebSocket, intervalMs: number): KeepAlive {
  let isHeard = true;
  let isPinged = false;
  const heard = (): void => void (isHeard = true);
  for (const event of ['message', 'ping', 'pong']) socket.on(event, heard);
  const look = (): void => {
    const isAlive = isHeard && socket.bufferedAmount === 0;
    if (!isAlive && isPinged) return socket.terminate();
    isPinged = !isAlive;
    if (isPinged) socket.ping();
    isHeard = false;
  };
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
