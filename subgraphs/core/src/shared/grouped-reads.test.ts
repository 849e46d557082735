import { describe, expect, it } from '@jest/globals';
import { GroupedReads, type ReadRequest } from './grouped-reads.js';

interface Thing {
  readonly _id: string;
  readonly fields: string;
}

/** Queries that are answered when the test decides. */
class Store {
  readonly asked: ReadRequest<string>[] = [];
  readonly #open: { answer: () => void; fail: (error: Error) => void }[] = [];
  absent = new Set<string>();

  readonly read = (request: ReadRequest<string>): Promise<readonly Thing[]> => {
    this.asked.push(request);
    return new Promise((resolve, reject) => {
      const found = request.ids.filter((id) => !this.absent.has(id));
      this.#open.push({
        answer: () => resolve(found.map((_id) => ({ _id, fields: request.projection }))),
        fail: reject,
      });
    });
  };

  answer(): void {
    this.#open.shift()?.answer();
  }

  fail(error: Error): void {
    this.#open.shift()?.fail(error);
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const readsOf = (store: Store, options: { atOnce?: number; most?: number } = {}) =>
  new GroupedReads<Thing, string>({ read: store.read, keyOf: (fields) => fields, most: 100, ...options });

describe('GroupedReads', () => {
  it('reads the ids of one event loop turn together, and gives each caller its own documents', async () => {
    const store = new Store();
    store.absent.add('d');
    const reads = readsOf(store);
    const first = reads.find({ ids: ['a', 'b'], projection: 'x' });
    const second = reads.find({ ids: ['c', 'b', 'd'], projection: 'x' });
    await turn();
    expect(store.asked).toEqual([{ ids: ['a', 'b', 'c', 'd'], projection: 'x' }]);
    store.answer();
    expect((await first).map(({ _id }) => _id)).toEqual(['a', 'b']);
    expect((await second).map(({ _id }) => _id)).toEqual(['c', 'b']);
  });

  it('reads different fields by different queries', async () => {
    const store = new Store();
    const reads = readsOf(store);
    const both = [
      reads.find({ ids: ['a'], projection: 'x' }),
      reads.find({ ids: ['a'], projection: 'y' }),
    ] as const;
    await turn();
    store.answer();
    store.answer();
    expect(await Promise.all(both)).toEqual([[{ _id: 'a', fields: 'x' }], [{ _id: 'a', fields: 'y' }]]);
  });

  it('adds calls to the next query if the maximum number of queries is in progress', async () => {
    const store = new Store();
    const reads = readsOf(store, { atOnce: 1 });
    const found = [reads.find({ ids: ['a'], projection: 'x' })];
    await turn();
    found.push(reads.find({ ids: ['b'], projection: 'x' }));
    await turn();
    found.push(reads.find({ ids: ['c'], projection: 'x' }));
    await turn();
    expect(store.asked.map(({ ids }) => ids)).toEqual([['a']]);
    store.answer();
    await found[0];
    await turn();
    await turn();
    expect(store.asked.map(({ ids }) => ids)).toEqual([['a'], ['b', 'c']]);
    store.answer();
    expect((await Promise.all(found)).flat().map(({ _id }) => _id)).toEqual(['a', 'b', 'c']);
  });

  it('never answers from a query that started before the call', async () => {
    const store = new Store();
    const reads = readsOf(store);
    void reads.find({ ids: ['a'], projection: 'x' });
    await turn();
    const later = reads.find({ ids: ['a'], projection: 'x' });
    await turn();
    expect(store.asked).toHaveLength(2);
    store.answer();
    store.answer();
    await later;
  });

  it('limits the size of a query, and reads a large request alone and at once', async () => {
    const store = new Store();
    const reads = readsOf(store, { most: 3 });
    for (const ids of [['a', 'b'], ['c', 'd'], ['e'], ['f', 'g', 'h', 'i']])
      void reads.find({ ids, projection: 'x' });
    await turn();
    expect(store.asked.map(({ ids }) => ids.join('')).sort()).toEqual(['ab', 'cde', 'fghi']);
  });

  it('fails all callers of a failed query, and no others', async () => {
    const store = new Store();
    const reads = readsOf(store);
    const failing = [
      reads.find({ ids: ['a'], projection: 'x' }),
      reads.find({ ids: ['b'], projection: 'x' }),
    ];
    const outcomes = Promise.allSettled(failing);
    await turn();
    store.fail(new Error('away'));
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const next = reads.find({ ids: ['a'], projection: 'x' });
    await turn();
    store.answer();
    expect(await next).toHaveLength(1);
  });
});
