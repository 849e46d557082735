import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Principal } from '@rhizome/authz';
import type { Logger } from '@rhizome/log';
import {
  boundedSockets,
  closeSockets,
  keepAlive,
  MessageGate,
  type MessageLimits,
  type WaitingSocketLimits,
  WaitingSockets,
} from '@rhizome/subgraph';
import { CloseCode, handleProtocols, type WebSocket as ProtocolSocket } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { Flusher } from './flusher.js';
import { type Inbox, SocketTurns } from './inbox.js';

/** A socket as the protocol library sees it, with a method to send text that is JSON already. */
export interface SocketLine extends ProtocolSocket {
  /** An object that becomes this exact text if it is the last value of the next message. */
  splice(text: string): object;
  /**
   * Sends a `next` message; the operation's identifier and the payload are JSON already. If it returns a
   * promise, wait for that before the next message. Identical payloads in sequence are encoded once.
   */
  sendNext(id: string, payload: string): Promise<void> | undefined;
  /** Called when the client completes an operation: the protocol library notifies streams only. */
  onComplete: ((id: string) => void) | undefined;
  /**
   * The `connection_init` of this caller was accepted: the socket may send larger messages, in turn with
   * those of other callers.
   */
  accepted(principal: Principal | undefined): void;
  /** Runs work of this socket in turn with that of other sources. */
  inTurn(work: () => void): void;
}

/** Options of {@link SocketPool}. */
export interface SocketPoolOptions {
  readonly limits: MessageLimits & WaitingSocketLimits;
  /** Time without a message after which a socket is pinged; it is cut if it stays silent as long again. */
  readonly keepAliveMs: number;
  /** The same for sockets of workers, which send heartbeats themselves. */
  readonly pilotKeepAliveMs: number;
  readonly log: Logger;
  readonly inbox: Inbox;
  /** Called when a socket opens; returns the function to call when it has closed. */
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
  readonly #encoder = new LatestText();
  readonly #waiting: WaitingSockets;

  constructor(options: SocketPoolOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      ...boundedSockets(options.limits),
      noServer: true,
      // Without a common protocol the connection opens all the same: the protocol then refuses it with its
      // own close code.
      handleProtocols,
    });
    this.#waiting = new WaitingSockets(options.limits);
  }

  /** Sockets whose `connection_init` was not accepted yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  get size(): number {
    return this.#server.clients.size;
  }

  /** Bytes buffered for clients that do not read. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const client of this.#server.clients) bytes += client.bufferedAmount;
    return bytes;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, address: string): void {
    this.#server.handleUpgrade(request, socket, head, (client) =>
      this.#open(client, request, socket, address),
    );
  }

  close(graceMs: number): Promise<void> {
    return closeSockets(this.#server, 'SHUTTING_DOWN', graceMs);
  }

  #open(client: WebSocket, request: IncomingMessage, socket: Duplex, address: string): void {
    const { opened, log, limits, keepAliveMs, pilotKeepAliveMs } = this.#options;
    const isOver = this.#waiting.addClient(address, client);
    const upkeep = keepAlive(client, request.socket, keepAliveMs);
    const line = lineOf(client, {
      log,
      gate: new MessageGate(client, limits),
      turns: new SocketTurns(client, this.#options.inbox, address),
      sender: new Sender(client, socket, { flusher: this.#flusher, encoder: this.#encoder }),
      accepted: (principal) => {
        isOver();
        if (principal?.kind === 'PILOT') upkeep.setInterval(pilotKeepAliveMs);
      },
    });
    const closed = opened(line, request);
    // The library closes the socket after an error by itself.
    client.on('error', (error) => log.debug({ err: error }, 'socket error'));
    client.once('close', (code, reason) => {
      isOver();
      upkeep.stop();
      closed(code, String(reason)).catch((error: unknown) =>
        log.error({ err: error }, 'closing a socket failed'),
      );
    });
  }
}

/** Placeholder for a text in a message while the protocol library serialises it. */
const placeholder = '\u0000';
const placeholderJson = `${JSON.stringify(placeholder)}}`;

