// Live runs of ePIC on a real core: announcements, the feed through crashes, phases, results and the end.
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createPrincipal, type Principal } from '@rhizome/authz';
import { createIds, systemClock } from '@rhizome/clock';
import { experiment } from '@rhizome/epic';
import { silentLogger } from '@rhizome/log';
import { waitFor } from '@rhizome/testkit';
import { type AnyData, mutationText } from '../e2e/system/api.js';
import { losing } from './faulty-client.js';
import { fast, liveRunCalls, minute } from './live-run-calls.js';
import { document, mutate, type RunningExperiment, type System, startTestSystem } from './test-system.js';
import { startWorker } from './worker.js';

let started = 0;
beforeEach(() => {
  started = Date.now();
});
let system: System;
let running: RunningExperiment;
let attempt: Principal;
const { at, announce, state, daq, frame, frames, shown, until, poolOf, fleetOf } = liveRunCalls(
  () => system,
  () => started,
);

beforeAll(async () => {
  system = await startTestSystem([experiment]);
  running = system.experiments['epic'] as RunningExperiment;
  attempt = await standingJob();
});

/** Caller with the token of the attempt of a job that runs. */
async function standingJob(): Promise<Principal> {
  const worker = await startWorker(system);
  const jobs = [{ name: 'standing', payload: { command: 'true' } }];
  await mutate(system, 'submitJobs', { experiment: 'epic', idempotencyKey: 'standing', jobs });
  const [job] = await worker.acquire(1);
  if (!job) throw new Error('no job');
  await worker.start([job]);
  return createPrincipal({
    ...{ kind: 'HUMAN', subject: 'admin@example', actions: ['job:read'] },
    grants: [{ experiment: 'epic', roles: ['READER'] }],
    attempt: { jobId: job.id, attempt: 1, fence: job.fence },
    expiresAt: new Date('2099-01-01T00:00:00Z'),
  });
}

/** Leases units of a pool and reports them. @returns their keys */
async function work(
  pool: string,
  max: number,
  field: 'completeWorkUnits' | 'failWorkUnits' = 'completeWorkUnits',
): Promise<readonly string[]> {
  const lease = `mutation ($input: LeaseWorkUnitsInput!) { leaseWorkUnits(input: $input) {
    units { id fence key payload } userErrors { message } } }`;
  const leased = await system.askSubgraph('core', lease, { input: { pool, max } }, attempt);
  const { units } = leased.data.leaseWorkUnits;
  const report = mutationText(field, 'acceptedIds userErrors { message }');
  const seconds = field === 'completeWorkUnits' ? { seconds: 0.01 } : {};
  const reports = units.map(({ id, fence }: AnyData) => ({ id, fence, ...seconds }));
  if (units.length > 0) await system.askSubgraph('core', report, { input: { units: reports } }, attempt);
  return units.map(({ key }: AnyData) => key);
}

