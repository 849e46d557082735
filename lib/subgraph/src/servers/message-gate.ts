import { isDomainError } from '@rhizome/errors';
import type { RawData, ServerOptions, WebSocket } from 'ws';
import { smallBodyBytes } from '../json/json-body.js';
import { assertJsonBounds } from '../json/json-scanner.js';

/** Bounds of the messages of a WebSocket. */
export interface MessageLimits {
  /** Bytes of one message of an accepted socket. */
  readonly messageBytes: number;
  /** Bytes of one message before its `connection_init` was accepted; larger frames are not read. */
  readonly initFrameBytes: number;
  /** Bytes of a `connection_init`. */
  readonly initBytes: number;
}

/** Default bounds. */
export const defaultMessageLimits: MessageLimits = {
  messageBytes: smallBodyBytes,
  initFrameBytes: 64 * 1024,
  initBytes: 16 * 1024,
};

/** Messages before the acknowledgement: `connection_init`, and pings. */
const mostBeforeAccepted = 8;

/** Close codes of RFC 6455 and of the protocol. */
const tooBig = 1009;
const badRequest = 4400;
const tooManyRequests = 4429;

/** Options of the `ws` library by which a server bounds what a socket may send before it is accepted. */
export function boundedSockets({ initFrameBytes, messageBytes }: MessageLimits): ServerOptions {
  return {
    maxPayload: Math.min(initFrameBytes, messageBytes),
    maxFragments: 64,
    // A frame of the largest size in packets of the smallest network.
    maxBufferedChunks: 4096,
    perMessageDeflate: false,
  };
}

/**
 * Messages of one socket on their way to the protocol library, which parses them: until the socket is
 * accepted they are few and small, and no message nests deep.
 */
export class MessageGate {
  readonly #client: WebSocket;
  readonly #limits: MessageLimits;
  #isAccepted = false;
  #arrived = 0;

  constructor(client: WebSocket, limits: MessageLimits) {
    this.#client = client;
    this.#limits = limits;
  }

  /** Passes on the messages that are within the bounds; another one closes the socket. */
  onMessage(take: (text: string) => void): void {
    this.#client.on('message', (data: RawData) => {
      const bytes = bytesOf(data);
      if (this.#isFine(bytes)) take(bytes.toString('utf8'));
    });
  }

  /** Raises the bounds: the `connection_init` was accepted. */
  accept(): void {
    this.#isAccepted = true;
    raiseLimit(this.#client, this.#limits.messageBytes);
  }

  #isFine(bytes: Buffer): boolean {
    if (!this.#isAccepted) {
      if (bytes.length > this.#limits.initBytes) return this.#refuse(tooBig, 'REQUEST_TOO_LARGE');
      if (++this.#arrived > mostBeforeAccepted) return this.#refuse(tooManyRequests, 'LIMIT_EXCEEDED');
    }
    try {
      assertJsonBounds(bytes);
      return true;
    } catch (error) {
      return this.#refuse(badRequest, isDomainError(error) ? error.code : 'BAD_REQUEST');
    }
  }

  #refuse(code: number, reason: string): false {
    this.#client.close(code, reason);
    return false;
  }
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** The library has one limit for all sockets of a server and no method to change that of one. */
function raiseLimit(client: WebSocket, bytes: number): void {
  const { _receiver: receiver } = client as unknown as {
    readonly _receiver: { _maxPayload: unknown } | null;
  };
  // A socket that has closed in the meantime has none.
  if (!receiver) return;
  if (typeof receiver._maxPayload !== 'number') throw new TypeError('The WebSocket library has changed');
  receiver._maxPayload = bytes;
}
