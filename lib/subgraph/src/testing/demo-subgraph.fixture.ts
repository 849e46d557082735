import { readFileSync } from 'node:fs';
import type { Policies, PolicyCall } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type DocumentNode, parse } from 'graphql';
import { buildSubgraph } from '../schema/build.js';
import type { SubgraphContext } from '../context/types.js';
import { entity, reference } from '../schema/entity.js';
import { byKey } from '../context/loaders.js';
import type { SubgraphSchema } from '../types.js';

const shared = readFileSync(new URL('../../../../schema/shared.graphql', import.meta.url), 'utf8');

/** A subgraph's typeDefs: the shared SDL and its own, as the generator merges them. */
export function typeDefsOf(sdl: string): DocumentNode {
  return parse(`${shared}\n${sdl}`, { noLocation: true });
}

const demoSdl = /* GraphQL */ `
  type Query {
    plant(id: ID!): Plant
    plants(experiment: String): [Plant!]!
    things: [Thing!]!
    beings: [Being!]!
    "Who asks."
    me: String @perPrincipal
    plantedBefore(at: DateTime!, limit: SafeInt, note: JSON): Echo
    broken: String
    slow(ms: Int!): String
    strictlyBroken: Strict
  }
  type Mutation {
    rename(id: ID!, name: String!): Plant
  }
  type Subscription {
    plantChanged(after: String): PlantChanged @resumable(argument: "after", cursor: "cursor")
  }
  type Strict {
    must: String!
  }
  type Echo {
    at: DateTime
    limit: SafeInt
    note: JSON
  }
  type PlantChanged {
    cursor: String!
    plant: Plant
  }
  interface Thing {
    id: ID!
  }
  union Being = Plant | Bed
  type Plant implements Thing @key(fields: "id") {
    id: ID!
    name: String!
    bed: Bed
    shout(times: Int = 1): String
    plantedAt: DateTime
  }
  type Bed implements Thing @key(fields: "id") {
    id: ID!
    plants: [Plant!]!
  }
  type Shed @key(fields: "id", resolvable: false) {
    id: ID!
  }
`;

/** A stream whose events a test pushes by hand. */
export class ManualSource implements AsyncIterableIterator<unknown> {
  readonly #waiting: ((item: IteratorResult<unknown>) => void)[] = [];
  readonly #items: unknown[] = [];
  #failure: Error | undefined;
  ended = false;

  push(item: unknown): void {
    const settle = this.#waiting.shift();
    if (settle) settle({ value: item, done: false });
    else this.#items.push(item);
  }

  /** The next read fails. */
  fail(error: Error): void {
    this.#failure = error;
  }