describe('a live run', () => {
  it('is processed once, slice by slice, from its announcement to its end', async () => {
    expect(await announce(1, { paths: [fast(), fast({ name: 'FULL' })] })).toMatchObject({
      run: { phase: 'IMMINENT' },
      userErrors: [],
    });
    const ready = await until(1, 'pre-warmed fleets', ({ paths }) =>
      paths.every((path: AnyData) => path.lanes[0].workers.target === 4),
    );
    const [lane] = ready.paths[0].lanes;
    expect(lane.workers).toMatchObject({
      running: 0,
      maximum: 4,
      reason: expect.stringMatching(/PREWARMED/),
    });
    expect(await fleetOf(lane.fleetId)).toMatchObject({ state: 'RUNNING', prewarm: { jobs: 4 } });
    expect(await frames(1, [frame(0), frame(1), frame(3)])).toEqual({
      ...{ announcedCount: 3, repeatedCount: 0, userErrors: [] },
    });
    expect((await shown(1)).paths[0]).toMatchObject({ fedSlices: 0, announcedSlices: 45 });
    await daq(1, 'PHYSICS', 10);
    const fed = await until(1, 'the feed', ({ paths }) =>
      paths.every((path: AnyData) => path.fedSlices === 45),
    );
    const late = await until(1, 'a lag', ({ paths: [path] }) => path.lagSeconds > 0);
    expect(late.paths[0].slices).toMatchObject({ waiting: 45, leased: 0, completed: 0 });
    expect(late.paths[0].lanes[0].feed).toMatchObject({ isHeld: false, heldBy: null });
    expect(fed.frames).toMatchObject({ announced: 3, bytes: 6000, lastNumber: 3, missing: 1 });
    expect(fed.frames.gaps).toEqual([{ first: 2, last: 2 }]);
    expect(fed.frames.ratePerSecond).toBeCloseTo(2 / 1.8);
    expect((await poolOf(lane.poolId)).counts).toEqual({ waiting: 45, completed: 0 });
    const keys = [...(await work('run-1-fast', 100)), ...(await work('run-1-full', 100))];
    expect(new Set(keys).size).toBe(45);
    await daq(1, 'ENDED', 20);
    const ended = await until(1, 'the end', ({ endedAt }) => endedAt !== null);
    const [path] = ended.paths;
    expect(path).toMatchObject({
      slices: { waiting: 0, leased: 0, completed: 45, dead: 0 },
      latency: { results: 45 },
      sites: [{ site: { name: 'POLE' }, completed: 45, failedAttempts: 0 }],
    });
    expect(path.latency.minimum).toBeLessThan(0.02);
    expect(path.slowest).toHaveLength(20);
    expect(path.slowest[0]).toMatchObject({ site: { name: 'POLE' }, job: { name: 'standing' } });
    expect(path.cost.busyCoreHours).toBeCloseTo((45 * 0.01) / 3600);
    expect((await poolOf(lane.poolId)).state).toBe('CLOSED');
    expect((await fleetOf(lane.fleetId)).state).toBe('ENDED');
    expect((await frames(1, [frame(9)])).userErrors).toMatchObject([{ code: 'RUN_CLOSED' }]);
    expect(await frames(1, [frame(1)])).toMatchObject({ repeatedCount: 1, userErrors: [] });
  });

  it('feeds each slice once through crashes before and after each write of the feed', async () => {
    await announce(2);
    await daq(2, 'PHYSICS', 10);
    await frames(
      2,
      [0, 1, 2, 3].map((number) => frame(number)),
    );
    const { paths } = await until(2, 'the feed', (run) => run.paths[0].fedSlices === 60);
    const { poolId } = paths[0].lanes[0];
    const runs = running.db.collection('liveRuns');
    const set = (values: object) =>
      runs.updateOne({ runNumber: 2 }, { $set: { 'paths.FAST.lanes.0.published': 0, ...values } });
    // After the intent; after core's answer; with a part of the frames under another intent.
    for (const to of [4, 2]) {
      await running.service.stop();
      await set({ 'paths.FAST.fed': 0, 'paths.FAST.intent': { lane: 0, to } });
      await running.restart();
      await until(2, 'the repeated feed', (run) => run.paths[0].fedSlices === 60);
      expect((await poolOf(poolId)).counts.waiting).toBe(60);
    }
    // The answers of core are lost.
    await running.restart(losing(system.service('epic'), 'answer'));
    await frames(2, [frame(4)]);
    await waitFor('units of the frame', async () => (await poolOf(poolId)).counts.waiting === 75, minute);
    // A worker may complete a slice before core has answered.
    expect((await running.db.collection('liveFrames').findOne({ number: 4 }))?.['fed'].FAST).toBeInstanceOf(
      Date,
    );
    await running.restart();
    await until(2, 'the feed', (run) => run.paths[0].fedSlices === 75);
    expect((await poolOf(poolId)).counts.waiting).toBe(75);
    expect(new Set(await work('run-2-fast', 100)).size).toBe(75);
    await daq(2, 'ENDED', 20);
    await until(2, 'the end', ({ endedAt }) => endedAt !== null);
  });

  it('is worked for by one process at a time, and by another one once that has ended', async () => {
    const { db } = running;
    const core = system.service('epic');
    const other = await experiment.build({
      db,
      core,
      clock: systemClock,
      ids: createIds(),
      log: silentLogger(),
    });
    await other.start();
    try {
      await announce(9);
      await daq(9, 'PHYSICS', 10);
      await frames(9, [frame(0), frame(1)]);
      const { paths } = await until(9, 'the feed', (run) => run.paths[0].fedSlices === 30);
      await running.service.stop();
      await frames(9, [frame(2)]);
      await until(9, 'the feed by the other process', (run) => run.paths[0].fedSlices === 45);
      expect((await poolOf(paths[0].lanes[0].poolId)).counts.waiting).toBe(45);
    } finally {
      await other.stop();
      await running.restart();
    }
    // A process that was killed has kept its claim.
    const claims = db.collection<{ _id: string; holder: string; until: Date }>('liveClaims');
    const { id } = await shown(9);
    const over = new Date(Date.now() + 2000);
    await waitFor(
      'a claim of a process that is gone',
      async () =>
        (await claims.updateOne({ _id: id }, { $set: { holder: 'gone', until: over } })).matchedCount === 1,
      minute,
    );
    await frames(9, [frame(3)]);
    await until(9, 'the feed after the end of the claim', (run) => run.paths[0].fedSlices === 60);
    expect(new Set(await work('run-9-fast', 100)).size).toBe(60);
    await daq(9, 'ENDED', 20);
    await until(9, 'the end', ({ endedAt }) => endedAt !== null);
  });

  it('gives no slices to workers in STANDBY, and goes on afterwards', async () => {
    await announce(3);
    await daq(3, 'PHYSICS', 10);
    await frames(3, [frame(0)]);
    const { paths } = await until(3, 'the feed', (run) => run.paths[0].fedSlices === 15);
    const { fleetId } = paths[0].lanes[0];
    expect((await daq(3, 'STANDBY', 11)).run).toEqual({ phase: 'STANDBY' });
    await waitFor('the pause', async () => (await fleetOf(fleetId)).state === 'PAUSED', minute);
    await frames(3, [frame(1)]);
    const held = await until(3, 'a held feed', (run) =>
      run.paths[0].lanes[0].feed.message.includes('STANDBY'),
    );
    expect(held.paths[0]).toMatchObject({
      ...{ fedSlices: 15, announcedSlices: 30 },
      lanes: [{ feed: { isHeld: true, reason: 'PHASE', heldBy: { subject: 'epic:regulator' } } }],
    });
    await until(3, 'a lag of the feed', (run) => run.paths[0].feedLagSeconds > 0);
    await daq(3, 'PHYSICS', 12);
    await waitFor('the resumption', async () => (await fleetOf(fleetId)).state === 'RUNNING', minute);
    const again = await until(3, 'the feed', (run) => run.paths[0].fedSlices === 30);
    expect(again.decisions.nodes.map(({ reason }: AnyData) => reason)).toEqual(['FED', 'PHASE', 'FED']);
    await daq(3, 'ENDED', 13);
    await until(3, 'the whole work', async () => (await work('run-3-fast', 100), (await shown(3)).endedAt));
  });
});

