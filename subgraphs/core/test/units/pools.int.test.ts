import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { waitFor } from '@rhizome/testkit';
import { human } from '../support/access.fixture.js';
import type { TestStream } from '../support/core.fixture.js';
import {
  minute,
  refOf,
  type RunningJob,
  startUnits,
  TestPool,
  units,
  type UnitsCore,
} from '../support/units.fixture.js';

let core: UnitsCore;
let second: UnitsCore;
let ada: RunningJob;
let bob: RunningJob;

beforeAll(async () => {
  ({ core, second, ada, bob } = await startUnits());
});

describe('createWorkPool', () => {
  it('answers the pool again to a repeated call, and refuses another pool with its name', async () => {
    const { id } = await TestPool.create(core, 'twice', { leaseSeconds: 30 });
    expect((await TestPool.create(second, 'twice', { leaseSeconds: 30 })).id).toBe(id);
    const { createWorkPool } = await core.ask(
      'mutation { createWorkPool(input: { experiment: "alpha", name: "twice" }) { pool { id } userErrors { code path } } }',
    );
    expect(createWorkPool).toEqual({
      pool: null,
      userErrors: [{ code: 'POOL_NAME_TAKEN', path: ['name'] }],
    });
  });
});

describe('closeWorkPool', () => {
  it('is allowed to operators of the experiment, who may not publish, and not to users who do not own it', async () => {
    const pool = await TestPool.create(core, 'of-operators');
    const input = { input: { poolId: pool.id } };
    const close =
      'mutation ($input: CloseWorkPoolInput!) { closeWorkPool(input: $input) { pool { state } userErrors { code } } }';
    const publish =
      'mutation ($input: PublishWorkUnitsInput!) { publishWorkUnits(input: $input) { unitIds userErrors { code } } }';
    const operator = human('operator', { alpha: 'OPERATOR' });
    for (const other of [
      human('user', { alpha: 'USER' }),
      human('far', { beta: 'OPERATOR', alpha: 'READER' }),
    ])
      await expect(core.ask(close, input, other)).rejects.toThrow('FORBIDDEN');
    const units = { input: { poolId: pool.id, units: [{ key: 'a', payload: 'x' }] } };
    await expect(core.ask(publish, units, operator)).rejects.toThrow('FORBIDDEN');
    expect(await core.ask(close, input, operator)).toEqual({
      closeWorkPool: { pool: { state: 'CLOSED' }, userErrors: [] },
    });
  });
});

describe('metrics of work units', () => {
  it('has the units of a closed pool until they have ended', async () => {
    const waiting = async () => {
      const metrics = await second.core.metrics.registry.getMetricsAsJSON();
      const found = metrics.find(({ name }) => name === 'rhizome_core_work_units');
      return found?.values.find(({ labels }) => labels['state'] === 'WAITING')?.value ?? 0;
    };
    const before = await waiting();
    const pool = await TestPool.create(core, 'closing');
    await pool.publish(units('a', 'b', 'c'));
    await pool.close();
    expect(await waiting()).toBe(before + 3);
    const { units: leased } = await pool.lease(ada);
    await pool.report('complete', ada, leased.map(refOf));
    expect(await waiting()).toBe(before);
  });
});

describe('the counts of a pool', () => {
  it('has each unit once while units are leased, completed and added to the pool', async () => {
    const pool = await TestPool.create(core, 'summed');
    const keys = Array.from({ length: 30 }, (_, at) => `u${at}`);
    await pool.publish(units(...keys).map((unit, at) => ({ ...unit, priority: at % 10 })));
    const seen = { isOver: false };
    const work = async (): Promise<void> => {
      for (let done = 0; done < keys.length;) {
        const { units: leased } = await pool.lease(ada, 4);
        await pool.report('complete', ada, leased.map(refOf));
        done += leased.length;
      }
    };
    const working = work().finally(() => {
      seen.isOver = true;
    });
    while (!seen.isOver) {
      const { waiting, leased, completed } = (await pool.through(second).counts()) as Record<string, number>;
      expect(Number(waiting) + Number(leased) + Number(completed)).toBe(keys.length);
    }
    await working;
  });
});