/** Collaborators of a line, in addition to its socket. */
interface LineOptions {
  readonly log: Logger;
  readonly gate: MessageGate;
  readonly turns: SocketTurns;
  readonly sender: Sender;
  readonly accepted: (principal: Principal | undefined) => void;
}

function lineOf(client: WebSocket, options: LineOptions): SocketLine {
  const { log, sender, gate, turns } = options;
  // The library serialises and sends a message synchronously, so at most one text waits here.
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
    sendNext: (id, payload) => sender.sendNext(id, payload),
    close: (code, reason) => client.close(code, reason),
    accepted: (principal) => {
      gate.accept();
      if (principal) turns.moveTo(principal.subject);
      options.accepted(principal);
    },
    inTurn: (work) => turns.run(work),
    onMessage: (take) => {
      const handle = (text: string): void => {
        const completed = completedBy(text);
        if (completed !== undefined) line.onComplete?.(completed);
        take(text).catch((error: unknown) => {
          if (isOfServer(text))
            return client.close(CloseCode.BadRequest, 'Only the server sends messages of this type');
          log.error({ err: error }, 'handling a message failed');
          client.close(CloseCode.InternalServerError, 'Internal server error');
        });
      };
      gate.onMessage((text) => turns.run(() => handle(text)));
    },
  };
  return line;
}

const serverTypes: readonly unknown[] = ['connection_ack', 'next', 'error'];

/** True for a message that the protocol library takes for its own, and refuses by an exception. */
function isOfServer(text: string): boolean {
  try {
    return serverTypes.includes((JSON.parse(text) as { type?: unknown }).type);
  } catch {
    return false;
  }
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

/** Bytes that a socket may buffer before its sender waits for the network. */
const highWaterBytes = 128 * 1024;
const sent = Promise.resolve();

/** Encodes texts; identical texts in sequence once. */
class LatestText {
  #text: string | undefined;
  #bytes: Buffer = Buffer.alloc(0);

  bytesOf(text: string): Buffer {
    if (text !== this.#text) {
      this.#text = text;
      this.#bytes = Buffer.from(text);
    }
    return this.#bytes;
  }
}

const closingBrace = 0x7d;
/** Header bits of a final text fragment. */
const wholeText = 0x81;

const beforeId = Buffer.from('{"id":');
const beforePayload = Buffer.from(',"type":"next","payload":');

/** A WebSocket frame of a server (RFC 6455, 5.2) with a `next` message. */
function nextFrame(id: string, payload: Uint8Array): Buffer {
  const idLength = Buffer.byteLength(id);
  const length = beforeId.length + idLength + beforePayload.length + payload.length + 1;
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = wholeText;
  if (start === 2) frame[1] = length;
  else if (start === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.set(beforeId, start);
  frame.write(id, start + beforeId.length);
  let at = start + beforeId.length + idLength;
  frame.set(beforePayload, at);
  at += beforePayload.length;
  frame.set(payload, at);
  frame[at + payload.length] = closingBrace;
  return frame;
}

/** Sends messages on one socket. */
class Sender {
  readonly #client: WebSocket;
  readonly #socket: Duplex;
  readonly #flusher: Flusher;
  readonly #encoder: LatestText;

  constructor(
    client: WebSocket,
    socket: Duplex,
    { flusher, encoder }: { readonly flusher: Flusher; readonly encoder: LatestText },
  ) {
    this.#client = client;
    this.#socket = socket;
    this.#flusher = flusher;
    this.#encoder = encoder;
  }

  /**
   * Writes the frame to the socket directly. The library writes whole frames too, and nothing is compressed,
   * so none of its frames waits.
   */
  sendNext(id: string, payload: string): Promise<void> | undefined {
    const client = this.#client;
    if (client.readyState !== client.OPEN) return undefined;
    const turn = this.#flusher.beforeWrite(this.#socket);
    const frame = nextFrame(id, this.#encoder.bytesOf(payload));
    if (client.bufferedAmount + frame.length > highWaterBytes) {
      return new Promise((resolve) => this.#socket.write(frame, () => resolve()));
    }
    this.#socket.write(frame);
    return turn;
  }

  /**
   * Resolves when the next message may be sent: immediately while little data waits for the network. The
   * close event reports messages that can no longer leave.
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
