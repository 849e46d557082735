/** Fleets of jobs, decided about by the leader of two processes of core. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { lastingLeases, seed, startCore } from '../support/core.fixture.js';
import {
  createFleet,
  fleetInput,
  FleetWorker,
  type SeenFleet,
  TestFleet,
} from '../support/job-fleets.fixture.js';
import { keysOf, minute, refOf, TestPool, units, type UnitsCore } from '../support/units.fixture.js';

const config = { fleets: { passMs: 50 }, units: { sweepMs: 50, graceMs: 0 } };
const quick = { upCooldownSeconds: 0, downCooldownSeconds: 1000, targetLagSeconds: 1, idleSeconds: 1 };
const many = (name: string, count: number): readonly object[] =>
  units(...Array.from({ length: count }, (_, at) => `${name}${at}`));

const decidedText =
  'subscription ($id: ID!, $after: String) { fleetDecided(fleetId: $id, after: $after) { cursor decision { reason } } }';

let core: UnitsCore;
let second: UnitsCore;
let worker: FleetWorker;

beforeAll(async () => {
  core = await startCore({ config });
  await seed(core, lastingLeases);
  second = await startCore({ db: core.db, config });
  worker = await FleetWorker.join([core, second], 'crew');
});

/** Jobs of a fleet in the store, by state. */
const stored = async (
  fleet: TestFleet,
): Promise<readonly { readonly _id: string; readonly state: string }[]> =>
  (await core.db
    .collection('jobs')
    .find({ 'fleet.id': fleet.id }, { projection: { state: 1 } })
    .toArray()) as never;
const reasons = ({ decisions }: SeenFleet): readonly string[] => decisions.nodes.map(({ reason }) => reason);
const end = async (fleet: TestFleet): Promise<void> => {
  await fleet.command('drain');
  await fleet.until('the end', ({ state }) => state === 'ENDED');
};

describe('createFleet', () => {
  it('keeps a dataset open to which jobs of the fleet add outputs', async () => {
    const { createDataset } = await core.ask(
      'mutation { createDataset(input: { experiment: "alpha", name: "of.fleet" }) { dataset { id } } }',
    );
    const datasetId = String(createDataset?.['dataset']?.['id']);
    const pool = await TestPool.create(core, 'adding');
    const input = fleetInput(pool.id, 'adding', { max: 1 }) as { readonly job: object };
    const payload = { command: 'work', outputs: ['x'], outputDatasets: [{ output: 'x', datasetId }] };
    const answer = await createFleet(core, { ...input, job: { ...input.job, payload } });
    expect(answer['userErrors']).toEqual([]);
    const fleet = new TestFleet(core, String(answer['fleet']?.['id']));
    const close = async () =>
      (
        await core.ask(
          'mutation ($id: ID!) { closeDataset(input: { datasetId: $id }) { dataset { state } userErrors { code message } } }',
          { id: datasetId },
        )
      )['closeDataset'];
    expect(await close()).toMatchObject({
      userErrors: [{ code: 'DATASET_IN_USE', message: expect.stringContaining(fleet.id) }],
    });
    await end(fleet);
    expect(await close()).toMatchObject({ dataset: { state: 'CLOSED' }, userErrors: [] });
  });

  it('names the fields that are wrong, and checks without a change', async () => {
    const pool = await TestPool.create(core, 'checked');
    const bad = fleetInput(pool.id, 'bad name', { min: 5, max: 2, queues: [{ queue: 'nowhere', max: 1 }] });
    const { userErrors } = await createFleet(core, bad);
    expect(userErrors).toMatchObject([
      { code: 'INVALID_VALUE', path: ['name'] },
      { code: 'INVALID_VALUE', path: ['settings', 'min'] },
      { code: 'QUEUE_NOT_FOUND', path: ['settings', 'queues', '0', 'queue'] },
    ]);
    const good = fleetInput(pool.id, 'checked', { max: 2 });
    expect(await createFleet(core, { ...good, isDryRun: true })).toEqual({ fleet: null, userErrors: [] });
    const first = await createFleet(core, good);
    expect((await createFleet(second, good))['fleet']).toEqual(first['fleet']);
    const other = fleetInput(pool.id, 'checked', { max: 3 });
    expect(await createFleet(core, other)).toMatchObject({ userErrors: [{ code: 'FLEET_NAME_TAKEN' }] });
    await pool.close();
    const late = await createFleet(core, fleetInput(pool.id, 'late', {}));
    expect(late).toMatchObject({ userErrors: [{ code: 'POOL_CLOSED' }] });
  });

  it('starts jobs by the lag, up to the most, and releases idle ones until the pool is drained', async () => {
    const pool = await TestPool.create(core, 'scaled');
    const fleet = await TestFleet.create(core, pool.id, 'scaled', { ...quick, min: 1, max: 3 });
    const first = await worker.startOne();
    await fleet.until('a running job', ({ jobCounts }) => jobCounts.running === 1);
    await pool.publish(many('u', 40));
    const busy = await pool.lease(first, 1);
    const other = await worker.startOne();
    // A job that holds no unit needs no other.
    const one = await pool.lease(other, 1);
    const third = await worker.startOne();
    const seen = await fleet.until('three jobs', ({ targetJobs }) => targetJobs === 3);
    expect([...new Set(reasons(seen))]).toEqual(['LAG_HIGH', 'MINIMUM']);
    expect(await stored(fleet)).toHaveLength(3);
    const rest = await pool.lease(other, 100);
    await pool.report('complete', other, [...one.units, ...rest.units].map(refOf));
    // The job that still holds a unit stays.
    await fleet.until('one job', ({ targetJobs, jobCounts }) => targetJobs === 1 && jobCounts.released === 2);
    for (const idle of [other, third])
      expect(await pool.lease(idle, 1, 60)).toMatchObject({ units: [], isDrained: true });
    await worker.finish([other, third]);
    await pool.report('complete', first, busy.units.map(refOf));
    const waiting = pool.lease(first, 1, 60);
    await pool.close();
    expect(await waiting).toMatchObject({ units: [], isDrained: true });
    await fleet.until('draining', ({ state }) => state === 'DRAINING');
    await worker.finish([first]);
    const ended = await fleet.until('the last decision', (seen) => reasons(seen).includes('ENDED'));
    expect(reasons(ended).slice(0, 3)).toEqual(['ENDED', 'POOL_DRAINED', 'IDLE']);
  });
});

