import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DomainError } from '@rhizome/errors';
import { silentLogger } from '@rhizome/log';
import { compose } from '@rhizome/schema';
import {
  buildSubgraph,
  createInProcess,
  entity,
  type InProcessSubgraph,
  type SubgraphContext,
  type SubgraphSchema,
} from '@rhizome/subgraph';
import { leftovers, testPrincipal, type TestTokens, testTokens } from '@rhizome/testkit';
import { type DocumentNode, parse } from 'graphql';
import { createInProcessTransport, type Transport, type TransportFactory } from '@rhizome/federation';
import { buildGateway, type Gateway } from '../app.js';
import type { GatewayOptions } from '../gateway-options.js';
import { serveGateway, type ServedGateway } from '../serve.js';
import { EventLog } from './event-log.js';

/**
 * Two small subgraphs built like the project's own, a gateway over them on a real socket, and tokens for it.
 */
export interface TestSystem {
  readonly gateway: Gateway;
  readonly served: ServedGateway;
  readonly tokens: TestTokens;
  readonly log: EventLog;
  /** Number of calls to the subgraph `alpha` by root field, and number of its events. */
  readonly calls: Map<string, number>;
  /** Releases `Query.slow` and `Mutation.leaseWorkUnits`. */
  finishSlow(): void;
  /** Number of waiting and aborted calls of `Query.slow` and `Mutation.leaseWorkUnits`. */
  readonly slow: { waiting: number; aborted: number };
  /** Transports from an engine to the subgraphs. */
  readonly transports: TransportFactory;
  /** The supergraph, with a further field on the type Item if one is given. */
  supergraph(extraField?: string): string;
  /** Headers with a token. */
  bearer(token?: string): Promise<Record<string, string>>;
}

/** Options of a test system. */
export interface TestSystemOptions extends Partial<Omit<GatewayOptions, 'supergraphSdl' | 'transports'>> {
  /** Disables authentication. */
  readonly noAuth?: boolean;
}

const sharedSdl = readFileSync(
  fileURLToPath(new URL('../../../schema/shared.graphql', import.meta.url)),
  'utf8',
);

const alphaSdl = `
  type Query {
    item(id: ID!): Item
    items: [Item!]!
    fails: String @tag(name: "pilot")
    slow: String
    whoAmI: String! @perPrincipal
  }
  type Mutation { touchItem(id: ID!): Item leaseWorkUnits(input: TakeInput!): String }
  input TakeInput { waitSeconds: Int }
  type Subscription {
    itemChanged(name: String, after: String, mode: Mode): ItemChanged!
      @resumable(argument: "after", cursor: "cursor", latest: "mode")
    level: Level!
    ticked: Ticked!
    tallied: Level! @incremental
    never: Level!
  }
  type Item @key(fields: "id") { id: ID! name: String! seenBy: String @perPrincipal EXTRA }
  type ItemChanged { cursor: String! item: Item }
  type Level { value: Int! }
  type Ticked { id: ID! }
  enum Mode { EVERY LATEST }
`;

const betaSdl = `type Item @key(fields: "id") { id: ID! label: String }`;

/** Starts a test system; it is closed at the end of the file. */
export async function startTestSystem(options: TestSystemOptions = {}): Promise<TestSystem> {
  const tokens = await testTokens();
  const log = new EventLog();
  const state = { finishers: [] as (() => void)[] };
  const slow = { waiting: 0, aborted: 0 };
  const calls = new Map<string, number>();
  const subgraphs = new Map(
    testSubgraphs({ log, state, slow, calls }).map((subgraph) => [
      subgraph.name,
      createInProcess({ subgraph, log: silentLogger() }),
    ]),
  );
  const supergraph: TestSystem['supergraph'] = (extraField) =>
    testSupergraph((name) => `http://${name}.test/graphql`, extraField);
  const { noAuth = false, ...rest } = options;
  const transports: TransportFactory = (name) => {
    const transport = createInProcessTransport(found(subgraphs, name));
    return noAuth ? asAnybody(transport) : transport;
  };
  const gateway = await buildGateway({
    supergraphSdl: supergraph(),
    transports,
    verifier: noAuth ? undefined : tokens.verifier,
    log: silentLogger(),
    planning: 'inline',
    ...rest,
  });
  const served = leftovers.use(await serveGateway(gateway, { port: 0 }), 'the gateway of a test system');
  return {
    gateway,
    served,
    tokens,
    log,
    calls,
    slow,
    transports,
    supergraph,
    finishSlow: () => state.finishers.splice(0).forEach((finish) => finish()),
    bearer: async (token) => ({ authorization: `Bearer ${token ?? (await tokens.admin())}` }),
  };
}

/** The supergraph of a test system whose subgraphs have these addresses. */
export function testSupergraph(urlOf: (name: string) => string, extraField = ''): string {
  const sdls = [
    ['alpha', sharedSdl + alphaSdl.replace('EXTRA', extraField)],
    ['beta', sharedSdl + betaSdl],
  ] as const;
  const composed = compose(sdls.map(([name, sdl]) => ({ name, sdl, url: urlOf(name) })));
  if (!composed.ok) throw new Error(JSON.stringify(composed.faults));
  return composed.supergraphSdl;
}

