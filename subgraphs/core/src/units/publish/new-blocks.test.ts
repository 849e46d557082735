import { describe, expect, it } from '@jest/globals';
import type { Ids } from '@rhizome/clock';
import { InputErrors } from '@rhizome/errors';
import type { Block } from '../blocks/unit.types.js';
import { taskFault } from '../pools/pool-access.js';
import { settingsOf } from '../pools/pool-input.js';
import { locate, type ReportCode } from '../reports/report-input.js';
import { LeaseSearch } from '../work/lease-search.js';
import { LeaseWaiter } from '../work/lease-waiter.js';
import { PayloadMemory } from '../work/payload-memory.js';
import { WorkDraft } from '../work/work-draft.js';
import { groupsOf, newBlocks } from './new-blocks.js';
import { checkUnits } from './publish-input.js';
import { refusedAsFull } from './publish.service.js';

const pool = { _id: 'pool_01J0000000000000000000000A', settings: settingsOf(null) };
const now = new Date('2030-01-01T00:00:00.000Z');

describe('groupsOf', () => {
  it('makes blocks of one priority, the highest first, of at most 1000 units and 1 MiB', () => {
    const small = Array.from({ length: 1001 }, (_, at) => ({ key: `s${at}`, payload: 'x' }));
    const large = Array.from({ length: 17 }, (_, at) => ({
      key: `l${at}`,
      payload: 'x'.repeat(65_536),
      priority: 9,
    }));
    const groups = groupsOf([...small, ...large]);
    expect(groups.map(({ priority, units }) => [priority, units.length])).toEqual([
      [9, 16],
      [9, 1],
      [4, 1000],
      [4, 1],
    ]);
  });
});

describe('newBlocks', () => {
  it('numbers blocks from the given one, and keeps payloads apart from units', () => {
    const groups = groupsOf([
      { key: 'a', payload: 'first', orderingKey: 'k' },
      { key: 'b', reference: 'file:///b' },
    ]);
    const { blocks, payloads, unitIds } = newBlocks(pool, groups, 7, now);
    expect(blocks).toMatchObject([
      {
        ...{ _id: 'block_01J0000000000000000000000A.7', sequence: 7, waiting: 2, waitingBytes: 14 },
        ...{ readyAt: now, waitingSince: now, openKeys: ['k'] },
      },
    ]);
    expect(JSON.stringify(blocks)).not.toContain('first');
    expect(payloads[0]?.payloads).toEqual([{ payload: 'first' }, { reference: 'file:///b' }]);
    expect([...unitIds]).toEqual([
      ['a', 'unit_01J0000000000000000000000A.7.0'],
      ['b', 'unit_01J0000000000000000000000A.7.1'],
    ]);
  });
});

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
    const request = { attempt, max, maxBytes, isPatient: false, signal };
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

describe('PayloadMemory', () => {
  /** A memory over blocks of one payload each; `reads` has the blocks that were read. */
  function memoryOf(payload: string): { readonly memory: PayloadMemory; readonly reads: string[] } {
    const reads: string[] = [];
    const memory = new PayloadMemory((blockIds) => {
      reads.push(...blockIds);
      return Promise.resolve(blockIds.map((_id) => ({ _id, schemaVersion: 1, payloads: [{ payload }] })));
    });
    return { memory, reads };
  }
  const unitOf = (blockId: string) => ({ blockId, position: 0 });

  it('reads a block once for calls at the same time', async () => {
    const { memory, reads } = memoryOf('x');
    const calls = [[unitOf('a')], [unitOf('a'), unitOf('b')], [unitOf('b')]];
    const answers = await Promise.all(calls.map((units) => memory.of(units)));
    expect(answers).toEqual([[{ payload: 'x' }], [{ payload: 'x' }, { payload: 'x' }], [{ payload: 'x' }]]);
    expect(reads).toEqual(['a', 'b']);
  });

  it('forgets the blocks that were used the longest time ago, by their bytes', async () => {
    // Three of these blocks have more than 32 MiB, but fewer characters.
    const { memory, reads } = memoryOf('€'.repeat(4_000_000));
    for (const id of ['a', 'b', 'a', 'c', 'a', 'b']) await memory.of([unitOf(id)]);
    expect(reads).toEqual(['a', 'b', 'c', 'b']);
  });
});

describe('taskFault', () => {
  it('names the pool, its task and the task of the caller', () => {
    const ofTask = { name: 'events', taskId: 'task_a' };
    expect(taskFault(ofTask, 'task_a')).toBeUndefined();
    expect(taskFault({ name: 'events' }, undefined)).toBeUndefined();
    expect(taskFault(ofTask, 'task_b')).toContain(
      'Pool "events" belongs to task "task_a", but the caller is a job of task "task_b"',
    );
    expect(taskFault(ofTask, undefined)).toContain('the caller has no task');
  });
});

describe('the errors of a publication', () => {
  it('names what a unit was given', () => {
    const errors = new InputErrors<string>();
    checkUnits(errors, [{ key: 'a', payload: 'x', reference: 'file:///x' }, { key: 'b' }], now);
    expect(errors.all.map(({ message }) => message)).toEqual([
      'units.0: must have either payload or reference; both were given',
      'units.1: must have either payload or reference; neither was given',
    ]);
  });

  it('names what waits, what the call adds and the limits, and advise a retry only if the units can fit', () => {
    const settings = { ...pool.settings, maxWaitingUnits: 2, maxWaitingBytes: 100 };
    const full = (...keys: readonly string[]) =>
      refusedAsFull(
        { name: 'events', settings },
        { waiting: 1, waitingBytes: 30 },
        keys.map((key) => ({ key, payload: '0123456789' })),
      );
    const { userErrors, retryAfterSeconds } = full('a', 'b');
    expect(retryAfterSeconds).toBe(5);
    expect(userErrors.map(({ message }) => message)).toEqual([
      'poolId: Pool "events" has 1 waiting units of 30 bytes; this call adds 2 of 20 bytes; ' +
        'must be at most 2 of 100 bytes together; try again in 5 s, or with fewer units',
    ]);
    const never = full('a', 'b', 'c');
    expect(never.retryAfterSeconds).toBeNull();
    expect(never.userErrors[0]?.message).not.toContain('again');
  });
});

describe('locate', () => {
  it('names the pools of units that are not of one pool', () => {
    const errors = new InputErrors<ReportCode>();
    const endings = ['A', 'B', 'C', 'D'].map((last) => `01J0000000000000000000000${last}`);
    locate(
      errors,
      endings.map((ulid) => ({ id: `unit_${ulid}.1.0`, fence: 1 })),
    );
    const names = endings.slice(0, 3).map((ulid) => `pool_${ulid}`);
    expect(errors.all[0]?.message).toContain(`units of pools ${names.join(', ')} and 1 more`);
  });
});
