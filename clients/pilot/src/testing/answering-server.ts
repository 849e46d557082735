/** For tests: a server of HTTP that gives all requests the answer that the test sets. */
import { afterEach, beforeEach } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Server of the current test. */
export interface AnsweringServer {
  /** Address of its GraphQL endpoint. */
  readonly url: string;
  answer: { readonly status: number; readonly body: string };
}

/** Creates the server for each test of the file. */
export function answeringServer(): AnsweringServer {
  let server: Server;
  const made = { url: '', answer: { status: 200, body: '' } };
  beforeEach(async () => {
    server = createServer((_, response) => response.writeHead(made.answer.status).end(made.answer.body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    made.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return made;
}
