import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Reach, tester, type TestSubgraph } from '@rhizome/federation/testing';
import { type DocumentNode, parse } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { createHttpTransport, createWebSocketSubscriptions } from '../transports/index.js';

/** Over HTTP and WebSocket, by real sockets. */
export const overHttp: Reach = async (subgraphs) => {
  const documents = new Map<string, DocumentNode>();
  const server = createServer((request, response) => {
    void answer(subgraphs, documents, request, response);
  });
  const upgrades = new Map<string, WebSocketServer>();
  for (const subgraph of subgraphs) {
    const own = new WebSocketServer({ noServer: true });
    useServer(
      { schema: subgraph.schema, context: (_context, id) => ({ requestId: id, signal: undefined }) },
      own,
    );
    upgrades.set(`/${subgraph.name}`, own);
  }
  server.on('upgrade', (request, socket, head) => {
    const own = upgrades.get(request.url ?? '');
    own?.handleUpgrade(request, socket, head, (opened) => own.emit('connection', opened, request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    transports: (subgraph) =>
      createHttpTransport({
        subgraph,
        url: `http://127.0.0.1:${port}/${subgraph}`,
        subscriptions: createWebSocketSubscriptions({
          subgraph,
          url: `ws://127.0.0.1:${port}/${subgraph}`,
          idleMs: 20,
        }),
      }),
    close: async () => {
      for (const own of upgrades.values()) own.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

async function answer(
  subgraphs: readonly TestSubgraph[],
  documents: Map<string, DocumentNode>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { query, variables, operationName } = JSON.parse(Buffer.concat(chunks).toString()) as {
    query: string;
    variables?: Record<string, unknown>;
    operationName?: string;
  };
  const subgraph = subgraphs.find(({ name }) => request.url === `/${name}`);
  if (!subgraph) throw new Error(`No subgraph at ${request.url}`);
  let document = documents.get(query);
  if (!document) documents.set(query, (document = parse(query)));
  const requestId = String(request.headers['x-request-id']);
  const result = await subgraph.execute({ document, variables, operationName, requestId, principal: tester });
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
}
