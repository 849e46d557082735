import { beforeAll, describe, expect, it } from '@jest/globals';
import { collection, ensureCollections } from '@rhizome/mongo';
import { type TestDatabase, testDatabase } from '@rhizome/testkit';
import { decisionsCollection } from '../model/feed-collections.js';
import { noLatency } from '../model/latency.js';
import { liveCollections, type ResultsDocument } from '../model/live-collections.js';
import { LiveRunsRepository } from './live-runs.repository.js';
import { ResultsRepository } from './results.repository.js';

const now = new Date();
const none = (run: string, cursor: string): ResultsDocument => ({
  ...{
    _id: `${run}/FAST/0`,
    schemaVersion: 1,
    revision: 1,
    updatedAt: now,
    runId: run,
    path: 'FAST',
    lane: 0,
  },
  ...{ cursor, completed: 0, seconds: 0, latency: noLatency(), slowest: [], sites: [], failures: [] },
  hasGap: false,
});

let db: TestDatabase;
let results: ResultsRepository;
let runs: LiveRunsRepository;

beforeAll(async () => {
  db = await testDatabase('results');
  await ensureCollections(db, liveCollections);
  results = new ResultsRepository(db);
  runs = new LiveRunsRepository(db);
});

describe('the record of results', () => {
  it('is written once for the cursor before it, also by two processes', async () => {
    await results.begin(none('one', 'a'));
    await results.begin(none('one', 'later'));
    const next = { ...none('one', 'b'), completed: 3 };
    const done = new Map<string, number>();
    const recorded = await Promise.all([1, 2].map(() => results.record('a', next, 'FAST', done)));
    expect(recorded.sort()).toEqual([false, true]);
    expect(await results.find('one/FAST/0')).toMatchObject({ cursor: 'b', completed: 3 });
  });

  it('has a gap if the stream did not reach back, unless another process went on', async () => {
    await results.begin(none('two', 'a'));
    await results.skipTo('two/FAST/0', 'other', 'c', now);
    expect(await results.find('two/FAST/0')).toMatchObject({ cursor: 'a', hasGap: false });
    await results.skipTo('two/FAST/0', 'a', 'c', now);
    expect(await results.find('two/FAST/0')).toMatchObject({ cursor: 'c', hasGap: true });
  });
});

describe('a decision', () => {
  it('is kept once for the one before it, with at most 1000 of a run', async () => {
    const decision = (at: number) => ({
      ...{ _id: `run/FAST/0/${at}`, schemaVersion: 1, revision: 1, runId: 'run', path: 'FAST' as const },
      ...{
        queue: null,
        at: new Date(now.getTime() + at),
        reason: 'FED' as const,
        message: 'x',
        depthHours: 0,
      },
    });
    const earlier = Array.from({ length: 1001 }, (_, at) => decision(at));
    await collection(db, decisionsCollection).insertMany(earlier);
    for (const at of [1001, 1002, 1002]) await results.decide(decision(at));
    const page = await results.decisions('run', 1);
    expect(await page.totalCount()).toBe(1000);
    expect(page.nodes[0]?._id).toBe('run/FAST/0/1002');
  });
});

describe('the breaker of a site', () => {
  const breaker = (state: 'OPEN' | 'HELD' | 'CLOSED') => ({
    _id: 'POLE',
    state,
    since: now,
    reason: 'x',
    by: 'me',
  });

  it('is moved from the expected state alone: not while a person holds it', async () => {
    await results.moveBreaker(breaker('OPEN'), 'CLOSED');
    await results.moveBreaker(breaker('CLOSED'), 'HALF_OPEN');
    expect(await results.breakers()).toMatchObject([{ _id: 'POLE', state: 'OPEN' }]);
    await results.setBreaker(breaker('HELD'));
    for (const from of ['OPEN', 'CLOSED'] as const) await results.moveBreaker(breaker('OPEN'), from);
    expect(await results.breakers()).toMatchObject([{ _id: 'POLE', state: 'HELD' }]);
  });
});

describe('the claim to a run', () => {
  it('belongs to one process until it is released', async () => {
    const claims = await Promise.all(['a', 'b', 'c'].map((holder) => runs.claim('run', holder)));
    expect(claims.filter((isHeld) => isHeld)).toHaveLength(1);
    const holder = ['a', 'b', 'c'][claims.indexOf(true)] ?? '';
    const others = ['a', 'b', 'c'].filter((one) => one !== holder);
    expect(await runs.claim('run', holder)).toBe(true);
    await runs.release('run', others[0] ?? '');
    expect(await runs.claim('run', others[0] ?? '')).toBe(false);
    await runs.release('run', holder);
    expect(await runs.claim('run', others[0] ?? '')).toBe(true);
  });
});
