/** Keeps the WebSockets of a server alive, and closes them. */
import type { WebSocket, WebSocketServer } from 'ws';

/**
 * Pings a socket, and cuts it if it leaves a ping unanswered until the next one. Returns the function that
 * stops this.
 */
export function keepAlive(socket: WebSocket, intervalMs: number): () => void {
  let isAnswered = true;
  socket.on('pong', () => (isAnswered = true));
  const timer = setInterval(() => {
    if (!isAnswered) return socket.terminate();
    isAnswered = false;
    socket.ping();
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
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