  async next(): Promise<IteratorResult<unknown>> {
    if (this.#failure) throw this.#failure;
    if (this.ended) return { value: undefined, done: true };
    if (this.#items.length > 0) return { value: this.#items.shift(), done: false };
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async return(): Promise<IteratorResult<unknown>> {
    this.ended = true;
    for (const settle of this.#waiting.splice(0)) settle({ value: undefined, done: true });
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

interface Plant {
  readonly id: string;
  readonly name: string;
  readonly bedId: string | null;
  readonly plantedAt: Date;
}

/** State of a demo subgraph that a test can read and change. */
export interface DemoSubgraph {
  readonly subgraph: SubgraphSchema;
  /** Keys of each batch that was loaded, such as `Plant:1,2`. */
  readonly batches: string[];
  /** Resolvers that ran, by name. */
  readonly ran: string[];
  /** Streams that were opened. */
  readonly streams: {
    readonly feed: ManualSource;
    readonly signal: AbortSignal | undefined;
    readonly after: unknown;
  }[];
  readonly names: Map<string, string>;
}

export interface DemoContext extends SubgraphContext {
  readonly demo: string;
}

const open = { open: 'for tests' };

export const demoPolicies: Policies = {
  'Query.plant': { action: 'job:read' },
  'Query.plants': {
    action: 'job:read',
    experiment: ({ args }: PolicyCall<{ experiment?: string | null }>) => args.experiment,
  },
  'Query.things': open,
  'Query.beings': open,
  'Query.me': {
    own: { rule: 'a nobody has no name', holds: ({ principal }) => principal.subject !== 'nobody' },
    perPrincipal: true,
  },
  'Query.plantedBefore': open,
  'Query.broken': open,
  'Query.slow': open,
  'Query.strictlyBroken': open,
  'Mutation.rename': { action: 'job:submit' },
  'Subscription.plantChanged': { action: 'events:read' },
  'Plant.__resolveReference': { action: 'job:read' },
  'Bed.__resolveReference': { action: 'job:read' },
};

/** Three plants in two beds, with the state that a test can read. */
class Plants implements Omit<DemoSubgraph, 'subgraph'> {
  readonly batches: string[] = [];
  readonly ran: string[] = [];
  readonly streams: { feed: ManualSource; signal: AbortSignal | undefined; after: unknown }[] = [];
  readonly names = new Map([
    ['1', 'fern'],
    ['2', 'moss'],
    ['3', 'ivy'],
  ]);
  readonly plants = entity<Plant, string, DemoContext>({
    type: 'Plant',
    key: 'id',
    load: async (ids) => {
      this.batches.push(`Plant:${ids.join(',')}`);
      // Rows are in arbitrary order, as from a database.
      const rows = this.all()
        .filter(({ id }) => ids.includes(id))
        .reverse();
      return byKey(ids, rows, (row) => row.id).map((row, at) =>
        ids[at] === 'bad' ? new Error('rotten') : row,
      );
    },
  });
  readonly beds = entity<{ readonly id: string }, string, DemoContext>({
    type: 'Bed',
    key: 'id',
    load: async (ids) => {
      this.batches.push(`Bed:${ids.join(',')}`);
      return ids.map((id) => Object.freeze({ id }));
    },
  });

  at(id: string): Plant {
    return {
      id,
      name: this.names.get(id) ?? '',
      bedId: id === '3' ? 'west' : 'east',
      plantedAt: new Date(`2030-01-0${id}T00:00:00Z`),
    };
  }

  all(): Plant[] {
    return [...this.names.keys()].map((id) => this.at(id));
  }

  /** A stream whose events a test pushes. */
  open(after: unknown, signal: AbortSignal | undefined): ManualSource {
    this.ran.push('plantChanged');
    const feed = new ManualSource();
    this.streams.push({ feed, signal, after });
    return feed;
  }

  /** Takes a long time, unless the caller cancels. */
  async slow(ms: number, signal: AbortSignal | undefined): Promise<string> {
    this.ran.push('slow');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        this.ran.push('slow aborted');
        resolve();
      });
    });
    return 'done';
  }
}

const queryResolvers = (demo: Plants) => ({
  plant: (_: unknown, { id }: { id: string }, { loaders }: DemoContext) => {
    demo.ran.push('plant');
    return loaders.load(demo.plants.loader, id);
  },
  plants: () => {
    demo.ran.push('plants');
    return demo.all();
  },
  things: () => [
    ...demo.all().map((plant) => ({ ...plant, __typename: 'Plant' })),
    { __typename: 'Bed', id: 'east' },
  ],
  beings: () => [
    { __typename: 'Bed', id: 'west' },
    { ...demo.at('1'), __typename: 'Plant' },
  ],
  me: (_: unknown, _args: unknown, context: DemoContext) => `${context.principal.subject} in ${context.demo}`,
  plantedBefore: (_: unknown, args: { at: unknown }) => {
    if (!(args.at instanceof Date)) throw new Error('a DateTime is a Date inside');
    return args;
  },
  broken: () => {
    throw new Error('the password is hunter2');
  },
  slow: (_: unknown, { ms }: { ms: number }, { signal }: DemoContext) => demo.slow(ms, signal),
  strictlyBroken: () => ({ must: () => Promise.reject(new DomainError('CONFLICT', 'two gardeners')) }),
});

const typeResolvers = (demo: Plants) => ({
  PlantChanged: {
    plant: ({ id }: { id: string }, _args: unknown, { loaders }: DemoContext) =>
      loaders.load(demo.plants.loader, id),
  },
  Plant: {
    __resolveReference: demo.plants.resolveReference,
    bed: reference({ loader: demo.beds.loader, key: (plant: Plant) => plant.bedId }),
    shout: ({ name }: Plant, { times }: { times: number }) => name.toUpperCase().repeat(times),
  },
  Bed: {
    __resolveReference: demo.beds.resolveReference,
    plants: (bed: { id: string }) => demo.all().filter(({ bedId }) => bedId === bed.id),
  },
});

/** A small subgraph with three plants in two beds. */
export function buildDemoSubgraph(): DemoSubgraph {
  const demo = new Plants();
  const roots = {
    Query: queryResolvers(demo),
    Mutation: {
      rename: (_: unknown, { id, name }: { id: string; name: string }, { loaders }: DemoContext) => {
        demo.ran.push(`rename ${id}`);
        demo.names.set(id, name);
        return loaders.load(demo.plants.loader, id);
      },
    },
    Subscription: {
      plantChanged: {
        subscribe: (_: unknown, { after }: { after?: string }, { signal }: DemoContext) =>
          demo.open(after, signal),
        resolve: (event: unknown) => event,
      },
    },
  };
  const subgraph = buildSubgraph<DemoContext>({
    name: 'demo',
    typeDefs: typeDefsOf(demoSdl),
    resolvers: [roots, typeResolvers(demo)],
    policies: demoPolicies,
    contextFactory: (base) => ({ ...base, demo: 'eden' }),
  });
  const { batches, ran, streams, names } = demo;
  return { subgraph, batches, ran, streams, names };
}