describe('workUnitCompleted', () => {
  const text =
    'subscription ($id: ID!, $after: String) { workUnitCompleted(poolId: $id, after: $after) { cursor event { jobId site { name } units { key result } } } }';
  interface Message {
    readonly cursor: string;
    readonly event: { readonly units: readonly { readonly key: string }[] } | null;
  }
  const messagesOf = ({ results }: TestStream): readonly Message[] =>
    results.map(({ data }) => (data as unknown as { workUnitCompleted: Message }).workUnitCompleted);
  const complete = async (pool: TestPool, result: string): Promise<void> => {
    const { units: leased } = await pool.lease(ada, 1);
    await pool.report(
      'complete',
      ada,
      leased.map((unit) => ({ ...refOf(unit), result })),
    );
  };

  it('sends each completion once, also after a cursor and through another process', async () => {
    const pool = await TestPool.create(core, 'followed');
    await pool.publish(units('a', 'b'));
    const stream = core.subscribe(text, { id: pool.id });
    await waitFor('the opening message', () => messagesOf(stream).length === 1, minute);
    for (const through of [pool, pool.through(second)]) await complete(through, 'done');
    await waitFor('both completions', () => messagesOf(stream).length === 3, minute);
    const [opening, first, last] = messagesOf(stream);
    expect(opening?.event).toBeNull();
    expect(first?.event).toEqual({
      ...{ jobId: ada.id, site: { name: 'Pole' } },
      units: [{ key: 'a', result: 'done' }],
    });
    const resumed = second.subscribe(text, { id: pool.id, after: first?.cursor });
    await waitFor('the second completion', () => messagesOf(resumed).length === 1, minute);
    expect(messagesOf(resumed)).toEqual([last]);
  });
});

describe('workPoolChanged', () => {
  it('sends the pool now, and when the numbers of its units change', async () => {
    const pool = await TestPool.create(core, 'watched');
    const stream = core.subscribe(
      'subscription ($id: ID!) { workPoolChanged(id: $id) { pool { counts { waiting } } } }',
      { id: pool.id },
    );
    const waiting = (): unknown[] =>
      stream.results.map(({ data }) => JSON.stringify(data).replace(/.*"waiting":(\d+).*/, '$1'));
    await waitFor('the first message', () => waiting().length > 0, minute);
    await pool.through(second).publish(units('a', 'b'));
    await waitFor('the change', () => waiting().includes('2'), minute);
    expect(waiting()[0]).toBe('0');
  });
});

describe('workUnitTotals', () => {
  it('adds up completed units and failed attempts of both processes, by run, site and hour', async () => {
    const since = new Date(Date.now() - 2 * 3_600_000).toISOString();
    const pool = await TestPool.create(core, 'counted', { backoffSeconds: 0 }, 'run 7');
    await pool.publish(units('a', 'b', 'c'));
    for (const [through, job] of [
      [pool, ada],
      [pool.through(second), bob],
    ] as const) {
      const { units: leased } = await through.lease(job, 1);
      await through.report(
        'complete',
        job,
        leased.map((unit) => ({ ...refOf(unit), seconds: 0 })),
      );
    }
    const { units: failing } = await pool.lease(ada, 1);
    await pool.report('fail', ada, failing.map(refOf));
    const { workUnitTotals } = await core.ask(
      'query ($since: DateTime!) { workUnitTotals(filter: { runs: ["run 7"] }, groupBy: [RUN, SITE], since: $since) { poolId run site { name } hour completed failedAttempts completedSeconds } }',
      { since },
    );
    expect(workUnitTotals).toEqual([
      {
        ...{ poolId: null, run: 'run 7', site: { name: 'Pole' }, hour: null },
        ...{ completed: 2, failedAttempts: 1, completedSeconds: 0 },
      },
    ]);
  });

  it('refuses a grouping of more groups than an answer may have', async () => {
    const pool = await TestPool.create(core, 'grouped', {}, 'run 8');
    const at = systemClock.now();
    const hour = new Date(Math.floor(at.getTime() / 3_600_000) * 3_600_000);
    const rows = Array.from({ length: 10_001 }, (_, number) => ({
      ...{ _id: `${pool.id} ${number}`, schemaVersion: 1, updatedAt: at, poolId: pool.id, hour },
      ...{ site: `site ${number}`, writer: 'test', completed: 1, failures: 0, seconds: 1 },
    }));
    await core.db.collection<(typeof rows)[number]>('unitHours').insertMany(rows);
    const since = new Date(at.getTime() - 7_200_000).toISOString();
    const text = (groupBy: string): string =>
      `query ($since: DateTime!) { workUnitTotals(filter: { runs: ["run 8"] }, groupBy: [${groupBy}], since: $since) { completed } }`;
    await expect(core.ask(text('RUN, SITE'), { since })).rejects.toThrow('at most 10000 groups');
    const { workUnitTotals } = await core.ask(text('RUN'), { since });
    expect(workUnitTotals).toEqual([{ completed: 10_001 }]);
  });
});
