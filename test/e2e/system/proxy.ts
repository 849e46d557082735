/**
 * A network between two processes that a story can cut, without either of them noticing more than silence.
 */
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { leftovers } from '@rhizome/testkit';

/** The network. */
export interface Proxy {
  readonly port: number;
  /** From now on nothing passes in either direction; what was sent waits. */
  cut(): void;
  /** Lets waiting and new traffic pass again. */
  mend(): void;
}

/** Listens on a free port, and passes everything on to another one, which may be known only later. */
export async function startProxy(to: number | (() => number)): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const add = (socket: Socket): void => {
    sockets.add(socket);
    if (isCut) socket.pause();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const store = createConnection(typeof to === 'number' ? to : to(), '127.0.0.1');
    for (const [from, onward] of [
      [client, store],
      [store, client],
    ] as const) {
      from.on('data', (chunk) => void onward.write(chunk));
      from.on('close', () => onward.destroy());
      add(from);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  leftovers.defer('the proxy', () => {
    sockets.forEach((socket) => socket.destroy());
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      isCut = true;
      sockets.forEach((socket) => socket.pause());
    },
    mend: () => {
      isCut = false;
      sockets.forEach((socket) => socket.resume());
    },
  };
}
