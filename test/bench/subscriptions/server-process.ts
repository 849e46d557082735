/**
 * What is measured: the gateway over two subgraphs in process; or, as the yardstick, `@apollo/server` and
 * `graphql-ws` as their documentation has it, on one plain schema with the same fields and loaders, which is
 * less work than joining two.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApolloServer } from '@apollo/server';
import { createVerifier, type Verifier } from '@rhizome/authz';
import { buildGateway, createInProcessTransport, serveGateway } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { compose } from '@rhizome/schema';
import { createInProcess, type InProcessSubgraph } from '@rhizome/subgraph';
import { buildSchema, type GraphQLSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { answerQuestions } from '../live/processes.js';
import { type Change, Changes, eventSubgraphs } from './events.js';

/** Options of a server's start. */
export interface ServeQuestion {
  readonly kind: 'rhizome' | 'apollo';
  readonly issuer: string;
  readonly jwks: unknown;
}

const log = silentLogger();
const changes = new Changes();

async function serve({ kind, issuer, jwks }: ServeQuestion): Promise<{ readonly port: number }> {
  const verifier = createVerifier({ issuers: [{ issuer, jwks: jwks as never }] });
  return { port: await (kind === 'rhizome' ? serveOurs(verifier) : serveApollo(verifier)) };
}

async function serveOurs(verifier: Verifier): Promise<number> {
  const subgraphs = eventSubgraphs(changes);
  const composed = compose(subgraphs.map(({ name, sdl }) => ({ name, sdl, url: `http://${name}.invalid` })));
  if (!composed.ok) throw new Error(composed.faults.map(({ message }) => message).join('\n'));
  const callable = new Map(subgraphs.map((subgraph) => [subgraph.name, createInProcess({ subgraph, log })]));
  const gateway = await buildGateway({
    supergraphSdl: composed.supergraphSdl,
    transports: (name) => createInProcessTransport(callable.get(name) as InProcessSubgraph),
    verifier,
    log,
  });
  return (await serveGateway(gateway, { port: 0 })).port;
}

async function serveApollo(verifier: Verifier): Promise<number> {
  const schema = plainSchema();
  const apollo = new ApolloServer({ schema });
  await apollo.start();
  const http = createServer((_request, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ server: http, path: '/graphql' });
  useServer(
    {
      schema,
      context: async ({ connectionParams }) => ({
        principal: await verifier.verify(String(connectionParams?.['authorization']).replace('Bearer ', '')),
      }),
    },
    sockets,
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return (http.address() as AddressInfo).port;
}

function plainSchema(): GraphQLSchema {
  const schema = buildSchema(
    'type Query { jobCount: Int! } type Subscription { jobStateChanged: JobChanged! } type JobChanged { at: Float! job: Job! } type Job { id: ID! state: String! detail: Detail } type Detail { taskName: String! }',
  );
  const changed = schema.getSubscriptionType()?.getFields()['jobStateChanged'];
  const detail = (schema.getType('Job') as ReturnType<GraphQLSchema['getQueryType']>)?.getFields()['detail'];
  if (!changed || !detail) throw new Error('the schema lacks its fields');
  changed.subscribe = () => changes.follow();
  changed.resolve = ({ at, id }: Change) => ({ at, job: { id, state: 'RUNNING' } });
  detail.resolve = async ({ id }: { id: string }) => ({ taskName: `task of ${id}` });
  return schema;
}

answerQuestions({
  serve,
  emit: ({ rate, seconds }: { readonly rate: number; readonly seconds: number }) =>
    changes.emit(rate, seconds),
  upstreams: () => changes.open,
});
