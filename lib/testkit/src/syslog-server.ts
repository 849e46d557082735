import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { leftovers } from './leftovers.js';

/** Form of RFC 5424 with the fields that the log fills in. */
const form =
  /^<(?<priority>\d+)>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ rhizome-gateway \d+ (?<id>[A-Z_]+) - (?<json>\{.*\})$/s;

/**
 * A syslog server that parses messages by their length, as RFC 6587 says, and their content as JSON. It ends
 * with the test file.
 */
export class SyslogServer<T extends { readonly action?: string }> {
  readonly received: T[] = [];
  readonly priorities: number[] = [];
  /** True while it closes connections before it reads anything. Its port stays its own. */
  isAway = false;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  /** @param identity certificate and key for TLS, in PEM format */
  constructor(identity?: { readonly cert: string; readonly key: string }) {
    const parse = (socket: Socket): void => {
      let rest: Buffer = Buffer.alloc(0);
      socket.on('data', (data: Buffer) => (rest = this.#parse(Buffer.concat([rest, data]))));
      socket.on('error', () => undefined);
    };
    const secure = identity && createTlsServer(identity, parse);
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      if (this.isAway) socket.destroy();
      else if (secure) secure.emit('connection', socket);
      else parse(socket);
    });
    leftovers.defer('a syslog server', () => this.#close());
  }

  /** @returns its address */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The received entries of an action. */
  of(action: string): readonly T[] {
    return this.received.filter((one) => one.action === action);
  }

  #parse(data: Buffer): Buffer {
    const blank = data.indexOf(' ');
    const length = Number(data.subarray(0, blank));
    if (blank < 1 || data.length < blank + 1 + length) return data;
    const { priority = '', json = '' } =
      form.exec(data.subarray(blank + 1, blank + 1 + length).toString())?.groups ?? {};
    this.received.push(JSON.parse(json) as T);
    this.priorities.push(Number(priority));
    return this.#parse(data.subarray(blank + 1 + length));
  }

  async #close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
