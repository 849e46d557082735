import { describe, expect, it } from '@jest/globals';
import type { Ids } from '@rhizome/clock';
import type { Block } from '../blocks/unit.types.js';
import { settingsOf } from '../pools/pool-input.js';
import { newBlocks } from '../publish/new-blocks.js';
import { LeaseSearch } from './lease-search.js';
import { LeaseWaiter } from './lease-waiter.js';
import { WorkDraft } from './work-draft.js';

const pool = { _id: 'pool_01J0000000000000000000000A', settings: settingsOf(null) };
const now = new Date('2030-01-01T00:00:00.000Z');

describe('LeaseSearch', () => {
  const ids: Ids = { next: (prefix) => `${prefix}_01J0000000000000000000000B` };

  /** A search of blocks of one unit of 10 bytes; those with an ordering key wait for an earlier block. */
  function searchOf(
    numberOfBlocks: number,
    { max, maxBytes, orderingKey }: { max: number; maxBytes: number; orderingKey?: string },
  ) {
    const groups = Array.from({ length: numberOfBlocks }, (_, at) => ({
      priority: 4,
      units: [{ key: `u${at}`, payload: '0123456789', orderingKey }],
    }));
    const { blocks } = newBlocks(pool, groups, 1, now);
    const byId = new Map<string, Block>(blocks.map((block) => [block._id, block]));
    const draft = new WorkDraft({ poolId: pool._id, settings: pool.settings, now, ids, writer: 'test' });
    const attempt = { jobId: 'job_a', fence: 1 };
    const signal = new AbortController().signal;
    const request = { attempt, max, maxBytes, maxBlocks: 64, isPatient: false, signal };
    const waiter = new LeaseWaiter(
      request,
      () => undefined,
      () => undefined,
    );
    const seen = { pages: 0 };
    const repository = {
      ready: (_poolId: string, _now: Date, most: number, after?: { readonly sequence: number }) => {
        seen.pages += 1;
        const from = after?.sequence ?? 0;
        return Promise.resolve(blocks.filter(({ sequence }) => sequence > from).slice(0, most));
      },
      firstOpen: () =>
        Promise.resolve(new Map<string, number>(orderingKey === undefined ? [] : [[orderingKey, 0]])),
      heldBy: () => Promise.resolve(new Map<string, number>()),
    };
    const memory = { get: () => undefined, forget: () => undefined };
    const search = new LeaseSearch({ repository, memory }, draft, [waiter]);
    const read = (wanted: readonly string[]): Promise<void> => {
      for (const id of wanted) {
        const block = byId.get(id);
        if (block) draft.add(block);
      }
      return Promise.resolve();
    };
    return { search, read, draft, waiter, seen };
  }

  it('reads no more blocks once a call has as many bytes as it may', async () => {
    const { search, read, waiter, seen } = searchOf(100, { max: 1000, maxBytes: 20 });
    await search.run(read);
    expect(search.found.get(waiter)).toHaveLength(2);
    expect(seen.pages).toBe(1);
  });

  it('leases no units of more blocks than one report may name', async () => {
    const { search, read, waiter } = searchOf(100, { max: 1000, maxBytes: 10_000 });
    await search.run(read);
    expect(search.found.get(waiter)).toHaveLength(64);
  });

  it('leaves the blocks behind 16 pages to the next search, and keeps none that it has not changed', async () => {
    const { search, read, draft, waiter, seen } = searchOf(200, { max: 1, maxBytes: 20, orderingKey: 'k' });
    await search.run(read);
    expect(search.searchedTo).toMatchObject({ sequence: 128 });
    expect(seen.pages).toBe(16);
    expect(draft.ids).toEqual([]);
    await search.run(read, search.searchedTo);
    expect(seen.pages).toBe(26);
    expect(search.found.get(waiter)).toEqual([]);
  });
});
