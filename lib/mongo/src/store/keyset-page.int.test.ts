import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Collection, Document } from 'mongodb';
import { required } from '../required.fixture.js';
import { openTestStore, type TestStore } from './database.fixture.js';
import {
  keysetPage,
  type KeysetPage,
  keysetPages,
  type KeysetRequest,
  largestCount,
  type OrderField,
} from './keyset-page.js';

interface Row {
  _id: string;
  state: string;
  createdAt: Date;
  priority: number | null;
  place: { rank?: number };
}

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

/** Rows with many ties, nulls and missing fields, in an order that has nothing to do with their ids. */
async function rows(count = 240): Promise<Collection<Row>> {
  const collection = store.database().collection<Row>('rows');
  const documents = Array.from({ length: count }, (_, index): Row => {
    const mixed = (index * 7919) % count;
    return {
      _id: `row_${String(mixed).padStart(5, '0')}`,
      state: mixed % 3 === 0 ? 'A' : 'B',
      createdAt: new Date(1000 * (mixed % 11)),
      priority: mixed % 5 === 0 ? null : mixed % 7,
      place: mixed % 4 === 0 ? {} : { rank: mixed % 6 },
    };
  });
  await collection.insertMany(documents);
  await collection.createIndexes([
    { key: { state: 1, createdAt: -1, _id: -1 }, name: 'state_createdAt_idx' },
    { key: { priority: 1, createdAt: 1, _id: 1 }, name: 'priority_createdAt_idx' },
  ]);
  return collection;
}

async function walk(request: Omit<KeysetRequest<Row>, 'after' | 'first'>, first: number): Promise<string[]> {
  const seen: string[] = [];
  let after: string | null = null;
  for (;;) {
    const page: KeysetPage<Row> = await keysetPage({ ...request, first, after });
    seen.push(...page.nodes.map(({ _id }) => _id));
    expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
    if (!page.hasNextPage) return seen;
    expect(page.nodes).toHaveLength(first);
    after = page.pageInfo.endCursor;
  }
}

const orders: [string, OrderField[]][] = [
  ['id up', [{ field: '_id', direction: 1 }]],
  ['id down', [{ field: '_id', direction: -1 }]],
  ['newest first', [{ field: 'createdAt', direction: -1 }]],
  [
    'two fields up',
    [
      { field: 'createdAt', direction: 1 },
      { field: 'state', direction: 1 },
    ],
  ],
  [
    'mixed directions',
    [
      { field: 'state', direction: 1 },
      { field: 'createdAt', direction: -1 },
      { field: '_id', direction: 1 },
    ],
  ],
  ['a nullable field up', [{ field: 'priority', direction: 1, nullable: true }]],
  ['a nullable field down', [{ field: 'priority', direction: -1, nullable: true }]],
  [
    'a field inside that may be missing, down',
    [
      { field: 'place.rank', direction: -1, nullable: true },
      { field: 'createdAt', direction: 1 },
    ],
  ],
];

