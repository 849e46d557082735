/**
 * Two gateways on one schema registry, each a process; behind them a service that stays as it is and one
 * whose schema changes.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Verifier } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { sharedSdl } from '@rhizome/schema';
import {
  buildSubgraph,
  createInProcess,
  type InProcessSubgraph,
  serveSubgraph,
  type SubgraphSchema,
} from '@rhizome/subgraph';
import {
  leftovers,
  spawnProcess,
  testMongo,
  type TestProcess,
  type TestTokens,
  testTokens,
  waitFor,
} from '@rhizome/testkit';
import { parse } from 'graphql';
import { WebSocket } from 'ws';
import { type Api, apiOf } from '../system/api.js';
import { programOf } from '../system/program-of.js';
import { EventSource } from './event-source.js';

/** A gateway in a process of its own. */
export interface GatewayProcess {
  readonly process: TestProcess;
  readonly url: string;
  readonly wsUrl: string;
  /** As an admin of everything, or with any other token. */
  api(token?: string): Api;
  /** Bytes of its heap that are in use after a collection. */
  heapInUse(): Promise<number>;
}

export interface PublishSystem {
  readonly tokens: TestTokens;
  readonly adminToken: string;
  readonly gateways: readonly [GatewayProcess, GatewayProcess];
  /** Schema changes in the constant service. */
  readonly events: EventSource;
  /** The service whose schema changes, `flora`. */
  readonly flora: ChangingService;
}

const registerText = `mutation ($input: RegisterSubgraphInput!) {
  registerSubgraph(input: $input) { userErrors { message } }
}`;
const publishText = `mutation ($input: PublishSchemaInput!) {
  publishSchema(input: $input) { version { number } check { findings { coordinate message } } userErrors { code message } }
}`;

/** Result of a publication. */
export interface Published {
  readonly version: { readonly number: number } | null;
  readonly userErrors: readonly { readonly code: string; readonly message: string }[];
}

/** Publishes what an endpoint serves; again if it was too busy to answer the gateway in time. */
export async function publish(api: Api, subgraph: string, more: object = {}): Promise<Published> {
  const input = { subgraph, ...more };
  const attempt = async (): Promise<Published | undefined> => {
    const { publishSchema } = await api.data<{ publishSchema: Published }>(publishText, { input });
    const isLate = publishSchema.userErrors.some(({ message }) => message.includes('returned no schema'));
    return isLate ? undefined : publishSchema;
  };
  return waitFor(`the publication of ${subgraph}`, attempt, { deadlineMs: 10_000 });
}

/** Starts the system with both services live; everything ends with the file. */
export async function startPublishSystem(): Promise<PublishSystem> {
  const tokens = await testTokens();
  const events = new EventSource();
  const base = await serveSubgraph({
    subgraph: baseSubgraph(events),
    verifier: tokens.callVerifier('base'),
    log: silentLogger(),
    port: 0,
    drainMs: 100,
  });
  leftovers.defer('the base service', () => base.close());
  const flora = await ChangingService.start('flora', tokens.callVerifier('flora'), floraResolvers);
  const env = await gatewayEnvironment(tokens);
  const adminToken = await tokens.mint({
    subject: 'admin@example',
    kind: 'HUMAN',
    grants: [{ experiment: '*', roles: ['ADMIN'] }],
    ttlSeconds: 3600,
  });
  const first = await startGateway('gateway-1', env, adminToken);
  const second = await startGateway('gateway-2', env, adminToken);
  const system = { tokens, adminToken, gateways: [first, second] as const, events, flora };
  await bring(first.api(), { name: 'base', endpoint: base.url, typePrefix: null });
  flora.serve(floraSdl(0));
  await bring(first.api(), { name: 'flora', endpoint: flora.url, typePrefix: 'Flora' });
  const hasFlora = async () =>
    (await second.api().post('{ items { flora { colour } } }')).errors === undefined;
  await waitFor('both services in the second gateway', hasFlora, { deadlineMs: 2_000 });
  return system;
}

async function bring(
  api: Api,
  input: { name: string; endpoint: string; typePrefix: string | null },
): Promise<void> {
  const registered = await api.data<{ registerSubgraph: { userErrors: readonly unknown[] } }>(registerText, {
    input,
  });
  const { userErrors } = await publish(api, input.name);
  const refused = [...registered.registerSubgraph.userErrors, ...userErrors];
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
}

/** The settings of a gateway's process: the store, and whose tokens it takes. */
async function gatewayEnvironment(tokens: TestTokens): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-publish-'));
  leftovers.defer('the folder of the keys', () => rm(folder, { recursive: true, force: true }));
  const jwksFile = join(folder, 'jwks.json');
  await writeFile(jwksFile, JSON.stringify(tokens.trusted.jwks));
  const { uri } = await testMongo();
  return {
    RHIZOME_GATEWAY_MONGO_URI: uri,
    RHIZOME_GATEWAY_PORT: '0',
    RHIZOME_GATEWAY_CALL_KEY_FILE: tokens.callKeyFile,
    RHIZOME_GATEWAY_ISSUERS: JSON.stringify([{ issuer: tokens.trusted.issuer, jwksFile }]),
  };
}

async function startGateway(
  name: string,
  env: Record<string, string>,
  adminToken: string,
): Promise<GatewayProcess> {
  const program = programOf('@rhizome/gateway');
  const process = spawnProcess({ name, command: 'node', args: ['--inspect=127.0.0.1:0', program], env });
  const [, url = ''] = await process.line(/^rhizome-gateway: (http\S+)$/, 60_000);
  const [, inspector = ''] = await process.line(/^Debugger listening on (ws:\S+)$/, 60_000);
  return {
    process,
    url,
    wsUrl: url.replace('http', 'ws'),
    api: (token = adminToken) => apiOf(url, token),
    heapInUse: () => heapOf(inspector),
  };
}

