import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '@rhizome/log';
import {
  createInProcess,
  type ExecutionMode,
  type InProcessSubgraph,
  Loaders,
  settleResolvers,
} from '@rhizome/subgraph';
import { type DocumentNode, parse } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import {
  createHttpTransport,
  createInProcessTransport,
  createWebSocketSubscriptions,
  type TransportFactory,
} from '../../transports/index.js';
import { tester } from '../gateway.js';
import type { TestSubgraph } from '../subgraph.js';

/** How the engine reaches the subgraphs of an arena. */
export type Reach = (
  subgraphs: readonly TestSubgraph[],
) => Promise<{ readonly transports: TransportFactory; close(): Promise<void> }>;

/** In process, on graphql-js alone; every document is validated. */
export const plain: Reach = async (subgraphs) => inProcess(subgraphs);

/** In process, as the house runs its own subgraphs: compiled to code, or interpreted. */
export function housed(mode: ExecutionMode): Reach {
  return async (subgraphs) =>
    inProcess(
      subgraphs.map((subgraph) => {
        settleResolvers(subgraph.schema);
        const made = createInProcess({
          mode,
          // Each operation comes once: it is the compiled ones that are compared.
          interpretFirst: 0,
          log: silentLogger(),
          subgraph: {
            name: subgraph.name,
            sdl: subgraph.sdl,
            schema: subgraph.schema,
            doors: [],
            createContext: (init) => ({ ...init, loaders: new Loaders() }),
          },
        });
        if (made.mode !== mode) throw new Error(`${subgraph.name} cannot run as ${mode}`);
        return made;
      }),
    );
}

function inProcess(subgraphs: readonly InProcessSubgraph[]): Awaited<ReturnType<Reach>> {
  return {
    transports: (name) => {
      const subgraph = subgraphs.find((one) => one.name === name);
      if (!subgraph) throw new Error(`no subgraph ${name}`);
      return createInProcessTransport(subgraph);
    },
    close: async () => {},
  };
}

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
  if (!subgraph) throw new Error(`nobody at ${request.url}`);
  let document = documents.get(query);
  if (!document) documents.set(query, (document = parse(query)));
  const requestId = String(request.headers['x-request-id']);
  const result = await subgraph.execute({ document, variables, operationName, requestId, principal: tester });
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
}
