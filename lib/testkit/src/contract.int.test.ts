import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { buildSubgraph, byKey, entity, serveSubgraph, type SubgraphSchema } from '@rhizome/subgraph';
import { createClient } from '@rhizome/client';
import { parse } from 'graphql';
import type { TypedDocumentNode } from '@rhizome/client';
import { describeSubgraphContract } from './contract.js';
import { watchFile } from './file-teardown.js';
import { leftovers } from './leftovers.js';
import { countReads, testDatabase } from './mongo.js';
import { testTokens } from './tokens.js';
import { waitFor } from './wait-for.js';
import type { TestDatabase } from './test-database.types.js';

// Tests of this package use a build of their own, which the set-up of each file does not know.
watchFile();

const shared = readFileSync(new URL('../../../schema/shared.graphql', import.meta.url), 'utf8');
const typeDefs = parse(/* GraphQL */ `
  ${shared}
  type Query {
    shelf: String
  }
  type Subscription {
    bookCounted(after: String): BookCounted @resumable(argument: "after", cursor: "cursor")
  }
  type BookCounted {
    cursor: String!
  }
  type Book @key(fields: "id") {
    id: ID!
    title: String!
  }
`);

interface Book {
  readonly _id: string;
  readonly title: string;
}

/** A subgraph whose books are in a real collection, loaded many at once or, wrongly, one by one. */
function library(db: TestDatabase, oneByOne = false): SubgraphSchema {
  const stored = db.collection<Book>('books');
  const find = async (ids: readonly string[]) => {
    const rows = await stored.find({ _id: { $in: [...ids] } }).toArray();
    return byKey(ids, rows, (row) => row._id).map((row) => row && { id: row._id, title: row.title });
  };
  const books = entity({
    type: 'Book',
    key: 'id',
    load: async (ids) => (oneByOne ? (await Promise.all(ids.map((id) => find([id])))).flat() : find(ids)),
  });
  return buildSubgraph({
    name: 'library',
    typeDefs,
    resolvers: {
      Query: { shelf: () => 'oak' },
      Subscription: {
        bookCounted: {
          // Counts without end, one step per request.
          subscribe: async function* (_: unknown, { after }: { after?: string }) {
            for (let at = Number(after ?? 0) + 1; ; at += 1) {
              yield { bookCounted: { cursor: String(at) } };
              await new Promise((resolve) => setImmediate(resolve));
            }
          },
        },
      },
      Book: { __resolveReference: books.resolveReference },
    },
    policies: {
      'Query.shelf': { action: 'job:read' },
      'Subscription.bookCounted': { action: 'events:read' },
      'Book.__resolveReference': { action: 'job:read' },
    },
  });
}

async function fill(db: TestDatabase): Promise<void> {
  await db
    .collection<Book>('books')
    .insertMany(['a', 'b', 'c', 'd'].map((id) => ({ _id: id, title: `title ${id}` })));
}

describeSubgraphContract('library', async (db) => {
  await fill(db);
  return {
    subgraph: library(db),
    representations: { Book: ['a', 'b', 'c', 'd'].map((id) => ({ id })) },
    selections: { Book: 'id title' },
  };
});

describe('load counter', () => {
  it('reveals loading one by one', async () => {
    const db = await testDatabase();
    await fill(db);
    const loaderReads = async (subgraph: SubgraphSchema): Promise<number> => {
      const tokens = await testTokens();
      const principal = await tokens.verifier.verify(await tokens.admin());
      const context = subgraph.createContext({ principal, requestId: 'r', log: silentLogger() });
      const type = subgraph.schema.getType('Book');
      const { apollo } = type?.extensions as {
        apollo: { subgraph: { resolveReference(r: object, c: object): Promise<unknown> } };
      };
      return countReads(() =>
        Promise.all(['a', 'b', 'c'].map((id) => apollo.subgraph.resolveReference({ id }, context))),
      );
    };
    expect(await loaderReads(library(db))).toBe(1);
    expect(await loaderReads(library(db, true))).toBe(3);
  });
});

describe('served subgraph', () => {
  it('serves a client: a query, an error, and a stream that outlives the server', async () => {
    const tokens = await testTokens();
    const subgraph = library(await testDatabase());
    const start = (port: number) =>
      serveSubgraph({ subgraph, verifier: tokens.verifier, log: silentLogger(), port });
    const first = leftovers.use(await start(0));
    const connect = (token: string) =>
      leftovers.use(
        createClient({ url: first.url, token, reconnect: { initialDelayMs: 5, maxDelayMs: 50 } }),
      );
    const client = connect(await tokens.admin());

    const shelf = parse('query Shelf { shelf }') as TypedDocumentNode<{ shelf: string }, object>;
    expect(await client.query(shelf, {})).toEqual({ shelf: 'oak' });
    await expect(connect(await tokens.foreign()).query(shelf, {})).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });

    const counted = parse(
      'subscription Counted($after: String) { bookCounted(after: $after) { cursor } }',
    ) as TypedDocumentNode<{ bookCounted: { cursor: string } }, { after?: string }>;
    const reconnected: string[] = [];
    const stream = client.subscribeResumable(
      counted,
      {},
      {
        cursorOf: ({ bookCounted }) => bookCounted.cursor,
        onReconnect: ({ error }) => reconnected.push(error.code),
      },
    );
    const take = async (): Promise<number> =>
      Number((await waitFor('an event', stream.next(), { deadlineMs: 5000 })).value?.bookCounted.cursor);
    expect([await take(), await take()]).toEqual([1, 2]);

    await first.close();
    leftovers.use(await start(first.port));
    let last = 2;
    while (reconnected.length === 0 || last < 10) {
      const next = await take();
      expect(next).toBe(last + 1);
      last = next;
    }
    await take();
    expect(reconnected[0]).toBe('SHUTTING_DOWN');
    await stream.return?.();
  });
});