describe('keysetPage', () => {
  it.each(orders)(
    'pages through %s: every document once, in the order of the server',
    async (_what, order) => {
      const collection = await rows();
      const last = required(order.at(-1));
      const sort = Object.fromEntries([
        ...order.map(({ field, direction }) => [field, direction]),
        ...(last.field === '_id' ? [] : [['_id', last.direction]]),
      ]) as Record<string, 1 | -1>;
      const expected = (await collection.find({ state: 'B' }).sort(sort).toArray()).map(({ _id }) => _id);
      for (const first of [1, 7, 100]) {
        expect(await walk({ collection, filter: { state: 'B' }, order }, first)).toEqual(expected);
      }
    },
  );

  it('repeats and misses no document when others are inserted and deleted between two pages', async () => {
    const collection = await rows(40);
    const order: OrderField[] = [{ field: '_id', direction: 1 }];
    const page = await keysetPage({ collection, filter: {}, order, first: 10 });
    await collection.deleteMany({ _id: { $in: page.nodes.slice(0, 5).map(({ _id }) => _id) } });
    await collection.deleteOne({ _id: 'row_00009' });
    await collection.insertOne({
      _id: 'row_00000a',
      state: 'B',
      createdAt: new Date(),
      priority: 1,
      place: {},
    });
    const next = await keysetPage({
      collection,
      filter: {},
      order,
      first: 10,
      after: page.pageInfo.endCursor,
    });
    expect(next.nodes.map(({ _id }) => _id)).toEqual(
      Array.from({ length: 10 }, (_, i) => `row_${String(i + 10).padStart(5, '0')}`),
    );
  });

  it('continues within an index: no collection scan, no sort in memory, few documents', async () => {
    const collection = await rows(5_000);
    const order: OrderField[] = [{ field: 'createdAt', direction: -1 }];
    const filter = { state: 'B' };
    let after: string | null = null;
    for (let i = 0; i < 30; i++)
      after = (await keysetPage({ collection, filter, order, first: 100, after })).pageInfo.endCursor;
    await collection.db.command({ profile: 2 });
    await keysetPage({ collection, filter, order, first: 100, after });
    await collection.db.command({ profile: 0 });
    const [entry] = await collection.db
      .collection('system.profile')
      .find({ op: 'query', ns: collection.namespace })
      .toArray();
    expect(entry).toMatchObject({ planSummary: expect.stringContaining('IXSCAN') });
    expect(entry).not.toHaveProperty('hasSortStage');
    expect(required(entry)['docsExamined']).toBeLessThanOrEqual(10 * 101 + 100);
  });

  it('keeps the fields for cursors in a projection', async () => {
    const collection = await rows(30);
    const order: OrderField[] = [{ field: 'place.rank', direction: 1, nullable: true }];
    const all = await walk({ collection, filter: {}, order }, 100);
    expect(await walk({ collection, filter: {}, order, projection: { state: 1 } }, 4)).toEqual(all);
    expect(await walk({ collection, filter: {}, order, projection: { place: 1 } }, 4)).toEqual(all);
  });

  it('gives the same pages, read together or separately', async () => {
    const collection = await rows();
    const order: OrderField[] = [
      { field: 'createdAt', direction: -1 },
      { field: 'state', direction: 1 },
    ];
    const one = { collection, order, first: 3 };
    const start = await keysetPage({ ...one, filter: { state: 'A' } });
    const requests: KeysetRequest<Row>[] = [
      { ...one, filter: { state: 'A' }, after: start.pageInfo.endCursor },
      { ...one, filter: { state: 'B' }, projection: { priority: 1 } },
      { ...one, filter: { state: 'C' } },
      ...Array.from({ length: 60 }, (_, index) => ({
        ...one,
        filter: { createdAt: new Date(1000 * (index % 11)) },
      })),
    ];
    const plain = ({ nodes, edges, hasNextPage, pageInfo }: KeysetPage<Row>) => ({
      nodes,
      edges: [...edges],
      hasNextPage,
      pageInfo: { ...pageInfo },
    });
    const alone = await Promise.all(requests.map((request) => keysetPage(request)));
    await collection.db.command({ profile: 2 });
    const together = await keysetPages(requests);
    await collection.db.command({ profile: 0 });
    expect(together.map(plain)).toEqual(alone.map(plain));
    const commands = await collection.db.collection('system.profile').countDocuments({
      ns: collection.namespace,
      op: 'command',
      'command.aggregate': collection.collectionName,
    });
    expect(commands).toBe(2);
    await expect(keysetPages([...requests, { ...one, filter: {}, first: 0 }])).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
    });
  });

  it('has no cursors for an empty list', async () => {
    const page = await keysetPage({
      collection: store.database().collection<Document>('none'),
      filter: {},
      order: [],
      first: 5,
    });
    expect(page).toEqual({
      totalCount: expect.any(Function) as unknown,
      nodes: [],
      edges: [],
      hasNextPage: false,
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    });
  });

  it('counts the whole list on request, with one command for pages that are read together', async () => {
    const collection = await rows(60);
    const order: OrderField[] = [{ field: 'createdAt', direction: 1 }];
    const one = { collection, order, first: 2 };
    const states = ['A', 'B', 'C'];
    const start = await keysetPage({ ...one, filter: { state: 'A' } });
    const pages = await keysetPages(states.map((state) => ({ ...one, filter: { state } })));
    await collection.db.command({ profile: 2 });
    const counts = await Promise.all(pages.map((page) => page.totalCount()));
    await collection.db.command({ profile: 0 });
    expect(counts).toEqual([20, 40, 0]);
    const commands = {
      ns: collection.namespace,
      op: 'command',
      'command.aggregate': collection.collectionName,
    };
    expect(await collection.db.collection('system.profile').countDocuments(commands)).toBe(1);
    const next = await keysetPage({ ...one, filter: { state: 'A' }, after: start.pageInfo.endCursor });
    expect(await next.totalCount()).toBe(20);
  });

  it('gives no count of a list of more than 10,000 documents', async () => {
    const collection = store.database().collection<Document>('long');
    await collection.insertMany(Array.from({ length: largestCount + 1 }, (_, index) => ({ index })));
    const request = { collection, order: [], first: 1 };
    expect(await (await keysetPage({ ...request, filter: {} })).totalCount()).toBeNull();
    const filter = { index: { $lt: largestCount } };
    expect(await (await keysetPage({ ...request, filter })).totalCount()).toBe(largestCount);
  });

  it('rejects a cursor of another order, and a page size out of range', async () => {
    const collection = await rows(5);
    const request = { collection, filter: {}, first: 2 };
    const { pageInfo } = await keysetPage({ ...request, order: [{ field: 'createdAt', direction: 1 }] });
    await expect(
      keysetPage({ ...request, order: [{ field: 'createdAt', direction: -1 }], after: pageInfo.endCursor }),
    ).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    for (const first of [0, -1, 101, 1.5, Number.NaN]) {
      await expect(keysetPage({ ...request, order: [], first })).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        details: { field: 'first' },
      });
    }
    expect((await keysetPage({ ...request, order: [], first: 101, maxFirst: 500 })).nodes).toHaveLength(5);
  });
});