describe('a fleet', () => {
  it('adds no jobs for units that cannot be leased yet', async () => {
    const pool = await TestPool.create(core, 'later', { backoffSeconds: 3600 });
    const fleet = await TestFleet.create(core, pool.id, 'later', { ...quick, min: 1, max: 3 });
    const job = await worker.startOne();
    await pool.publish(many('l', 1));
    const { units: first } = await pool.lease(job, 1);
    await pool.report('fail', job, first.map(refOf));
    await fleet.command('prewarm', { jobs: 2, until: new Date(Date.now() + 600_000).toISOString() });
    const seen = await fleet.until('two jobs', ({ decisions: { nodes } }) => nodes[0]?.targetJobs === 2);
    expect(seen.decisions.nodes[0]).toMatchObject({ reason: 'PREWARMED', waitingUnits: 1, lagSeconds: 0 });
    await fleet.command('drain');
    await worker.finish([job]);
    await fleet.until('the end', ({ state }) => state === 'ENDED');
  });

  it('replaces jobs that have ended, and waits after several failures', async () => {
    const pool = await TestPool.create(core, 'replaced');
    const fleet = await TestFleet.create(core, pool.id, 'replaced', { min: 1, max: 1 });
    await worker.finish(await worker.start(1));
    // The first one has completed no unit, which counts as a failure.
    for (let failed = 0; failed < 2; failed += 1) await worker.fail(await worker.start(1));
    const seen = await fleet.until('a pause', (now) => reasons(now).includes('FAILING'));
    expect(reasons(seen)).toEqual(['FAILING', 'REPLACED', 'REPLACED', 'MINIMUM']);
    expect(seen.jobCounts).toEqual({ waiting: 0, running: 0, released: 0, outdated: 0 });
    await end(fleet);
  });

  it('gives no units while it is paused, also to calls that wait', async () => {
    const pool = await TestPool.create(core, 'paused');
    const fleet = await TestFleet.create(core, pool.id, 'paused', { min: 1, max: 2 });
    const job = await worker.startOne();
    const both = [pool, pool.through(second)] as const;
    const streams = [core, second].map(({ subscribe }) => subscribe(decidedText, { id: fleet.id }));
    await waitFor('both openings', () => streams.every(({ results }) => results.length === 1), minute);
    const waiting = both[1].lease(job, 1, 60);
    expect(await fleet.command('pause', { reason: 'standby' })).toMatchObject({ userErrors: [] });
    await waitFor('both processes', () => streams.every(({ results }) => results.length === 2), minute);
    for (const through of both) expect(keysOf(await through.lease(job))).toEqual([]);
    await pool.publish(many('p', 1));
    for (const through of both) expect(keysOf(await through.lease(job))).toEqual([]);
    await fleet.command('resume');
    const got = await waiting;
    expect(keysOf(got)).toEqual(['p0']);
    expect(reasons(await fleet.see()).slice(0, 2)).toEqual(['RESUMED', 'PAUSED']);
    await pool.report('complete', job, got.units.map(refOf));
    await fleet.command('drain');
    expect(await pool.lease(job, 1, 60)).toMatchObject({ units: [], isDrained: true });
    await worker.finish([job]);
    await fleet.until('the end', ({ state }) => state === 'ENDED');
    expect(await fleet.command('pause')).toMatchObject({ userErrors: [{ code: 'FLEET_STATE_CONFLICT' }] });
  });

  it('starts jobs that are requested before there is work', async () => {
    const pool = await TestPool.create(core, 'warm');
    const fleet = await TestFleet.create(core, pool.id, 'warm', { max: 4 });
    const until = new Date(Date.now() + 600_000).toISOString();
    expect(await fleet.command('prewarm', { jobs: 5, until })).toMatchObject({
      userErrors: [{ code: 'INVALID_VALUE', path: ['jobs'] }],
    });
    await fleet.command('prewarm', { jobs: 3, until });
    const seen = await fleet.until('three jobs', ({ jobCounts }) => jobCounts.waiting === 3);
    expect(seen.targetJobs).toBe(3);
    await end(fleet);
    expect((await stored(fleet)).map(({ state }) => state)).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED']);
  });

  it('replaces the jobs of an earlier version, one batch after the other', async () => {
    const pool = await TestPool.create(core, 'rolled');
    const settings = { min: 2, max: 4 };
    const fleet = await TestFleet.create(core, pool.id, 'rolled', settings);
    const old = await worker.start(2);
    await fleet.until('two jobs', ({ jobCounts }) => jobCounts.running === 2);
    const { job } = fleetInput(pool.id, 'newer', settings) as { readonly job: object };
    expect(await fleet.command('update', { job })).toMatchObject({ userErrors: [] });
    expect(await fleet.command('update', { settings: { max: 2 } })).toMatchObject({
      userErrors: [{ code: 'INVALID_VALUE', path: ['settings', 'min'] }],
    });
    // A new job is started before an old one is released.
    const first = await worker.startOne();
    await fleet.until('a released job', ({ jobCounts }) => jobCounts.released === 1);
    const next = await worker.startOne();
    await fleet.until('both released', ({ jobCounts }) => jobCounts.released === 2);
    for (const one of old) expect(await pool.lease(one, 1, 60)).toMatchObject({ isDrained: true });
    await worker.finish(old);
    const seen = await fleet.until('new jobs', ({ jobCounts }) => jobCounts.released === 0);
    expect(seen).toMatchObject({ jobVersion: 2, jobCounts: { running: 2, outdated: 0 } });
    expect(await stored(fleet)).toHaveLength(4);
    await fleet.command('drain');
    await worker.finish([first, next]);
    await fleet.until('the end', ({ state }) => state === 'ENDED');
  });

  it('streams its decisions, and again after a cursor', async () => {
    const pool = await TestPool.create(core, 'streamed');
    const fleet = await TestFleet.create(core, pool.id, 'streamed', { max: 1 });
    type Message = { readonly cursor: string; readonly decision: { readonly reason: string } | null };
    const messages = (stream: ReturnType<UnitsCore['subscribe']>): readonly Message[] =>
      stream.results.map(({ data }) => (data as { fleetDecided: Message }).fleetDecided);
    const stream = second.subscribe(decidedText, { id: fleet.id });
    await waitFor('the opening', () => stream.results.length === 1, minute);
    await fleet.command('pause');
    await fleet.command('resume');
    await waitFor('two decisions', () => stream.results.length === 3, minute);
    expect(messages(stream).map(({ decision }) => decision?.reason)).toEqual([
      undefined,
      'PAUSED',
      'RESUMED',
    ]);
    const again = core.subscribe(decidedText, { id: fleet.id, after: messages(stream)[1]?.cursor });
    await waitFor('the second decision', () => again.results.length === 1, minute);
    expect(messages(again)[0]?.decision?.reason).toBe('RESUMED');
    await end(fleet);
  });

  it('starts nothing twice when another process leads', async () => {
    const pool = await TestPool.create(core, 'moved');
    const fleet = await TestFleet.create(core, pool.id, 'moved', { min: 3, max: 6 });
    const jobs = await worker.start(3);
    await fleet.until('three jobs', ({ jobCounts }) => jobCounts.running === 3);
    await core.stop();
    fleet.moveTo(second);
    worker.moveTo(second);
    // The second process leads once it replaces a job.
    await worker.finish(jobs.slice(0, 1));
    await worker.start(1);
    await fleet.until('three jobs', ({ jobCounts }) => jobCounts.running === 3);
    const made = await second.db.collection('jobs').find({ 'fleet.id': fleet.id }).toArray();
    expect(made.map(({ state }) => state).sort()).toEqual(['FINISHED', 'RUNNING', 'RUNNING', 'RUNNING']);
  });
});