describe('a change of a live run', () => {
  it('is sent to subscribers', async () => {
    await announce(10);
    const text = 'subscription { epicLiveRunChanged(runNumber: 10) { cursor event { run { phase } } } }';
    const stream = (await system.client()).subscribe(document(text), {});
    await waitFor('the opening message', stream.next(), minute);
    await daq(10, 'PHYSICS', 10);
    const isPhysics = (data: AnyData) => data.epicLiveRunChanged.event?.run.phase === 'PHYSICS';
    await waitFor<Record<string, unknown>>('the phase', stream, { ...minute, until: isPhysics });
    await stream.return?.();
  });
});

describe('the announcement of a run', () => {
  it('is refused to those who may only submit', async () => {
    const alice = await system.tokens.human('alice@example', { epic: 'USER' });
    const text = `mutation ($input: AnnounceEpicLiveRunInput!) { announceEpicLiveRun(input: $input) { run { id } } }`;
    const input = { runNumber: 11, detectorConfiguration: 'epic', paths: [fast()] };
    expect((await system.ask(text, { input }, alice)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect(await shown(11)).toBeNull();
  });

  it('names queues that core does not have, and can be repeated with others', async () => {
    expect(await announce(11, { paths: [fast({ queues: ['north', 'nowhere'] })] })).toMatchObject({
      userErrors: [{ code: 'INVALID_VALUE', path: ['paths', '0', 'queues', '1'] }],
    });
    expect(await announce(11)).toMatchObject({ userErrors: [] });
  });

  it('shows what runs, and marks the jobs with the principal that announced it', async () => {
    await announce(21, { paths: [fast({ command: 'reco', arguments: ['-q'] })] });
    const text =
      '{ epic { liveRun(runNumber: 21) { paths { command arguments image lanes { fleetId } } } } }';
    const [path] = (await system.ask(text)).data.epic.liveRun.paths;
    expect(path).toMatchObject({ command: 'reco', arguments: ['-q'], image: null });
    const labels = await waitFor(
      'jobs of the fleet',
      async () => {
        const wanted = { labels: [{ key: 'epic-live-run', value: '21' }] };
        const jobs =
          'query ($filter: JobFilter) { jobs(filter: $filter) { nodes { labels { key value } } } }';
        return (await system.ask(jobs, { filter: wanted })).data.jobs.nodes[0]?.labels as AnyData;
      },
      minute,
    );
    expect(labels).toContainEqual({ key: 'epic-announced-by', value: 'admin@example' });
  });
});

describe('a lane that takes no slices', () => {
  const two = { paths: [fast({ queues: ['north', 'south'] })] };
  const south = () =>
    mutate(system, 'createQueue', { name: 'south', site: 'SOUTH', idempotencyKey: 'south' });
  const endOf = (run: number) => until(run, 'the end', ({ endedAt }) => endedAt !== null);

  it('does not stop the others if core refuses it', async () => {
    await south();
    await mutate(system, 'createWorkPool', { experiment: 'epic', name: 'run-22-fast' }, 'pool { id }');
    await announce(22, two);
    expect((await until(22, 'a problem', (run) => run.problem !== null)).problem).toMatch(
      /run-22-fast: core refused createWorkPool/,
    );
    await daq(22, 'PHYSICS', 10);
    await frames(22, [frame(0)]);
    const { paths } = await until(22, 'the feed', (run) => run.paths[0].fedSlices === 15);
    await daq(22, 'STANDBY', 11);
    const { fleetId } = paths[0].lanes[1];
    await waitFor('the pause', async () => (await fleetOf(fleetId)).state === 'PAUSED', minute);
    await daq(22, 'ENDED', 12);
    await waitFor('the work', async () => (await work('run-22-fast-1', 100)).length === 15, minute);
    const ended = await endOf(22);
    expect(ended.paths[0]).toMatchObject({ fedSlices: 15, latency: { results: 15 } });
    expect(ended.problem).toMatch(/run-22-fast/);
  });

  it('has its pool closed with the run if core refuses its fleet', async () => {
    const input = { experiment: 'epic', name: 'another' };
    const { pool } = await mutate(system, 'createWorkPool', input, 'pool { id }');
    const job = { name: 'another', payload: { command: 'true' }, requirements: {} };
    await mutate(system, 'createFleet', { poolId: pool.id, name: 'run-27-fast', settings: {}, job });
    await announce(27);
    const refused = await until(27, 'a problem', (run) => run.problem !== null);
    expect(refused.problem).toMatch(/run-27-fast: core refused createFleet/);
    const [lane] = refused.paths[0].lanes;
    expect(lane).toMatchObject({ poolId: expect.stringMatching(/^pool_/), fleetId: null });
    expect((await poolOf(lane.poolId)).state).toBe('OPEN');
    await daq(27, 'ENDED', 10);
    await endOf(27);
    expect((await poolOf(lane.poolId)).state).toBe('CLOSED');
  });

  it('is given up when the run is overdue if core refuses to close it, and the others are closed', async () => {
    await south();
    await announce(28, two);
    const isReady = (run: AnyData) => run.paths[0].lanes.every(({ fleetId }: AnyData) => fleetId !== null);
    const ready = await until(28, 'fleets', isReady);
    const runs = running.db.collection('liveRuns');
    await running.service.stop();
    await runs.updateOne({ runNumber: 28 }, { $set: { 'paths.FAST.lanes.0.poolId': 'pool_none' } });
    await running.restart();
    await daq(28, 'ENDED', 10);
    const found = await until(28, 'a problem', (run) => run.problem !== null);
    expect(found.problem).toMatch(/run-28-fast end: core refused closeWorkPool/);
    const { poolId } = ready.paths[0].lanes[1];
    await waitFor('the end of the other', async () => (await poolOf(poolId)).state === 'CLOSED', minute);
    expect((await shown(28)).endedAt).toBeNull();
    await runs.updateOne({ runNumber: 28 }, { $set: { closesAt: new Date(Date.now() - 660_000) } });
    expect((await endOf(28)).problem).toMatch(/run-28-fast end/);
  });

  it('gives its frames to another one if its pool is closed before they are published', async () => {
    await south();
    await announce(23, two);
    await daq(23, 'PHYSICS', 10);
    await frames(23, [frame(0)]);
    const { paths } = await until(23, 'the feed', (run) => run.paths[0].fedSlices === 15);
    await running.service.stop();
    await mutate(system, 'closeWorkPool', { poolId: paths[0].lanes[0].poolId });
    await frames(23, [frame(1), frame(2)]);
    const runs = running.db.collection('liveRuns');
    await runs.updateOne({ runNumber: 23 }, { $set: { 'paths.FAST.intent': { lane: 0, to: 3 } } });
    await running.restart();
    await until(23, 'the feed', (run) => run.paths[0].fedSlices === 45);
    const keys = await work('run-23-fast-1', 100);
    expect(keys.length).toBeGreaterThanOrEqual(30);
    expect(new Set([...keys, ...(await work('run-23-fast', 100))]).size).toBe(45);
    await daq(23, 'ENDED', 20);
    expect((await endOf(23)).paths[0].latency.results).toBe(45);
  });

  it('is a problem if its fleet was drained, and keeps the run from ending for ten minutes at most', async () => {
    await announce(24);
    await daq(24, 'PHYSICS', 10);
    await frames(24, [frame(0)]);
    const { paths } = await until(24, 'the feed', (run) => run.paths[0].fedSlices === 15);
    const { fleetId } = paths[0].lanes[0];
    await mutate(system, 'drainFleet', { fleetId, reason: 'test' });
    await waitFor('the end of the fleet', async () => (await fleetOf(fleetId)).state === 'ENDED', minute);
    // Stored after the decision that holds the lane.
    const closed = 'run-24-fast: its pool or its fleet was closed or drained';
    const held = await until(24, 'a problem', (run) => run.problem?.includes(closed));
    await frames(24, [frame(1)]);
    expect(held.paths[0].lanes[0].feed.reason).toBe('LANE_CLOSED');
    expect((await state(24, { facet: 'OPERATOR', state: 'END', at: at(12) })).run.phase).toBe('COMPLETED');
    const runs = running.db.collection('liveRuns');
    await until(
      24,
      'a closed run',
      async () => (await runs.findOne({ runNumber: 24 }))?.['stage'] === 'CLOSED',
    );
    expect((await shown(24)).endedAt).toBeNull();
    await runs.updateOne({ runNumber: 24 }, { $set: { closesAt: new Date(Date.now() - 660_000) } });
    const ended = await endOf(24);
    expect(ended.paths[0]).toMatchObject({ announcedSlices: 30, fedSlices: 15, slices: { waiting: 15 } });
    expect(ended.problem).toMatch(/run-24-fast/);
  });
});

describe('the announcement of a state', () => {
  it('is repeated without effect, kept when it is late, and refused when it contradicts another', async () => {
    await announce(4);
    expect(await daq(4, 'PHYSICS', 10)).toMatchObject({ entry: { sequence: 1, isLate: false } });
    expect(await daq(4, 'PHYSICS', 10)).toMatchObject({ entry: { sequence: 1 }, userErrors: [] });
    expect(await daq(4, 'READY', 5)).toMatchObject({
      entry: { sequence: 2, isLate: true, phase: 'PHYSICS' },
    });
    expect(await daq(4, 'STANDBY', 10)).toMatchObject({ userErrors: [{ code: 'STATE_CONFLICT' }] });
    const { history, phase, phaseSince } = await shown(4);
    expect({ phase, phaseSince }).toEqual({ phase: 'PHYSICS', phaseSince: at(10) });
    expect(history.nodes.map((node: AnyData) => [node.state, node.isLate])).toEqual([
      ['READY', true],
      ['PHYSICS', false],
    ]);
  });

  it('is accepted from the owner of the facet alone', async () => {
    const alice = await system.tokens.human('alice@example', { epic: 'USER' });
    await announce(5, { owners: [{ facet: 'MACHINE', subject: 'alice@example' }] });
    const beam = { facet: 'MACHINE', state: 'BEAM', at: at(1), reason: 'first collisions' };
    expect(await state(5, beam)).toMatchObject({ userErrors: [{ code: 'FORBIDDEN', path: ['facet'] }] });
    expect(await state(5, beam, alice)).toMatchObject({ entry: { sequence: 1 } });
    const ready = { facet: 'DAQ', state: 'READY', at: at(1) };
    expect(await state(5, ready, alice)).toMatchObject({ userErrors: [{ code: 'FORBIDDEN' }] });
    expect((await frames(5, [frame(0)], alice)).userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect((await shown(5)).history.nodes).toMatchObject([
      { author: { subject: 'alice@example' }, reason: 'first collisions' },
    ]);
  });

  it('ends a run for those who manage the jobs of others, and does nothing else for them', async () => {
    const owners = ['DAQ', 'OPERATOR'].map((facet) => ({ facet, subject: 'gone@example' }));
    await announce(25, { owners });
    expect(await daq(25, 'ENDED', 1)).toMatchObject({ userErrors: [{ code: 'FORBIDDEN' }] });
    const operator = { facet: 'OPERATOR', at: at(1) };
    expect(await state(25, { ...operator, state: 'HOLD' })).toMatchObject({
      userErrors: [{ code: 'FORBIDDEN' }],
    });
    const bob = await system.tokens.human('bob@example', { epic: 'USER' });
    expect(await state(25, { ...operator, state: 'END' }, bob)).toMatchObject({
      userErrors: [{ code: 'FORBIDDEN' }],
    });
    expect(await state(25, { ...operator, state: 'END' })).toMatchObject({ run: { phase: 'COMPLETED' } });
    expect((await shown(25)).history.nodes).toMatchObject([{ author: { subject: 'admin@example' } }]);
  });

  it('is refused if the history of the facet is full, unless it ends the run', async () => {
    await announce(26);
    const runs = running.db.collection('liveRuns');
    await runs.updateOne({ runNumber: 26 }, { $set: { 'entriesOf.DAQ': 10_000 } });
    expect(await daq(26, 'READY', 1)).toMatchObject({ userErrors: [{ code: 'HISTORY_FULL' }] });
    expect(await state(26, { facet: 'MACHINE', state: 'BEAM', at: at(1) })).toMatchObject({ userErrors: [] });
    expect(await daq(26, 'ENDED', 2)).toMatchObject({ run: { phase: 'COMPLETED' } });
    expect(await daq(26, 'ENDED', 3)).toMatchObject({ userErrors: [{ code: 'HISTORY_FULL' }] });
  });

  it('reports what is wrong with it', async () => {
    expect(await daq(99, 'READY', 1)).toMatchObject({ userErrors: [{ code: 'RUN_NOT_FOUND' }] });
    expect(await state(4, { facet: 'DAQ', state: 'BEAM', at: at(1) })).toMatchObject({
      userErrors: [
        {
          message:
            'state: "BEAM" is not valid; must be a state of DAQ: NOT_READY, READY, PHYSICS, STANDBY, ENDED',
        },
      ],
    });
    const twice = await announce(4, { detectorConfiguration: 'another' });
    expect(twice.userErrors).toMatchObject([{ code: 'RUN_NUMBER_TAKEN' }]);
    expect(await announce(4)).toMatchObject({ userErrors: [] });
    expect((await frames(4, [frame(0)])).announcedCount).toBe(1);
    expect((await frames(4, [frame(0, { bytes: 1 })])).userErrors).toMatchObject([
      { code: 'FRAME_CONFLICT' },
    ]);
  });
});

describe('the feed of a site', () => {
  const north = (run: number) => announce(run, { paths: [fast({ queues: ['north'] })] });
  const hold = { site: 'POLE', isHeld: true, reason: 'power cut' };
  const release = { ...hold, isHeld: false, reason: 'power is back' };

  it('is held and released by a person', async () => {
    await north(6);
    await mutate(system, 'setEpicSiteFeed', hold, 'breaker { state siteName }');
    await daq(6, 'PHYSICS', 10);
    await frames(6, [frame(0)]);
    const held = await until(6, 'a held feed', (run) => run.paths[0].lanes[0].feed.reason === 'HELD');
    expect(held.paths[0]).toMatchObject({
      fedSlices: 0,
      lanes: [
        {
          ...{ queueName: 'north', site: { name: 'POLE' } },
          feed: { message: 'power cut', heldBy: { subject: 'admin@example' } },
        },
      ],
    });
    await mutate(system, 'setEpicSiteFeed', release);
    await until(6, 'the feed', (run) => run.paths[0].fedSlices === 15);
  });

  it('is divided among the queues of a path, each frame to one of them', async () => {
    await mutate(system, 'createQueue', { name: 'south', site: 'SOUTH', idempotencyKey: 'south' });
    await announce(12, { paths: [fast({ queues: ['north', 'south'] })] });
    await daq(12, 'PHYSICS', 10);
    for (const number of [0, 1]) {
      await frames(12, [frame(number)]);
      await until(12, 'the feed', (run) => run.paths[0].fedSlices === 15 * (number + 1));
    }
    const { lanes } = (await shown(12)).paths[0];
    const counts = await Promise.all(lanes.map(({ poolId }: AnyData) => poolOf(poolId)));
    expect(counts.map((pool: AnyData) => pool.counts.waiting)).toEqual([15, 15]);
  });

  it('stops when half of the attempts fail, and ends no work', async () => {
    await north(7);
    await daq(7, 'PHYSICS', 10);
    await frames(7, [frame(0)]);
    await until(7, 'the feed', (run) => run.paths[0].fedSlices === 15);
    await work('run-7-fast', 6, 'failWorkUnits');
    const held = await until(7, 'an open breaker', (run) => run.paths[0].lanes[0].feed.reason === 'BREAKER');
    expect(held.paths[0].lanes[0].feed).toMatchObject({
      ...{ message: '6 of 6 attempts failed in a minute', heldBy: { subject: 'epic:regulator' } },
    });
    expect(held.paths[0].slices).toMatchObject({ waiting: 15, failedAttempts: 6 });
    await frames(7, [frame(1)]);
    await waitFor('the work', async () => (await work('run-7-fast', 100)).length > 0, minute);
    expect((await shown(7)).paths[0].fedSlices).toBe(15);
    await mutate(system, 'setEpicSiteFeed', release);
    await until(7, 'the feed', (run) => run.paths[0].fedSlices === 30);
    const failures = await until(7, 'failures by site', (run) => run.paths[0].sites[0]?.failedAttempts === 6);
    expect(failures.paths[0].sites[0].site).toEqual({ name: 'POLE' });
  });
});

describe('the feed of a path with marks', () => {
  it('stops at the high mark, and goes on at the low one', async () => {
    const marks = { lowMarkHours: 1e-9, highMarkHours: 2e-9, maxWorkers: 1 };
    await announce(8, { paths: [fast({ name: 'FULL', ...marks })] });
    await daq(8, 'PHYSICS', 10);
    await frames(8, [frame(0)]);
    await until(8, 'the feed', (run) => run.paths[0].fedSlices === 15);
    await work('run-8-full', 5);
    const held = await until(8, 'a deep lane', (run) => run.paths[0].lanes[0].feed.reason === 'HIGH_MARK');
    expect(held.paths[0].lanes[0].depthHours).toBeGreaterThan(2e-9);
    await frames(8, [frame(1)]);
    await work('run-8-full', 100);
    const fed = await until(8, 'the feed', (run) => run.paths[0].fedSlices === 30);
    // The frame that was just given may fill the lane again.
    const reasons = fed.decisions.nodes.map(({ reason }: AnyData) => reason).reverse();
    expect(reasons.slice(0, 3)).toEqual(['FED', 'HIGH_MARK', 'FED']);
  });
});
