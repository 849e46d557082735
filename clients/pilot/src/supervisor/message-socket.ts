import type { Socket } from 'node:net';

/** Messages over a socket, each a line of JSON. */
export class MessageSocket<In, Out> {
  readonly #socket: Socket;
  readonly #onMessage: (message: In) => void;
  /** Beginning of a line whose end has not arrived. */
  #rest = '';
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;

  /** @param onMessage called for each message, in order */
  constructor(socket: Socket, onMessage: (message: In) => void) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    // The end is reported by `closed`.
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (text: string) => this.#read(text));
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

  /** For `node:readline`, a line also ends at U+2028 and U+2029, which texts in JSON may contain. */
  #read(text: string): void {
    const [first = '', ...others] = text.split('\n');
    const lines = [this.#rest + first, ...others];
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = parsed<In>(line);
      if (message === undefined) return void this.#socket.destroy();
      this.#onMessage(message);
    }
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