/** Asks a process by its debugger, so that what is measured is what cannot be collected. */
async function heapOf(inspector: string): Promise<number> {
  const socket = new WebSocket(inspector);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`nobody answers at ${inspector}`));
  });
  let id = 0;
  const call = (method: string, params: object = {}): Promise<{ result?: { value?: unknown } }> =>
    new Promise((resolve) => {
      const own = ++id;
      const take = (data: unknown): void => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: { result?: { value?: unknown } } };
        if (answer.id !== own) return;
        socket.off('message', take);
        resolve(answer.result ?? {});
      };
      socket.on('message', take);
      socket.send(JSON.stringify({ id: own, method, params }));
    });
  // Once more, since what the first collection finalises holds on to more.
  for (let round = 0; round < 3; round++) await call('HeapProfiler.collectGarbage');
  const { result } = await call('Runtime.evaluate', { expression: 'process.memoryUsage().heapUsed' });
  socket.close();
  return Number(result?.value);
}

function baseSubgraph(events: EventSource): SubgraphSchema {
  const open = { open: 'a test' } as const;
  const sdl = `
    "A plant." type Item @key(fields: "id") { "Its id." id: ID! "Its name." name: String }
    "A plant has changed." type ItemChanged { "Where the stream stands." cursor: String! "The plant." item: Item }
    type Query { "All plants." items: [Item!]! }
    type Subscription {
      "Changes of plants." itemChanged("Go on after this." after: String): ItemChanged! @resumable(argument: "after", cursor: "cursor")
    }
  `;
  const item = (id: string) => ({ id, name: `plant ${id}` });
  const resolvers = {
    Query: { items: () => ['a', 'b', 'c'].map(item) },
    Item: { __resolveReference: ({ id }: { id: string }) => item(id) },
    Subscription: {
      itemChanged: {
        subscribe: (_parent: unknown, { after }: { after?: string | null }) =>
          events.follow(after ?? undefined),
        resolve: ({ cursor, number }: { cursor: string; number: number | null }) => ({
          cursor,
          item: number === null ? null : item(String(number)),
        }),
      },
    },
  };
  const policies = {
    'Query.items': open,
    'Item.__resolveReference': open,
    'Subscription.itemChanged': open,
  };
  return buildSubgraph({ name: 'base', typeDefs: parse(sharedSdl() + sdl), resolvers, policies });
}

/**
 * Version n of the changing service: its last two blooms, so that each version adds one and takes one away.
 */
export function floraSdl(version: number): string {
  const blooms = [version, version - 1]
    .filter((one) => one > 0)
    .map((one) => `"Bloom ${one}." bloom${one}: Int`);
  return `
    type Item @key(fields: "id") { id: ID! "What flora knows." flora: FloraItem }
    "What flora knows." type FloraItem { "Its colour." colour: String ${blooms.join(' ')} }
  `;
}

/** Resolvers for a schema, and its guarded fields. */
export type ResolversOf = (sdl: string) => {
  readonly resolvers: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly fields: readonly string[];
};

const floraResolvers: ResolversOf = (sdl) => {
  const blooms = [...sdl.matchAll(/bloom(\d+): Int/g)].map(([, number]) => Number(number));
  const resolvers = {
    Item: {
      __resolveReference: (reference: object) => reference,
      flora: ({ id }: { id: string }) => ({ id }),
    },
    FloraItem: {
      colour: ({ id }: { id: string }) => `colour of ${id}`,
      ...Object.fromEntries(blooms.map((number) => [`bloom${number}`, () => number])),
    },
  };
  return { resolvers, fields: ['Item.__resolveReference'] };
};

/**
 * A service whose schema changes while it runs, as under a rolling upgrade: a request is answered by the
 * newest.
 */
export class ChangingService {
  readonly url: string;
  readonly #name: string;
  readonly #verifier: Verifier;
  readonly #resolversOf: ResolversOf;
  #current: InProcessSubgraph | undefined;

  private constructor(name: string, verifier: Verifier, resolversOf: ResolversOf, server: Server) {
    this.#name = name;
    this.#verifier = verifier;
    this.#resolversOf = resolversOf;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  /** @param resolversOf resolvers for a schema, and its guarded fields */
  static async start(name: string, verifier: Verifier, resolversOf: ResolversOf): Promise<ChangingService> {
    const server = createServer();
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    leftovers.defer(`the service ${name}`, () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    return new ChangingService(name, verifier, resolversOf, server);
  }

  /** Serves a schema from now on. */
  serve(sdl: string): void {
    const { resolvers, fields } = this.#resolversOf(sdl);
    const typeDefs = parse(sharedSdl() + sdl);
    const policies = Object.fromEntries(fields.map((field) => [field, { open: 'a test' }]));
    const subgraph = buildSubgraph({ name: this.#name, typeDefs, resolvers, policies });
    this.#current = createInProcess({ subgraph, log: silentLogger() });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { query, variables } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
      query: string;
      variables?: Record<string, unknown>;
    };
    const principal = await this.#verifier.verify(
      request.headers.authorization?.replace('Bearer ', '') ?? '',
    );
    const result = await this.#current?.execute({
      document: parse(query),
      variables,
      principal,
      requestId: 'test',
    });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
  }
}
