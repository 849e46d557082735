import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** Messages over a socket, each a line of JSON. */
export class MessageSocket<In, Out> {
  readonly #socket: Socket;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;

  /** @param onMessage called for each message, in order */
  constructor(socket: Socket, onMessage: (message: In) => void) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    const lines = createInterface({ input: socket, crlfDelay: Infinity });
    // The end is reported by `closed`. The reader of lines repeats the errors of the socket, such as that of
    // a peer that was killed before it had read everything.
    for (const source of [socket, lines]) source.on('error', () => undefined);
    lines.on('line', (line) => {
      const message = parsed<In>(line);
      if (message === undefined) socket.destroy();
      else onMessage(message);
    });
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** Sends a message, unless the connection has ended. */
  send(message: Out): void {
    if (!this.#socket.destroyed) this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Ends the connection after what was sent. */
  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Undefined for text that is no message, which no pilot and no supervisor sends. */
function parsed<T>(line: string): T | undefined {
  try {
    return JSON.parse(line) as T;
  } catch {
    return undefined;
  }
}
