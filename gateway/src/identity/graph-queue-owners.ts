/** Asks core which experiments own a queue. */
import { createPrincipal, never } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { QueueOwners } from '@rhizome/identity';
import { type BorrowEngine, executeOwn } from '../own-operation.js';

const ownersOfQueue = `query QueueOwners($name: String!) { queue(name: $name) { experiments { name } } }`;

const queuesOfOwners = `query OwnedQueues($experiments: [String!]!, $after: String) {
  queues(filter: { experiments: $experiments }, first: 100, after: $after) {
    nodes { name experiments { name } }
    pageInfo { hasNextPage endCursor }
  }
}`;

interface Owned {
  readonly experiments: readonly { readonly name: string }[];
}

interface OwnedPage {
  readonly nodes: readonly (Owned & { readonly name: string })[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** The gateway itself, which reads the queues of all experiments to decide who else may. */
const reader = createPrincipal({
  kind: 'SERVICE',
  subject: 'gateway',
  grants: [{ experiment: '*', roles: ['READER'] }],
  expiresAt: never,
});

const timeoutMs = 10_000;

/** Reads the owners of queues through the graph. */
export class GraphQueueOwners implements QueueOwners {
  readonly #borrow: BorrowEngine;

  constructor(borrow: BorrowEngine) {
    this.#borrow = borrow;
  }

  async experimentsOf(name: string): Promise<readonly string[]> {
    const data = await this.#ask<{ readonly queue: Owned | null }>(ownersOfQueue, { name });
    const owners = (data?.queue?.experiments ?? []).map((experiment) => experiment.name);
    return owners.length === 0 ? ['*'] : owners;
  }

  async queuesOf(experiments: readonly string[]): Promise<readonly string[]> {
    const own = new Set(experiments);
    const found: string[] = [];
    let after: string | null = null;
    do {
      const page: OwnedPage | undefined = await this.#page(experiments, after);
      if (!page) return [];
      const isOwn = ({ experiments: owners }: Owned): boolean => owners.every(({ name }) => own.has(name));
      // A queue without experiments admits all of them.
      const owned = page.nodes.filter((one) => one.experiments.length > 0 && isOwn(one));
      found.push(...owned.map(({ name }) => name));
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after !== null);
    return found;
  }

  async #page(experiments: readonly string[], after: string | null): Promise<OwnedPage | undefined> {
    const data = await this.#ask<{ readonly queues: OwnedPage }>(queuesOfOwners, { experiments, after });
    return data?.queues;
  }

  /** Undefined in a graph without core, which has no queues. @throws DomainError SERVICE_UNAVAILABLE */
  async #ask<T>(query: string, variables: object): Promise<T | undefined> {
    const signal = AbortSignal.timeout(timeoutMs);
    const { codes, text } = await executeOwn(this.#borrow, { query, variables, principal: reader, signal });
    if (codes.every((code) => code === 'GRAPHQL_VALIDATION_FAILED') && codes.length > 0) return undefined;
    if (codes.length > 0)
      throw new DomainError('SERVICE_UNAVAILABLE', 'The experiments of the queue could not be read');
    return (JSON.parse(text) as { readonly data: T }).data;
  }
}