function found(subgraphs: ReadonlyMap<string, InProcessSubgraph>, name: string): InProcessSubgraph {
  const subgraph = subgraphs.get(name);
  if (!subgraph) throw new Error(`Subgraph "${name}" not found.`);
  return subgraph;
}

/** Principal for subgraphs in process without authentication. */
function asAnybody(transport: Transport): Transport {
  const principal = testPrincipal({ subject: 'anybody' });
  return {
    ...transport,
    execute: (request) => transport.execute({ ...request, principal }),
    subscribe: (request) => transport.subscribe({ ...request, principal }),
  };
}

/** State of the subgraphs of a test system. */
export interface TestSystemParts {
  readonly log: EventLog;
  readonly state: { finishers: (() => void)[] };
  readonly slow: { waiting: number; aborted: number };
  readonly calls: Map<string, number>;
}

const open = { open: 'a test' } as const;

/** The subgraphs of a test system. */
export function testSubgraphs(parts: TestSystemParts): SubgraphSchema[] {
  return [alpha(parts), beta()];
}

function alpha(parts: TestSystemParts): SubgraphSchema {
  const { log, state, slow, calls } = parts;
  const count = (field: string): void => void calls.set(field, (calls.get(field) ?? 0) + 1);
  const items = entity({ type: 'Item', key: 'id', load: async (ids) => ids.map((id) => item(String(id))) });
  const wait = (signal: AbortSignal | undefined): Promise<string> => {
    slow.waiting++;
    signal?.addEventListener('abort', () => slow.aborted++);
    return new Promise((resolve) => state.finishers.push(() => resolve('done')));
  };
  const resolvers = {
    Query: {
      item: (_parent: unknown, { id }: { id: string }) => {
        count('item');
        return id === 'none' ? null : item(id);
      },
      items: () => ['a', 'b', 'c'].map(item),
      fails: () => {
        throw new Error('password of the database is hunter2');
      },
      slow: (_parent: unknown, _args: unknown, { signal }: SubgraphContext) => {
        count('slow');
        return wait(signal);
      },
      whoAmI: (_parent: unknown, _args: unknown, { principal }: SubgraphContext) => principal.subject,
    },
    Mutation: {
      touchItem: (_parent: unknown, { id }: { id: string }) => {
        log.append(id);
        return item(id);
      },
      leaseWorkUnits: (_parent: unknown, _args: unknown, { signal }: SubgraphContext) => wait(signal),
    },
    Subscription: {
      itemChanged: {
        subscribe: (_parent: unknown, { after }: { after?: string | null }) => {
          if (after && Number(after.slice(1)) < log.forgottenBelow) {
            throw new DomainError('CURSOR_EXPIRED', `after: ${after} is too old`, {
              field: 'after',
              value: after,
            });
          }
          return log.follow(after ?? undefined);
        },
        resolve: ({ cursor, itemId }: { cursor: string; itemId: string | null }) => {
          count('itemChanged');
          return { cursor, item: itemId === null ? null : item(itemId) };
        },
      },
      level: {
        subscribe: () => log.followWith(() => ({ value: log.length })),
        resolve: (level: unknown) => level,
      },
      ticked: {
        subscribe: () => log.followEvents((id) => ({ id })),
        resolve: (tick: unknown) => tick,
      },
      tallied: {
        subscribe: () => log.followTally((value) => ({ value })),
        resolve: (tally: unknown) => tally,
      },
      never: { subscribe: () => new EventLog().follow(undefined), resolve: () => ({ value: 0 }) },
    },
    Item: {
      __resolveReference: items.resolveReference,
      seenBy: (_parent: unknown, _args: unknown, { principal }: SubgraphContext) => principal.subject,
    },
  };
  return build('alpha', alphaSdl.replace('EXTRA', 'extra: String'), resolvers, alphaPolicies);
}

const alphaPolicies: Parameters<typeof buildSubgraph>[0]['policies'] = {
  'Query.item': open,
  'Query.items': open,
  'Query.fails': open,
  'Query.slow': open,
  'Query.whoAmI': { ...open, perPrincipal: true },
  'Mutation.touchItem': open,
  'Mutation.leaseWorkUnits': open,
  'Subscription.itemChanged': open,
  'Subscription.level': open,
  'Subscription.ticked': open,
  'Subscription.tallied': open,
  'Subscription.never': open,
  'Item.__resolveReference': open,
  'Item.seenBy': { ...open, perPrincipal: true },
};

function beta(): SubgraphSchema {
  const labelled = (id: string) =>
    id === 'bad' ? new DomainError('NOT_FOUND', 'Label not found.') : { id, label: `label of ${id}` };
  const labels = entity({
    type: 'Item',
    key: 'id',
    load: async (ids) => ids.map((id) => labelled(String(id))),
  });
  return build(
    'beta',
    betaSdl,
    { Item: { __resolveReference: labels.resolveReference } },
    { 'Item.__resolveReference': open },
  );
}

function item(id: string): { id: string; name: string; extra: string } {
  return { id, name: `item ${id}`, extra: 'more' };
}

function build(
  name: string,
  sdl: string,
  resolvers: Parameters<typeof buildSubgraph>[0]['resolvers'],
  policies: Parameters<typeof buildSubgraph>[0]['policies'],
): SubgraphSchema {
  const typeDefs: DocumentNode = parse(sharedSdl + sdl);
  return buildSubgraph({ name, typeDefs, resolvers, policies });
}
