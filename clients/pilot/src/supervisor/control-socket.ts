/** The Unix socket of a supervisor, which only the user of the pilot can reach. */
import { once } from 'node:events';
import { chmod, open, type FileHandle } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';

const socketName = 'control';

/**
 * Listens in a folder that only this user may open.
 * @throws the error of the operating system
 */
export async function listenIn(folder: string, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onConnection);
  await withShortPath(folder, async (path) => {
    server.listen(path);
    await once(server, 'listening');
    await chmod(path, 0o600);
  });
  return server;
}

/** Connects to the supervisor of a folder. @throws the error of the operating system */
export async function connectIn(folder: string): Promise<Socket> {
  return withShortPath(folder, async (path) => {
    const socket = connect(path);
    await once(socket, 'connect');
    return socket;
  });
}

/** The address of a Unix socket has at most 107 bytes, and the path of a scratch folder may be longer. */
async function withShortPath<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, 'r');
    return await use(`/proc/self/fd/${handle.fd}/${socketName}`);
  } finally {
    await handle?.close();
  }
}
