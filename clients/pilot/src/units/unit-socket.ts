/** The Unix socket at which a payload works on units. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { removeFile } from '@rhizome/storage/open-folder';
import { UnitClient } from './unit-client.js';
import { unitSocketName } from './unit-places.js';
import type { UnitService } from './unit-service.js';

/** Connections of a payload. */
const maxClients = 32;
/** Connections beyond that are accepted to say why they are refused, and the others closed at once. */
const maxConnections = 2 * maxClients;

/** Serves the payload of one attempt. */
export class UnitSocket {
  readonly #server: Server;
  readonly #service: UnitService;
  readonly #clients = new Set<UnitClient>();
  readonly #closed = new AbortController();

  private constructor(service: UnitService) {
    this.#service = service;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = maxConnections;
    this.#server.on('error', () => undefined);
  }

  /**
   * Listens in a folder, instead of an earlier pilot.
   * @param folder a short path: the address of a socket has at most 107 bytes
   * @throws the error of the operating system
   */
  static async listen(folder: string, service: UnitService): Promise<UnitSocket> {
    const made = new UnitSocket(service);
    // The end of a server removes the name that it was given: another pilot may serve the final one by then.
    const own = `${folder}/${unitSocketName}.${randomUUID()}`;
    made.#server.listen(own);
    await once(made.#server, 'listening');
    try {
      await rename(own, `${folder}/${unitSocketName}`);
      return made;
    } catch (error) {
      await made.close();
      await removeFile(own);
      throw error;
    }
  }

  /** Ends all requests and connections. */
  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new Error('the attempt has ended'));
    for (const client of this.#clients) client.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    const client = new UnitClient(socket, this.#service, this.#closed.signal);
    this.#clients.add(client);
    socket.once('close', () => this.#clients.delete(client));
    if (this.#clients.size > maxClients)
      client.refuse('TOO_MANY_CLIENTS', `The payload has ${maxClients} connections; close one first`);
  }
}
