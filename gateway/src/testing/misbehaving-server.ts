import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { leftovers } from '@rhizome/testkit';
import { parse } from 'graphql';
import { tester } from '@rhizome/federation/testing';
import { answering } from './registry-system.js';

/** Behaviour of a server. */
export type Manner =
  /** Answers correctly. */
  | 'well'
  /** Answers only after {@link MisbehavingServer.release}. */
  | 'slow'
  /** Never answers. */
  | 'silent'
  | 'html'
  | 'not GraphQL'
  | 'huge'
  | 'cut off'
  | 'fails';

/** A subgraph's server on a real socket with the behaviour that a test sets. */
export class MisbehavingServer {
  manner: Manner = 'well';
  /** Number of requests received. */
  requestCount = 0;
  /** Number of requests in progress. */
  open = 0;
  readonly url: string;
  readonly #port: number;
  #release: () => void = () => undefined;
  readonly #released = new Promise<void>((resolve) => (this.#release = resolve));
  readonly #sdl: string;
  #server: Server;

  private constructor(server: Server, sdl: string) {
    this.#server = server;
    this.#sdl = sdl;
    this.#port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.#port}/graphql`;
    this.#listenTo(server);
    leftovers.defer('a misbehaving server', () => this.stop());
  }

  static async start(sdl: string): Promise<MisbehavingServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new MisbehavingServer(server, sdl);
  }

  /** Ends it, like a process that is killed. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Starts it again on the same port. */
  async startAgain(): Promise<void> {
    const server = (this.#server = createServer());
    this.#listenTo(server);
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
  }

  /** Releases delayed responses. */
  release(): void {
    this.#release();
  }

  #listenTo(server: Server): void {
    const subgraph = answering('misbehaving', this.#sdl);
    server.on('request', (request, response) => {
      this.requestCount++;
      this.open++;
      response.once('close', () => this.open--);
      void this.#answer(subgraph, request, response);
    });
  }

  async #answer(
    subgraph: ReturnType<typeof answering>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const send = (text: string, status = 200, type = 'application/json'): void =>
      void response.writeHead(status, { 'content-type': type }).end(text);
    switch (this.manner) {
      case 'silent':
        return;
      case 'slow':
        await this.#released;
        return this.#send(subgraph, chunks, response);
      case 'html':
        return send('<h1>It works!</h1>', 200, 'text/html');
      case 'not GraphQL':
        return send('{"errors": {"message": "no"}}');
      case 'huge':
        return send(`{"data":{"x":"${'x'.repeat(4 * 2 ** 20)}"}}`);
      case 'cut off':
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
        response.write('{"data":');
        return void setImmediate(() => response.destroy());
      case 'fails':
        return send('{"message":"boom"}', 500);
      case 'well':
        return this.#send(subgraph, chunks, response);
    }
  }

  async #send(
    subgraph: ReturnType<typeof answering>,
    chunks: readonly Buffer[],
    response: ServerResponse,
  ): Promise<void> {
    const { query, variables } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
      query: string;
      variables?: Record<string, unknown>;
    };
    const call = { document: parse(query), variables, principal: tester, requestId: 'test' };
    const text = JSON.stringify(await subgraph.execute(call));
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  }
}
