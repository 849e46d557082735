/** The Unix socket at which a payload works on units. */
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { UnitCalls } from '../protocol/unit-calls.js';
import { OpenRequests, UnitClient } from './unit-client.js';

/** Connections of a payload. */
const maxClients = 32;
/** Leases of a payload that are open at once, and as many reports: as many leases as a gateway admits. */
const maxRequests = 16;

/** Serves the payload of one attempt. */
export class UnitSocket {
  readonly #server: Server;
  readonly #calls: UnitCalls;
  readonly #clients = new Set<UnitClient>();
  readonly #open = new OpenRequests(maxRequests);
  readonly #closed = new AbortController();

  private constructor(calls: UnitCalls) {
    this.#calls = calls;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.on('error', () => undefined);
  }

  /** Listens at a path, instead of an earlier pilot. @throws the error of the operating system */
  static async listen(path: string, calls: UnitCalls): Promise<UnitSocket> {
    const made = new UnitSocket(calls);
    await rm(path, { force: true });
    made.#server.listen(path);
    await once(made.#server, 'listening');
    await chmod(path, 0o600);
    return made;
  }

  /** Ends all requests and connections. */
  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new Error('the attempt has ended'));
    for (const client of this.#clients) client.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    const services = { calls: this.#calls, open: this.#open, signal: this.#closed.signal };
    const client = new UnitClient(socket, services);
    this.#clients.add(client);
    socket.once('close', () => this.#clients.delete(client));
    if (this.#clients.size > maxClients)
      client.refuse('TOO_MANY_CLIENTS', `The payload has ${maxClients} connections; close one first`);
  }
}
