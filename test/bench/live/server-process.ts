/**
 * Measured process: core, or the gateway with core; or for comparison `@apollo/server` and `graphql-ws` on
 * the same schema.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ApolloServer } from '@apollo/server';
import { buildCore, type Core } from '@rhizome/core';
import { buildGateway, createInProcessTransport, serveGateway } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { connectMongo } from '@rhizome/mongo';
import { type Identities, openIdentities, supergraphOf } from '@rhizome/playground';
import { discoverSubgraphs } from '@rhizome/schema';
import { createInProcess } from '@rhizome/subgraph';
import type { GraphQLSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { answerQuestions, collectedBytes } from './processes.js';

/** Options of a server's start. */
export interface ServeQuestion {
  readonly mongoUri: string;
  readonly data: string;
  readonly kind: 'rhizome' | 'apollo';
}

/** Where it serves. */
export interface ServeAnswer {
  readonly url: string;
  readonly wsUrl: string;
  readonly token: string;
}

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const log = silentLogger();

async function serve({ mongoUri, data, kind }: ServeQuestion): Promise<ServeAnswer> {
  const mongo = await connectMongo({ uri: mongoUri, appName: 'bench' });
  const core = buildCore({ db: mongo.db('core'), clock: systemClock, ids: createIds(), log });
  await core.start();
  const identities = await openIdentities(data);
  const token = await identities.newcomer();
  return { token, ...(await (kind === 'rhizome' ? serveOurs : serveApollo)(core, identities)) };
}

async function serveOurs(core: Core, { verifier }: Identities): Promise<Omit<ServeAnswer, 'token'>> {
  const found = discoverSubgraphs(root).filter(({ name }) => name === 'core');
  const supergraphSdl = await supergraphOf(found.map((one) => ({ ...one, url: 'http://in.process' })));
  const callable = createInProcess({ subgraph: core.subgraph, log, mode: 'jit' });
  const gateway = await buildGateway({
    supergraphSdl,
    transports: () => createInProcessTransport(callable),
    verifier,
    log,
  });
  const { url, wsUrl } = await serveGateway(gateway, { port: 0 });
  return { url, wsUrl };
}

/** As its documentation has it: each subscription is an execution of its own. */
async function serveApollo(
  { subgraph }: Core,
  { verifier }: Identities,
): Promise<Omit<ServeAnswer, 'token'>> {
  const schema: GraphQLSchema = subgraph.schema;
  const apollo = new ApolloServer({ schema });
  await apollo.start();
  const http = createServer((_request, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ server: http, path: '/graphql' });
  let requests = 0;
  useServer(
    {
      schema,
      context: async ({ connectionParams }) => {
        const token = String(connectionParams?.['authorization']).replace('Bearer ', '');
        const principal = await verifier.verify(token);
        return subgraph.createContext({
          principal,
          requestId: String((requests += 1)),
          log,
          signal: undefined,
        });
      },
    },
    sockets,
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(http.address() as AddressInfo).port}/graphql`;
  return { url: `http://${address}`, wsUrl: `ws://${address}` };
}

answerQuestions({ serve, heap: collectedBytes });
