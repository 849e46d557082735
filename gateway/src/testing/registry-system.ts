import type { Agents } from '@rhizome/agents';
import type { OpenedAudit } from '@rhizome/audit';
import type { Clock } from '@rhizome/clock';
import type { Identity } from '@rhizome/identity';
import { silentLogger } from '@rhizome/log';
import { completeSdl } from '@rhizome/schema';
import { buildSubgraph, createInProcess, type InProcessSubgraph } from '@rhizome/subgraph';
import { leftovers, testDatabase, testMongo, type TestTokens, testTokens } from '@rhizome/testkit';
import { parse } from 'graphql';
import { createInProcessTransport, type TransportFactory } from '@rhizome/federation';
import { buildGateway, type Gateway } from '../app.js';
import { mcpSettings } from '../mcp/configured.js';
import { serveGateway, type ServedGateway } from '../serve.js';
import { post } from './post.js';

/** A response of the gateway, typed by the document that the test sends. */
export interface AskResult {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly data: any;
  readonly codes: readonly string[];
  readonly messages: readonly string[];
}

/**
 * Gateways on one schema registry in its own database, and endpoints that serve the schemas that a test sets.
 */
export interface RegistrySystem {
  /** Address of the first gateway. */
  readonly url: string;
  readonly tokens: TestTokens;
  /** Schemas by address of the endpoint; an address without a schema does not answer. */
  readonly endpoints: Map<string, InProcessSubgraph>;
  readonly mongoUri: string;
  readonly database: string;
  /** Starts one more gateway. */
  gateway(): Promise<ServedGateway & { readonly gateway: Gateway }>;
  /** Sends an operation to the first gateway, as an admin of everything unless a token is given. */
  ask(text: string, variables?: object, token?: string): Promise<AskResult>;
  /** Sets the schema of an endpoint; fields return text with their name, or null. */
  serve(endpoint: string, sdl: string): void;
}

/** Address of a test's endpoint. */
export const endpointOf = (name: string): string => `http://${name}.test/graphql`;

/** A subgraph of a test: every field returns a value of its type. */
export function answering(name: string, sdl: string): InProcessSubgraph {
  const typeDefs = parse(completeSdl(sdl));
  const resolvers: Record<string, Record<string, unknown>> = {};
  const policies: Record<string, { open: string }> = {};
  for (const node of typeDefs.definitions) {
    if (node.kind !== 'ObjectTypeDefinition' && node.kind !== 'ObjectTypeExtension') continue;
    const type = node.name.value;
    const isEntity = node.directives?.some((one) => one.name.value === 'key');
    if (isEntity) {
      policies[`${type}.__resolveReference`] = { open: 'a test' };
      (resolvers[type] ??= {})['__resolveReference'] = (reference: object) => reference;
    }
    for (const field of node.fields ?? []) {
      if (type === 'Query' || type === 'Mutation')
        policies[`${type}.${field.name.value}`] = { open: 'a test' };
      if (isEntity && field.name.value === 'id') continue;
      (resolvers[type] ??= {})[field.name.value] = () =>
        valueOf(field.name.value, String(field.type.kind), field);
    }
  }
  const subgraph = buildSubgraph({ name, typeDefs, resolvers, policies });
  return createInProcess({ subgraph, log: silentLogger() });
}

function valueOf(name: string, kind: string, field: { readonly type: unknown }): unknown {
  const text = JSON.stringify(field.type);
  if (text.includes('"ListType"')) return [{ id: 'a' }, { id: 'b' }];
  if (text.includes('"Int"')) return 7;
  if (text.includes('"String"')) return `${name} of ${kind === 'NonNullType' ? 'all' : 'some'}`;
  return { id: 'a' };
}

/** Starts a test system with one gateway; all of it is closed at the end of the file. */
export async function startRegistrySystem(
  options: {
    readonly clock?: Clock;
    readonly identity?: Identity;
    readonly audit?: OpenedAudit;
    readonly agents?: Agents;
    readonly proposalPauseMs?: number;
    /** Address of the endpoint for assistants, if there is one. */
    readonly mcpUrl?: string;
  } = {},
): Promise<RegistrySystem> {
  const { mcpUrl, ...rest } = options;
  const tokens = await testTokens();
  const issuers = options.identity ? [{ ...tokens.trusted, alias: 'test' }] : [tokens.trusted];
  const mcp =
    mcpUrl === undefined ? undefined : mcpSettings({ url: mcpUrl, issuers, identity: options.identity });
  const { databaseName: database } = await testDatabase('gateway');
  const { uri: mongoUri } = await testMongo();
  const endpoints = new Map<string, InProcessSubgraph>();
  const transports: TransportFactory = (_name, url) => {
    const found = (): InProcessSubgraph => {
      const subgraph = endpoints.get(url);
      if (!subgraph) throw new Error(`No endpoint at ${url}`);
      return subgraph;
    };
    return {
      wire: 'objects',
      execute: async (request) => createInProcessTransport(found()).execute(request),
      subscribe: (request) => createInProcessTransport(found()).subscribe(request),
      close: async () => {},
    };
  };
  const gateway: RegistrySystem['gateway'] = async () => {
    const built = await buildGateway({
      registry: { mongoUri, database },
      transports,
      verifier: tokens.verifier,
      log: silentLogger(),
      planning: 'inline',
      mcp,
      ...rest,
    });
    const served = await serveGateway(built, { port: 0 });
    leftovers.defer('a gateway', () => served.close(0));
    return { ...served, gateway: built };
  };
  const first = await gateway();
  const admin = await tokens.admin();
  return {
    url: first.url,
    tokens,
    endpoints,
    mongoUri,
    database,
    gateway,
    ask: (text, variables, token = admin) => askAt(first.url, text, variables, token),
    serve: (endpoint, sdl) => void endpoints.set(endpoint, answering(new URL(endpoint).hostname, sdl)),
  };
}

/** Sends an operation to a gateway. */
export async function askAt(
  url: string,
  text: string,
  variables: object | undefined,
  token: string,
): Promise<AskResult> {
  const { body } = await post(
    url,
    text,
    { authorization: `Bearer ${token}` },
    variables as Record<string, unknown>,
  );
  const errors = (body.errors ?? []) as readonly { message: string; extensions?: { code?: string } }[];
  return {
    data: body.data,
    codes: errors.map(({ extensions }) => String(extensions?.code)),
    messages: errors.map(({ message }) => message),
  };
}
