import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import {
  attemptOf,
  endJob,
  keysOf,
  type Leased,
  minute,
  refOf,
  runJob,
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
const past = new Date('2020-01-01T00:00:00.000Z');

beforeAll(async () => {
  ({ core, second, ada, bob } = await startUnits());
});

const unitOf = async (id: string) =>
  (
    await core.ask(
      'query ($id: ID!) { workUnit(id: $id) { state attempts payload priority: size error { code message jobId } lease { jobId } completion { jobId site { name } seconds result } } }',
      { id },
    )
  )['workUnit'];
/** Lets the leases of a pool end, as if their time was over. */
const expire = (poolId: string) =>
  core.db
    .collection('unitBlocks')
    .updateMany(
      { poolId, leased: { $gt: 0 } },
      { $set: { 'units.$[held].lease.until': past, sweepAt: past }, $inc: { revision: 1 } },
      { arrayFilters: [{ 'held.state': 'LEASED' }] },
    );

describe('publishWorkUnits', () => {
  it('publishes each key once, also when two processes publish it at the same time', async () => {
    const pool = await TestPool.create(core, 'keys');
    const answers = await Promise.all([
      pool.publish(units('a', 'b')),
      pool.through(second).publish(units('b', 'a', 'b')),
      pool.publish(units('b')),
    ]);
    const [first, other, last] = answers.map(({ unitIds }) => unitIds as unknown as readonly string[]);
    expect(other).toEqual([first?.[1], first?.[0], first?.[1]]);
    expect(last).toEqual([first?.[1]]);
    expect(await pool.counts()).toMatchObject({ waiting: 2 });
  });

  it('refuses more than the pool may hold, with the time of the next attempt, and units for a closed pool', async () => {
    const pool = await TestPool.create(core, 'full', { maxWaitingUnits: 2 });
    await pool.publish(units('a'));
    expect(await pool.publish(units('b', 'c'))).toEqual({
      ...{ unitIds: [], repeatedCount: 0, retryAfterSeconds: 5 },
      userErrors: [{ code: 'POOL_FULL', path: ['poolId'] }],
    });
    expect(await pool.publish(units('a', 'b'))).toMatchObject({ repeatedCount: 1, userErrors: [] });
    await pool.close();
    expect(await pool.publish(units('c'))).toMatchObject({ userErrors: [{ code: 'POOL_CLOSED' }] });
    expect(await pool.counts()).toMatchObject({ waiting: 2 });
  });
});

describe('leaseWorkUnits', () => {
  it('leases units by priority and age, each to one attempt, until the pool is drained', async () => {
    const pool = await TestPool.create(core, 'order');
    await pool.publish([...units('a', 'b'), { key: 'urgent', payload: 'x', priority: 9 }]);
    await pool.publish(units('c'));
    const first = await pool.lease(ada, 2);
    expect(keysOf(first)).toEqual(['urgent', 'a']);
    expect(first.units[1]).toMatchObject({ fence: 1, attempt: 1, payload: 'payload of a' });
    const rest = await pool.through(second).lease(bob, 10);
    expect(keysOf(rest)).toEqual(['b', 'c']);
    await pool.close();
    expect(await pool.lease(ada)).toEqual({ units: [], isDrained: false, userErrors: [] });
    // Each is reported through the process that has not leased it.
    for (const [job, { units: leased }, through] of [
      [ada, first, pool.through(second)],
      [bob, rest, pool],
    ] as const)
      expect(await through.report('complete', job, leased.map(refOf))).toMatchObject({ userErrors: [] });
    // At once, although the call would wait for units.
    expect(await pool.lease(ada, 1, 60)).toEqual({ units: [], isDrained: true, userErrors: [] });
  });

  it('leases and completes each unit once through two processes at the same time', async () => {
    const pool = await TestPool.create(core, 'shared');
    const keys = Array.from({ length: 200 }, (_, at) => `u${at}`);
    await pool.publish(units(...keys));
    const seen: string[] = [];
    const work = async (through: TestPool, job: RunningJob): Promise<void> => {
      for (;;) {
        const { units: leased } = await through.lease(job, 7);
        if (leased.length === 0) return;
        seen.push(...leased.map(({ key }) => key));
        const { acceptedIds } = await through.report('complete', job, leased.map(refOf));
        expect(acceptedIds).toHaveLength(leased.length);
      }
    };
    const other = pool.through(second);
    await Promise.all([work(pool, ada), work(pool, bob), work(other, ada), work(other, bob)]);
    expect(seen.sort()).toEqual(keys.sort());
    expect(await pool.counts()).toEqual({
      ...{ waiting: 0, leased: 0, completed: 200, dead: 0, failedAttempts: 0 },
    });
    const stored = await core.db.collection('unitCompletions').find({ poolId: pool.id }).toArray();
    expect(stored.reduce((sum, { units: completed }) => sum + (completed as []).length, 0)).toBe(200);
  });

  it('leases a unit only after all earlier ones with its ordering key, of any publication, have ended', async () => {
    const pool = await TestPool.create(core, 'in-order', { maxAttempts: 1 });
    const keyed = (key: string, orderingKey: string) => ({ key, orderingKey, payload: 'x' });
    await pool.publish([keyed('a1', 'a'), keyed('b1', 'b'), keyed('a2', 'a')]);
    await pool.publish([keyed('a3', 'a'), keyed('c1', 'c')]);
    const first = await pool.lease(ada);
    expect(keysOf(first)).toEqual(['a1', 'b1', 'c1']);
    const [a1] = first.units;
    await pool.report('complete', ada, a1 ? [refOf(a1)] : []);
    const next = await pool.through(second).lease(bob);
    expect(keysOf(next)).toEqual(['a2']);
    expect(keysOf(await pool.lease(ada))).toEqual([]);
    const waiting = pool.lease(ada, 10, 60);
    expect(await pool.report('fail', bob, next.units.map(refOf))).toMatchObject({ userErrors: [] });
    expect(keysOf(await waiting)).toEqual(['a3']);
  });

  it('finds a unit behind many blocks whose units wait for others', async () => {
    const pool = await TestPool.create(core, 'deep');
    for (let at = 0; at < 140; at++) await pool.publish([{ key: `k${at}`, orderingKey: 'k', payload: 'x' }]);
    await pool.publish(units('free'));
    expect(keysOf(await pool.lease(ada, 1))).toEqual(['k0']);
    expect(keysOf(await pool.lease(bob, 1))).toEqual(['free']);
    expect(keysOf(await pool.lease(bob, 1))).toEqual([]);
  });

  it('waits for units, and gets those that another process publishes', async () => {
    const pool = await TestPool.create(core, 'patient');
    const waiting = pool.lease(ada, 5, 60);
    await pool.through(second).publish(units('late'));
    expect(keysOf(await waiting)).toEqual(['late']);
  });

  it('gives one job no more units than the pool allows', async () => {
    const pool = await TestPool.create(core, 'few', { maxLeasedPerJob: 2 });
    await pool.publish(units('a', 'b', 'c', 'd'));
    const first = await pool.lease(ada, 10);
    expect(keysOf(first)).toEqual(['a', 'b']);
    expect(keysOf(await pool.lease(ada, 10))).toEqual([]);
    await pool.report('complete', ada, first.units.slice(0, 1).map(refOf));
    expect(keysOf(await pool.lease(ada, 10))).toEqual(['c']);
    expect(keysOf(await pool.lease(bob, 1))).toEqual(['d']);
  });

  it('refuses attempts that have ended, and pools of other experiments', async () => {
    const pool = await TestPool.create(core, 'guarded');
    await pool.publish(units('a'));
    const old = { ...ada, payload: attemptOf(ada.id, ada.fence + 1) };
    expect(await pool.lease(old)).toMatchObject({ units: [], userErrors: [{ code: 'FENCE_STALE' }] });
    const { createWorkPool } = await core.ask(
      'mutation { createWorkPool(input: { experiment: "beta", name: "other" }) { pool { id } } }',
    );
    const foreign = new TestPool(core, String(createWorkPool?.['pool']?.['id']));
    expect(await foreign.lease(ada)).toMatchObject({ userErrors: [{ code: 'POOL_NOT_FOUND' }] });
  });
});

describe('a pool of a task', () => {
  it('is neither leased nor reported by other jobs', async () => {
    const pool = await TestPool.create(core, 'of-task');
    await pool.publish(units('a', 'b'));
    const { units: leased } = await pool.lease(bob, 1);
    await core.db
      .collection<{ _id: string; taskId?: string }>('workPools')
      .updateOne({ _id: pool.id }, { $set: { taskId: 'task_own' } });
    expect(await pool.lease(bob)).toMatchObject({ units: [], userErrors: [{ code: 'POOL_NOT_FOUND' }] });
    expect(await pool.report('complete', bob, leased.map(refOf))).toMatchObject({
      ...{ acceptedIds: [], userErrors: [{ code: 'UNIT_NOT_FOUND' }] },
    });
  });
});

describe('a report about units', () => {
  it('stores the result with the job and the site, once', async () => {
    const pool = await TestPool.create(core, 'results');
    await pool.publish(units('a'));
    const [unit] = (await pool.lease(ada)).units as [Leased];
    const report = [{ ...refOf(unit), result: 'forty-two', seconds: 0 }];
    const answer = { acceptedIds: [unit.id], userErrors: [] };
    expect(await pool.report('complete', ada, report)).toEqual(answer);
    expect(await pool.through(second).report('complete', ada, report)).toEqual(answer);
    expect(await unitOf(unit.id)).toMatchObject({
      ...{ state: 'COMPLETED', attempts: 1, payload: 'payload of a' },
      completion: { jobId: ada.id, site: { name: 'Pole' }, seconds: 0, result: 'forty-two' },
    });
    expect(await pool.counts()).toMatchObject({ completed: 1 });
    expect(await pool.report('complete', bob, report)).toEqual({
      acceptedIds: [],
      userErrors: [{ code: 'UNIT_NOT_HELD', path: ['units', '0', 'fence'] }],
    });
  });

  it('returns a failed unit for its next attempt, and makes it a dead letter after the last', async () => {
    const pool = await TestPool.create(core, 'failures', { maxAttempts: 2, backoffSeconds: 0 });
    await pool.publish(units('a'));
    for (const attempt of [1, 2]) {
      const { units: leased } = await pool.lease(ada);
      expect(leased).toMatchObject([{ attempt, fence: attempt }]);
      const failed = leased.map((unit) => ({ ...refOf(unit), message: `no ${attempt}` }));
      expect(await pool.report('fail', ada, failed)).toMatchObject({ userErrors: [] });
    }
    const list =
      'query ($id: ID!) { workPool(id: $id) { deadUnits { nodes { id key payload error { code message } } totalCount } } }';
    const { workPool } = await core.ask(list, { id: pool.id });
    const error = { code: 'FAILED', message: 'no 2' };
    expect(workPool?.['deadUnits']).toMatchObject({
      nodes: [{ key: 'a', payload: 'payload of a', error }],
      totalCount: 1,
    });
    const id = String(workPool?.['deadUnits']?.['nodes']?.[0]?.['id']);
    expect(await pool.through(second).resubmit([id])).toMatchObject({ unitIds: [id], userErrors: [] });
    expect(await pool.resubmit([id])).toMatchObject({ userErrors: [{ code: 'UNIT_NOT_DEAD' }] });
    expect(await pool.resubmit([id.replace(/\d+$/, '7')])).toMatchObject({
      userErrors: [{ code: 'UNIT_NOT_FOUND' }],
    });
    expect((await pool.lease(bob)).units).toMatchObject([{ id, attempt: 1, fence: 3 }]);
    expect(await pool.counts()).toMatchObject({ leased: 1, dead: 0, failedAttempts: 2 });
  });

  it('is refused after the lease, when the unit is leased again', async () => {
    const pool = await TestPool.create(core, 'expired');
    await pool.publish(units('a', 'b'));
    const { units: leased } = await pool.lease(ada);
    await expire(pool.id);
    const again = await waitFor(
      'the units',
      async () => {
        const { units: found } = await pool.through(second).lease(bob);
        return found.length > 0 ? found : undefined;
      },
      minute,
    );
    expect(again[0]).toMatchObject({ fence: 2, attempt: 2 });
    for (const verb of ['complete', 'fail', 'extend'] as const)
      expect(await pool.report(verb, ada, leased.slice(0, 1).map(refOf))).toMatchObject({
        acceptedIds: [],
        userErrors: [{ code: 'UNIT_NOT_HELD' }],
      });
    expect(await pool.report('extend', bob, again.map(refOf))).toMatchObject({ userErrors: [] });
  });

  it('is refused after the attempt of the job, whose units wait again', async () => {
    const pool = await TestPool.create(core, 'ended');
    await pool.publish(units('a'));
    const eve = await runJob(core, 'eve');
    const [unit] = (await pool.lease(eve)).units as [Leased];
    await endJob(core, eve);
    const isBack = async () => JSON.stringify(await pool.counts()).includes('"waiting":1');
    await waitFor('the unit', isBack, minute);
    expect(await unitOf(unit.id)).toMatchObject({ error: { code: 'JOB_ENDED', jobId: eve.id } });
    expect(await pool.report('complete', eve, [refOf(unit)])).toMatchObject({
      userErrors: [{ code: 'FENCE_STALE' }],
    });
  });
});

describe('the upkeep of units', () => {
  it('adds the numbers of ended blocks to their pool, once', async () => {
    const pool = await TestPool.create(core, 'settled');
    await pool.publish(units('a', 'b'));
    const { units: leased } = await pool.lease(ada);
    await pool.report('complete', ada, leased.map(refOf));
    const ofPool = { poolId: pool.id, isCounted: true };
    const left = () => core.db.collection('unitBlocks').countDocuments(ofPool);
    await waitFor('the blocks', async () => (await left()) === 0, minute);
    expect(await pool.counts()).toMatchObject({ waiting: 0, leased: 0, completed: 2 });
    expect(await pool.report('complete', ada, leased.map(refOf))).toMatchObject({ userErrors: [] });
    expect(await pool.counts()).toMatchObject({ completed: 2 });
  });

  it('makes a unit a dead letter once its deadline has passed', async () => {
    const pool = await TestPool.create(core, 'deadline');
    const deadline = new Date(Date.now() + 3_600_000);
    const { unitIds } = await pool.publish([{ key: 'a', payload: 'x', deadline }]);
    await core.db
      .collection('unitBlocks')
      .updateOne(
        { poolId: pool.id },
        { $set: { 'units.0.deadline': past, sweepAt: past }, $inc: { revision: 1 } },
      );
    const id = String(unitIds?.[0]);
    const isDead = async () => (await unitOf(id))?.['state'] === ('DEAD' as unknown);
    await waitFor('the dead letter', isDead, minute);
    expect(await unitOf(id)).toMatchObject({ error: { code: 'DEADLINE_PASSED' } });
  });

  it('removes units after their retention, and keeps their counts', async () => {
    const pool = await TestPool.create(core, 'old', { retentionSeconds: 60 });
    const { unitIds } = await pool.publish(units('a', 'b'));
    const { units: leased } = await pool.lease(ada);
    await pool.report('complete', ada, leased.map(refOf));
    const before = await pool.counts();
    const ofPool = { poolId: pool.id };
    await core.db.collection('unitBlocks').updateMany(ofPool, { $set: { expiresAt: past } });
    const id = String(unitIds?.[0]);
    await waitFor('the removal', async () => (await unitOf(id)) === (null as unknown), minute);
    expect(await pool.counts()).toEqual(before);
    const blockId = id.replace('unit_', 'block_').replace(/\.\d+$/, '');
    const payloads = core.db.collection<{ _id: string }>('unitPayloads');
    expect(await payloads.countDocuments({ _id: blockId })).toBe(0);
  });
});
