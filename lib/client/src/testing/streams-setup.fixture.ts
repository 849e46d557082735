/** For tests: streams of clients from a server that breaks in the way that the test sets. */
import { afterEach, beforeEach } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { buildSchema, parse } from 'graphql';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { type ApiClient, type ClientOptions, createClient } from '../client.js';
import type { Reconnecting } from '../resuming-stream.js';

/** A message of the stream. */
export interface Count {
  readonly count: { readonly cursor: string; readonly value: number | null };
}
/** Counts from the cursor on. */
export const countDocument = parse(
  'subscription Count($after: String) { count(after: $after) { cursor value } }',
) as TypedDocumentNode<Count, { after?: string }>;

/** A call whose answer says how it was sent. */
export const hitDocument = parse('mutation Hit($text: String) { hit(text: $text) }') as TypedDocumentNode<
  { readonly hit: string },
  { text?: string }
>;

const schema = buildSchema(/* GraphQL */ `
  type Query {
    ping: String
  }
  type Mutation {
    hit(text: String): String
  }
  type Subscription {
    count(after: String): Counted
  }
  type Counted {
    cursor: String!
    value: Int
  }
`);

/** A server that counts from the cursor on, and breaks in the way that the test sets. */
export class CountingServer {
  /** Numbers up to this one are there. */
  top = 0;
  readonly afters: (string | undefined)[] = [];
  readonly tokens: unknown[] = [];
  /** Payloads of pings that carried a token. */
  readonly renewals: Readonly<Record<string, unknown>>[] = [];
  /** Reason to refuse a renewed token. */
  refuseRenewal: ((token: unknown) => string | undefined) | undefined;
  refuse: ((token: unknown) => string | undefined) | undefined;
  /** Result that replaces the next number. */
  instead: Error | undefined;
  /** Answers a mutation over a socket; a call over HTTP is answered at once. */
  hit: (text?: string) => string | Promise<string> = () => 'over the socket';
  readonly #http: Server = createServer((request, response) => {
    request.resume();
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ data: { hit: 'over HTTP' } }));
  });
  #sockets = new WebSocketServer({ noServer: true });
  #wake: (() => void)[] = [];
  port = 0;

  async start(): Promise<void> {
    this.#sockets = new WebSocketServer({ server: this.#http });
    useServer<Record<string, unknown>, Extra & Record<PropertyKey, unknown>>(
      {
        schema,
        roots: {
          query: {},
          mutation: { hit: ({ text }: { text?: string }) => this.hit(text) },
          subscription: { count: (args: { after?: string }) => this.#count(args.after) },
        },
        onConnect: ({ connectionParams, extra }) => {
          const token = connectionParams?.['authorization'];
          this.tokens.push(token);
          const reason = this.refuse?.(token);
          if (reason === undefined) return true;
          extra.socket.close(4403, reason);
          return false;
        },
        onPing: ({ extra }, payload) => {
          if (!payload) return;
          this.renewals.push(payload);
          const code = this.refuseRenewal?.(payload['authorization']);
          const answer = code === undefined ? { expiresAt: new Date().toISOString() } : { error: { code } };
          extra.socket.send(JSON.stringify({ type: 'pong', payload: answer }));
        },
      },
      this.#sockets,
    );
    this.#http.listen(this.port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.port = (this.#http.address() as AddressInfo).port;
  }

  async *#count(after: string | undefined): AsyncGenerator<Count> {
    this.afters.push(after);
    for (let value = Number(after ?? 0) + 1; ; value += 1) {
      while (value > this.top && !this.instead)
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      const failure = this.instead;
      this.instead = undefined;
      if (failure) throw failure;
      yield { count: { cursor: String(value), value } };
    }
  }

  to(top: number): void {
    this.top = top;
    this.wake();
  }

  wake(): void {
    for (const resolve of this.#wake.splice(0)) resolve();
  }

  /** Breaks all connections as a crash does, or closes them by a code. */
  drop(code?: number, reason?: string): void {
    this.#sockets.clients.forEach((socket: WebSocket) =>
      code ? socket.close(code, reason) : socket.terminate(),
    );
  }

  get connections(): number {
    return this.#sockets.clients.size;
  }

  async stop(): Promise<void> {
    this.drop();
    await new Promise((resolve) => this.#sockets.close(resolve));
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

/** Set-up of the current test. */
export interface StreamSetup {
  readonly server: CountingServer;
  /** Attempts to reconnect that the resumable streams have reported. */
  readonly reconnects: readonly Reconnecting[];
  readonly resumable: {
    readonly cursorOf: (count: Count) => string;
    readonly onReconnect: (event: Reconnecting) => void;
  };
  /** A client of the server; closed at the end of the test. */
  client(options?: Partial<ClientOptions>): ApiClient;
}

/** Creates the set-up for each test of the file. */
export function streamSetup(): StreamSetup {
  let server: CountingServer;
  const clients: ApiClient[] = [];
  const reconnects: Reconnecting[] = [];
  beforeEach(async () => {
    reconnects.length = 0;
    server = new CountingServer();
    await server.start();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await server.stop();
  });
  return {
    get server() {
      return server;
    },
    reconnects,
    resumable: {
      cursorOf: ({ count }) => count.cursor,
      onReconnect: (event) => void reconnects.push(event),
    },
    client(options = {}) {
      const made = createClient({
        url: `http://127.0.0.1:${server.port}/graphql`,
        token: 'one',
        reconnect: { initialDelayMs: 5, maxDelayMs: 20 },
        ...options,
      });
      clients.push(made);
      return made;
    },
  };
}

/** The next values of a stream. */
export async function take(stream: AsyncIterator<Count>, amount: number): Promise<(number | null)[]> {
  const values: (number | null)[] = [];
  while (values.length < amount) {
    const { value, done } = await stream.next();
    if (done) break;
    values.push((value as Count).count.value);
  }
  return values;
}

/** Waits for something that happens in this process, on the other side of a socket. */
export async function until(happened: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!happened()) {
    if (performance.now() > deadline) throw new Error('it did not happen within 120 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
