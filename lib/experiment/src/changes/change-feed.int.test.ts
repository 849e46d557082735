import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { collection, connectMongo, defineCollection } from '@rhizome/mongo';
import { leftovers, ownMongod, type TestDatabase, testDatabase, waitFor } from '@rhizome/testkit';
import { ChangeFeed, type DocumentChange } from './change-feed.js';
import { changesOf } from './change-stream.repository.js';

interface Thing {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly count: number;
}
const things = defineCollection<Thing>({
  name: 'things',
  schemaVersion: 1,
  validator: { required: ['count'], properties: { count: { bsonType: 'int' } } },
});

let db: TestDatabase;
let abort: AbortController;
const feeds: ChangeFeed[] = [];

beforeEach(async () => {
  db = await testDatabase('feed');
  abort = new AbortController();
});
afterEach(async () => {
  abort.abort();
  await Promise.all(feeds.splice(0).map((feed) => feed.stop()));
});

function openFeed(ringSize?: number): ChangeFeed {
  const feed = new ChangeFeed({
    read: changesOf(db, things as never),
    log: silentLogger(),
    ...(ringSize === undefined ? {} : { ringSize }),
  });
  feeds.push(feed);
  return feed;
}

const change = (id: string) =>
  collection(db, things).updateOne(
    { _id: id },
    { $inc: { count: 1 }, $setOnInsert: { schemaVersion: 1 } },
    { upsert: true },
  );
const next = async (stream: AsyncIterator<DocumentChange>): Promise<DocumentChange> =>
  (await waitFor('a change', stream.next(), { deadlineMs: 60_000 })).value as DocumentChange;
const follow = (feed: ChangeFeed, id: string, after?: string) => feed.changes(id, after, abort.signal);

describe('ChangeFeed', () => {
  it('opens with a cursor and gives the changes of one document, in order', async () => {
    const stream = follow(openFeed(), 'a');
    const opening = await next(stream);
    expect(opening).toEqual({ cursor: expect.any(String), id: null });
    for (const id of ['a', 'b', 'a', 'a']) await change(id);
    const received = [await next(stream), await next(stream), await next(stream)];
    expect(received.map(({ id }) => id)).toEqual(['a', 'a', 'a']);
    expect(new Set([opening, ...received].map(({ cursor }) => cursor)).size).toBe(4);
    await stream.return(undefined);
  });

  it.each([
    ['from memory', undefined],
    ['from the store, when memory does not reach back', 2],
  ])('continues after a cursor %s, without a gap and into the present', async (_name, ringSize) => {
    const feed = openFeed(ringSize);
    const first = follow(feed, 'a');
    await next(first);
    for (let at = 0; at < 5; at++) await change('a');
    const received = [];
    for (let at = 0; at < 5; at++) received.push((await next(first)).cursor);
    const resumed = follow(feed, 'a', received[1]);
    expect(await next(resumed)).toEqual({ cursor: received[1], id: null });
    expect([
      (await next(resumed)).cursor,
      (await next(resumed)).cursor,
      (await next(resumed)).cursor,
    ]).toEqual(received.slice(2));
    await change('a');
    expect((await next(resumed)).cursor).toBe((await next(first)).cursor);
    await resumed.return(undefined);
    await first.return(undefined);
  });

  it('accepts the cursors of another process', async () => {
    const stream = follow(openFeed(), 'a');
    const { cursor } = await next(stream);
    await change('a');
    await change('a');
    const elsewhere = follow(openFeed(), 'a', cursor);
    await next(elsewhere);
    expect([(await next(elsewhere)).cursor, (await next(elsewhere)).cursor]).toEqual([
      (await next(stream)).cursor,
      (await next(stream)).cursor,
    ]);
    await elsewhere.return(undefined);
    await stream.return(undefined);
  });

  it('gives a slow consumer the latest changes and no more than it can buffer', async () => {
    const feed = openFeed();
    const stream = follow(feed, 'a');
    const fast = follow(feed, 'a');
    await next(stream);
    await next(fast);
    let last = '';
    for (let at = 0; at < 300; at++) {
      await change('a');
      last = (await next(fast)).cursor;
    }
    let received = 0;
    let cursor = '';
    while (cursor !== last) {
      ({ cursor } = await next(stream));
      received += 1;
    }
    expect(received).toBe(256);
    await stream.return(undefined);
    await fast.return(undefined);
  });

  it('ends its streams when it is stopped, and with their signals', async () => {
    const feed = openFeed();
    const one = follow(feed, 'a');
    const other = feed.changes('a', undefined, undefined);
    await next(one);
    await next(other);
    const ends = [one.next(), other.next()];
    abort.abort();
    expect(
      await waitFor('the end by the signal', ends[0] as Promise<unknown>, { deadlineMs: 60_000 }),
    ).toMatchObject({ done: true });
    await feed.stop();
    expect(
      await waitFor('the end by the stop', ends[1] as Promise<unknown>, { deadlineMs: 60_000 }),
    ).toMatchObject({ done: true });
  });

  it.each(['junk', 'c1.', `c1.${Buffer.from('82', 'hex').toString('base64url')}`, 'e1.ggAAAAEAAAABKwIpKW4E'])(
    'rejects the cursor %s',
    async (cursor) => {
      await expect(follow(openFeed(), 'a', cursor).next()).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    },
  );

  it('rejects a cursor of the far future, which is of another store', async () => {
    const ahead = `82${(0xfffffff0).toString(16).toUpperCase()}000000012B0229296E04`;
    const cursor = `c1.${Buffer.from(ahead, 'hex').toString('base64url')}`;
    await expect(follow(openFeed(), 'a', cursor).next()).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
  });
});

describe('cursor that the store no longer has', () => {
  it('fails with CURSOR_EXPIRED', async () => {
    const mongod = await ownMongod({ oplogSizeMiB: 1, checkpointSeconds: 1 });
    const client = leftovers.use(await connectMongo({ uri: mongod.uri, appName: 'test' }), 'its client');
    db = client.db('feed');
    const stream = follow(openFeed(), 'a');
    const { cursor } = await next(stream);
    await stream.return(undefined);
    const filler = 'x'.repeat(100_000);
    const refusal = await waitFor(
      'the end of the reach',
      async () => {
        await db.collection('filler').insertMany(Array.from({ length: 50 }, () => ({ filler })));
        // Each look is that of a new process, which has nothing in memory.
        const feed = openFeed();
        const look = feed.changes('a', cursor, abort.signal);
        const code = await look.next().then(
          () => null,
          (error: { code?: string }) => error.code,
        );
        await look.return(undefined);
        await feed.stop();
        return code;
      },
      { deadlineMs: 60_000 },
    );
    expect(refusal).toBe('CURSOR_EXPIRED');
  });
});
