/** A load balancer between processes, as a service of Kubernetes is one: it passes connections on. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { leftovers } from '@rhizome/testkit';

/** Options of a balancer. */
export interface Balancer {
  /** Address with the port of the balancer, and the path of the addresses behind it. */
  readonly url: string;
}

/** Listens on a free port. Each connection goes to the next of the addresses that accepts it. */
export async function startBalancer(urls: readonly string[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  let next = 0;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    keep(client);
    next += 1;
    void firstOpen(urls.map((_, index) => portOf(urls[(next + index) % urls.length]))).then((backend) => {
      if (!backend) return client.destroy();
      keep(backend);
      client.pipe(backend);
      backend.pipe(client);
      client.on('close', () => backend.destroy());
      backend.on('close', () => client.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  leftovers.defer('a balancer', () => {
    sockets.forEach((socket) => socket.destroy());
    return new Promise((resolve) => server.close(resolve));
  });
  const url = new URL(urls[0] ?? '');
  url.port = String((server.address() as AddressInfo).port);
  return { url: url.href };
}

const portOf = (url: string | undefined): number => Number(new URL(url ?? '').port);

async function firstOpen(ports: readonly number[]): Promise<Socket | undefined> {
  for (const port of ports) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (isOpen) return socket;
  }
  return undefined;
}
