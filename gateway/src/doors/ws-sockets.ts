import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from '@rhizome/log';
import { CloseCode, handleProtocols, type WebSocket as ProtocolSocket } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { Flusher } from './flusher.js';

/** A socket as the protocol library sees it, with a way to send text that is JSON already. */
export interface SocketLine extends ProtocolSocket {
  /** An object that becomes this very text, where it is the last value of the next message sent. */
  splice(text: string): object;
  /** Told when the client completes an operation: the protocol library tells streams only. */
  onComplete: ((id: string) => void) | undefined;
}

/** What a {@link SocketPool} is made of. */
export interface SocketPoolOptions {
  readonly maxMessageBytes: number;
  /** Time between pings; a socket that leaves one unanswered until the next is cut. */
  readonly keepAliveMs: number;
  readonly log: Logger;
  /** A socket has opened; what is returned is called when it has closed. */
  readonly opened: (
    line: SocketLine,
    request: IncomingMessage,
  ) => (code: number, reason: string) => Promise<void>;
}

/** The open WebSockets of a gateway. */
export class SocketPool {
  readonly #options: SocketPoolOptions;
  readonly #server: WebSocketServer;
  readonly #flusher = new Flusher();

  constructor(options: SocketPoolOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: options.maxMessageBytes,
      // Without a protocol in common the connection opens all the same: the protocol refuses it with a code of its own.
      handleProtocols,
      perMessageDeflate: false,
    });
  }

  get size(): number {
    return this.#server.clients.size;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (client) => this.#open(client, request, socket));
  }

  async close(graceMs: number): Promise<void> {
    const { clients } = this.#server;
    const gone = Promise.all(
      [...clients].map((client) => new Promise((resolve) => client.once('close', resolve))),
    );
    for (const client of clients) client.close(1001, 'SHUTTING_DOWN');
    const cut = setTimeout(() => {
      for (const client of clients) client.terminate();
    }, graceMs);
    await gone;
    clearTimeout(cut);
    this.#server.close();
  }

  #open(client: WebSocket, request: IncomingMessage, socket: Duplex): void {
    const { opened, log } = this.#options;
    const closed = opened(lineOf(client, log, new Sender(client, socket, this.#flusher)), request);
    const stopPinging = this.#keepAlive(client);
    // The library closes the socket after an error by itself.
    client.on('error', (error) => log.debug({ err: error }, 'socket error'));
    client.once('close', (code, reason) => {
      stopPinging();
      closed(code, String(reason)).catch((error: unknown) =>
        log.error({ err: error }, 'closing a socket failed'),
      );
    });
  }

  #keepAlive(client: WebSocket): () => void {
    let isAnswered = true;
    client.on('pong', () => (isAnswered = true));
    const timer = setInterval(() => {
      if (!isAnswered) return client.terminate();
      isAnswered = false;
      client.ping();
    }, this.#options.keepAliveMs);
    timer.unref();
    return () => clearInterval(timer);
  }
}

/** What stands for a text in a message while the protocol library serialises it. */
const placeholder = '\u0000';
const placeholderJson = `${JSON.stringify(placeholder)}}`;

function lineOf(client: WebSocket, log: Logger, sender: Sender): SocketLine {
  // The library serialises a message and sends it in one go, so one text at a time waits here.
  let spliced: string | undefined;
  const line: SocketLine = {
    protocol: client.protocol,
    onComplete: undefined,
    splice: (text) => ({
      toJSON: () => {
        spliced = text;
        return placeholder;
      },
    }),
    send: (data) => {
      const text = spliced;
      spliced = undefined;
      const message = text === undefined ? data : `${data.slice(0, -placeholderJson.length)}${text}}`;
      return sender.send(message);
    },
    close: (code, reason) => client.close(code, reason),
    onMessage: (take) =>
      client.on('message', (data) => {
        const text = String(data);
        const completed = completedBy(text);
        if (completed !== undefined) line.onComplete?.(completed);
        take(text).catch((error: unknown) => {
          log.error({ err: error }, 'handling a message failed');
          client.close(CloseCode.InternalServerError, 'Internal server error');
        });
      }),
  };
  return line;
}

/** Longest message that can be a `complete`, identifiers of clients being short. */
const longestComplete = 256;

function completedBy(text: string): string | undefined {
  if (text.length > longestComplete || !text.includes('"complete"')) return undefined;
  try {
    const message = JSON.parse(text) as { type?: unknown; id?: unknown } | null;
    return message?.type === 'complete' && typeof message.id === 'string' ? message.id : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes that a socket may hold back before its sender waits for the network. */
const highWaterBytes = 128 * 1024;
const sent = Promise.resolve();

/** Sends messages on one socket. */
class Sender {
  readonly #client: WebSocket;
  readonly #socket: Duplex;
  readonly #flusher: Flusher;

  constructor(client: WebSocket, socket: Duplex, flusher: Flusher) {
    this.#client = client;
    this.#socket = socket;
    this.#flusher = flusher;
  }

  /**
   * Resolves when the next message may be sent: at once as long as little waits for the network. That a message
   * cannot leave any more is for the closing to tell.
   */
  send(message: string): Promise<void> {
    const client = this.#client;
    if (client.readyState !== client.OPEN) return sent;
    const turn = this.#flusher.beforeWrite(this.#socket);
    if (client.bufferedAmount + message.length > highWaterBytes) {
      return new Promise((resolve) => client.send(message, () => resolve()));
    }
    client.send(message);
    return turn ?? sent;
  }
}
