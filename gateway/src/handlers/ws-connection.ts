import type { IncomingMessage } from 'node:http';
import type { Principal } from '@rhizome/authz';
import { CloseCode } from 'graphql-ws';
import type { ClientStream } from '../streams/index.js';
import type { Expiries, Expiring } from '../policy/index.js';
import { type ClientIdentity, unknownClient } from '../registry/index.js';
import type { SocketLine } from './ws-sockets.js';

/** Time for the last messages of streams before their socket is closed, in milliseconds. */
const closeGraceMs = 250;

/** Ports of {@link Connection}. */
export interface ConnectionOptions {
  readonly line: SocketLine;
  readonly request: IncomingMessage;
  readonly address: string;
  /** The streams of the socket are in it, too: they end before the socket. */
  readonly expiries: Expiries;
}

/** A socket and its caller, from the opening of the socket to its close. */
export class Connection implements Expiring {
  readonly line: SocketLine;
  readonly request: IncomingMessage;
  readonly address: string;
  /** Operations that have not been answered, by their ids. */
  readonly pending = new Map<string, AbortController>();
  client: ClientIdentity = unknownClient;
  /** Ends the count of this socket for its subject. */
  left?: () => void;
  readonly #expiries: Expiries;
  readonly #streams = new Set<ClientStream>();
  #principal: Principal | undefined;
  #isClosed = false;

  constructor({ line, request, address, expiries }: ConnectionOptions) {
    this.line = line;
    this.request = request;
    this.address = address;
    this.#expiries = expiries;
  }

  /** Undefined before the socket was accepted, and for a caller without a token. */
  get principal(): Principal | undefined {
    return this.#principal;
  }

  /** Accepts the socket; it ends with the token of its caller. */
  accept(principal: Principal | undefined): void {
    this.#principal = principal;
    if (principal && !this.#isClosed) this.#expiries.add(this, principal.expiresAt.getTime());
    this.line.accepted(principal);
  }

  /** Continues with a renewed token of the same caller, and so do the streams. */
  renew(principal: Principal): void {
    if (this.#isClosed || !this.#principal) return;
    this.#expiries.remove(this, this.#principal.expiresAt.getTime());
    this.#principal = principal;
    this.#expiries.add(this, principal.expiresAt.getTime());
    for (const stream of [...this.#streams]) stream.renew(principal);
  }

  /** Adds a stream, which may have been opened with an earlier token. */
  addStream(stream: ClientStream): void {
    this.#streams.add(stream);
    if (this.#principal && stream.request.principal !== this.#principal) stream.renew(this.#principal);
  }

  removeStream(stream: ClientStream): void {
    this.#streams.delete(stream);
  }

  /** Closes the socket, so that its client connects again with a new token. */
  expired(): void {
    this.closeSoon('TOKEN_EXPIRED');
  }

  /** Closes the socket, by default as forbidden, after the last messages of its streams. */
  closeSoon(reason: string, code: number = CloseCode.Forbidden): void {
    setTimeout(() => this.line.close(code, reason), closeGraceMs).unref();
  }

  /** The socket has closed. */
  closed(): void {
    this.#isClosed = true;
    if (this.#principal) this.#expiries.remove(this, this.#principal.expiresAt.getTime());
    this.left?.();
  }
}
