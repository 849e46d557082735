/** Two small subgraphs in memory: a stream of changes of jobs, and what another adds to each job. */
import { setTimeout as sleep } from 'node:timers/promises';
import { buildSubgraph, entity, representationAsIs, type SubgraphSchema } from '@rhizome/subgraph';
import { parse } from 'graphql';

/** Operation of the clients: each event needs one fetch from another subgraph. */
export const followed = 'subscription { jobStateChanged { at job { id state detail { taskName } } } }';

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])';
const read = { action: 'job:read' } as const;
const jobs = 1000;

/** One change. */
export interface Change {
  /** Milliseconds since 1970, with fractions. */
  readonly at: number;
  readonly id: string;
}

/** The time of now by a clock that all processes of a machine share, in milliseconds since 1970. */
export const now = (): number => performance.timeOrigin + performance.now();

/** A source of changes for as many as listen. */
export class Changes {
  readonly #listeners = new Set<(change: Change) => void>();
  #emitted = 0;

  /** Subscriptions that are open. */
  get open(): number {
    return this.#listeners.size;
  }

  async *follow(): AsyncGenerator<Change, void> {
    const held: Change[] = [];
    let wake = (): void => undefined;
    const listener = (change: Change): void => {
      held.push(change);
      wake();
    };
    this.#listeners.add(listener);
    try {
      for (;;) {
        const change = held.shift();
        if (change) yield change;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** Emits at a steady rate; answers how many. */
  async emit(rate: number, seconds: number): Promise<number> {
    const started = now();
    const total = Math.round(rate * seconds);
    for (let sent = 0; sent < total;) {
      const due = Math.min(total, Math.floor(((now() - started) / 1000) * rate) + 1);
      for (; sent < due; sent++) this.#one();
      await sleep(Math.max(0, started + (sent / rate) * 1000 - now()));
    }
    return total;
  }

  #one(): void {
    const change = { at: now(), id: `job_${String(this.#emitted++ % jobs).padStart(26, '0')}` };
    for (const listener of this.#listeners) listener(change);
  }
}

/** The subgraphs over a source. */
export function eventSubgraphs(changes: Changes): readonly SubgraphSchema[] {
  const details = entity<{ id: string; taskName: string }>({
    type: 'Detail',
    key: 'id',
    load: async (ids) => ids.map((id) => ({ id: String(id), taskName: `task of ${String(id)}` })),
  });
  const source = buildSubgraph({
    name: 'jobs',
    typeDefs: parse(
      `${link} type Query { jobCount: Int! } type Subscription { jobStateChanged: JobChanged! } type JobChanged { at: Float! job: Job! } type Job @key(fields: "id") { id: ID! state: String! }`,
    ),
    resolvers: {
      Query: { jobCount: () => jobs },
      Subscription: {
        jobStateChanged: {
          subscribe: () => changes.follow(),
          resolve: ({ at, id }: Change) => ({ at, job: { id, state: 'RUNNING' } }),
        },
      },
      Job: { __resolveReference: ({ id }: { id: string }) => ({ id, state: 'RUNNING' }) },
    },
    policies: {
      'Query.jobCount': read,
      'Subscription.jobStateChanged': read,
      'Job.__resolveReference': read,
    },
  });
  const addition = buildSubgraph({
    name: 'details',
    typeDefs: parse(
      `${link} type Job @key(fields: "id") { id: ID! detail: Detail } type Detail { taskName: String! }`,
    ),
    resolvers: {
      Job: {
        __resolveReference: representationAsIs,
        detail: (
          { id }: { id: string },
          _args: object,
          context: Parameters<typeof details.resolveReference>[1],
        ) => context.loaders.load(details.loader, id),
      },
    },
    policies: { 'Job.__resolveReference': read },
  });
  return [source, addition];
}
