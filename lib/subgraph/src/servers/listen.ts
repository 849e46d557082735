import { rename, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { DomainError } from '@rhizome/errors';
import type { WebServer } from './web-server.js';

/** Address to listen on. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** File that gets the GraphQL URL once the server listens, for programs that start services. */
  readonly addressFile?: string | undefined;
}

/** Address of a listening server. */
export interface ListenAddress {
  readonly port: number;
  /** `http://…` or `https://…`, without a path. */
  readonly origin: string;
  /** `http://…/graphql` or `https://…/graphql`. */
  readonly url: string;
  /** `ws://…/graphql` or `wss://…/graphql`. */
  readonly wsUrl: string;
}

/**
 * Starts to listen, and writes the address file.
 * @throws DomainError PORT_TAKEN if the port is in use
 */
export async function listen(server: WebServer, options: ListenOptions): Promise<ListenAddress> {
  const { host, port, addressFile } = options;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      const text = `Port ${port} of ${host} is in use; choose another one, or 0 for a free one.`;
      reject(new DomainError('PORT_TAKEN', text, { field: 'port', value: port }, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
  const taken = (server.address() as AddressInfo).port;
  const authority = `${host.includes(':') ? `[${host}]` : host}:${taken}`;
  const secure = 'setSecureContext' in server ? 's' : '';
  const address = {
    port: taken,
    origin: `http${secure}://${authority}`,
    url: `http${secure}://${authority}/graphql`,
    wsUrl: `ws${secure}://${authority}/graphql`,
  };
  if (addressFile !== undefined) {
    await writeWhole(addressFile, `${address.url}\n`).catch((error: unknown) => {
      server.close();
      throw error;
    });
  }
  return address;
}

/** Readers see all of the text or no file. */
async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  await writeFile(draft, text);
  await rename(draft, path);
}
