/** Summaries of failures against the attempts in the documents of jobs, for many filters and groupings. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import type { Principal } from '@rhizome/authz';
import { collection } from '@rhizome/mongo';
import { leftovers, type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { errorSummaryStore } from '../../src/composition/event-stores.repository.js';
import { ErrorSummaries } from '../../src/events/failures/error-summary.service.js';
import type { ErrorFilterSpec, ErrorGrouping } from '../../src/events/failures/error-query.js';
import { failureCountsCollection } from '../../src/events/failures/failure-counts.document.js';
import { failureConsumer } from '../../src/events/failures/failure-work.js';
import { hourMs, hourOf } from '../../src/events/failures/failure-changes.js';
import { consumersCollection } from '../../src/jobs/transitions/consumer.document.js';
import { pilotOf } from '../support/core.fixture.js';
import { eventsDatabase, startEvents, TestJobs } from '../support/events.fixture.js';
import {
  countFailures,
  failing,
  failSome,
  type ListedFailure,
  listedFailures,
  untilCounted,
} from '../support/failures.fixture.js';

let db: TestDatabase;
let jobs: TestJobs;
let summaries: ErrorSummaries;
let listed: readonly ListedFailure[];
const admin = testPrincipal();
const reader = (experiment: string): Principal => testPrincipal({ grants: { [experiment]: ['READER'] } });
const ofAlpha = reader('alpha');

beforeAll(async () => {
  db = await eventsDatabase();
  jobs = new TestJobs(db);
  leftovers.defer('its writer', () => jobs.close());
  const { events } = await startEvents(db);
  countFailures(db, events);
  await waitFor('a position', () => collection(db, consumersCollection).findOne({ _id: failureConsumer }), {
    deadlineMs: 60_000,
  });
  for (let round = 0; round < 8; round++) await failSome(jobs, round);
  await untilCounted(db);
  listed = await listedFailures(db);
  summaries = new ErrorSummaries({ counts: errorSummaryStore(db), clock: systemClock });
});

const valueOf: Readonly<Record<ErrorGrouping, (one: ListedFailure) => unknown>> = {
  FAMILY: ({ family }) => family,
  CODE: ({ code }) => code,
  EXIT_CODE: ({ exitCode }) => exitCode,
  EXPERIMENT: ({ experiment }) => experiment,
  TASK: ({ taskId }) => taskId,
  QUEUE: ({ queue }) => queue,
  SITE: ({ site }) => site,
  HOST: ({ host }) => host,
  IMAGE: ({ image }) => image,
  HOUR: ({ at }) => hourOf(at),
};

const lists: Readonly<Record<string, (one: ListedFailure) => unknown>> = {
  experiments: valueOf.EXPERIMENT,
  families: valueOf.FAMILY,
  codes: valueOf.CODE,
  exitCodes: valueOf.EXIT_CODE,
  taskIds: valueOf.TASK,
  queues: valueOf.QUEUE,
  sites: valueOf.SITE,
  hosts: valueOf.HOST,
  images: valueOf.IMAGE,
};

function matching(filter: ErrorFilterSpec): readonly ListedFailure[] {
  return listed.filter((one) =>
    Object.entries(lists).every(([name, value]) => {
      const wanted = filter[name as 'codes'] as readonly unknown[] | undefined;
      return !wanted || wanted.includes(value(one));
    }),
  );
}

function byReference(filter: ErrorFilterSpec, by: readonly ErrorGrouping[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const one of matching(filter).filter(({ family }) => family !== null)) {
    const key = JSON.stringify(by.map((field) => valueOf[field](one)));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `${key} ${count}`).sort();
}

const fieldOf = {
  FAMILY: 'family',
  CODE: 'code',
  EXIT_CODE: 'exitCode',
  EXPERIMENT: 'experiment',
  TASK: 'taskId',
  QUEUE: 'queue',
  SITE: 'site',
  HOST: 'host',
  IMAGE: 'image',
  HOUR: 'hour',
} as const;

async function bySummary(
  filter: ErrorFilterSpec,
  by: readonly ErrorGrouping[],
  principal = admin,
): Promise<readonly string[]> {
  const groups = await (await summaries.ask(principal, filter, by)).groups(1000);
  return groups
    .map((group) => `${JSON.stringify(by.map((one) => group[fieldOf[one]]))} ${group.count}`)
    .sort();
}

describe('errorSummary', () => {
  it.each<[ErrorFilterSpec, readonly ErrorGrouping[]]>([
    [{}, ['CODE']],
    [{}, ['FAMILY']],
    [{}, ['EXPERIMENT', 'HOUR']],
    [{}, ['SITE', 'CODE']],
    [{}, ['QUEUE', 'FAMILY', 'CODE', 'EXPERIMENT']],
    [{}, ['HOST', 'CODE']],
    [{}, ['SITE', 'HOST']],
    [{}, ['TASK', 'CODE']],
    [{}, ['IMAGE']],
    [{}, ['EXIT_CODE', 'CODE']],
    [{ experiments: ['beta'] }, ['CODE']],
    [{ families: ['LIMIT', 'WORKER'] }, ['QUEUE', 'CODE']],
    [{ codes: ['EXIT_CODE'], queues: ['north'] }, ['HOUR']],
    [{ sites: ['south-site'] }, ['CODE', 'HOST']],
    [{ hosts: ['north-host-1'] }, ['CODE']],
    [{ taskIds: ['task_0'] }, ['FAMILY']],
    [{ exitCodes: [1, 137] }, ['CODE']],
    [{ codes: ['NEVER'] }, ['CODE']],
  ])('counts as the attempts do: %j by %j', async (filter, by) => {
    const expected = byReference(filter, by);
    expect(await bySummary(filter, by)).toEqual(expected);
    const { count } = await (await summaries.ask(admin, filter, by)).sums();
    expect(count).toBe(matching(filter).filter(({ family }) => family !== null).length);
  });

  it('shows the jobs of a group, which failed so', async () => {
    const [group] = await (
      await summaries.ask(admin, { queues: ['south'] }, ['CODE', 'EXPERIMENT'])
    ).groups(1);
    const those = matching({ queues: ['south'] }).filter(
      ({ code, experiment }) => code === group?.code && experiment === group.experiment,
    );
    expect(group?.jobs.length).toBeGreaterThan(0);
    expect(group?.jobs.length).toBeLessThanOrEqual(5);
    expect(those.map(({ job }) => job)).toEqual(expect.arrayContaining([...(group?.jobs ?? [])]));
  });

  it('has the lost time of all attempts by reason, of cancelled ones, too', async () => {
    const waste = await (await summaries.ask(admin, {}, ['CODE'])).waste();
    const expected = new Map<string, number>();
    for (const { code, coreSeconds } of listed) expected.set(code, (expected.get(code) ?? 0) + coreSeconds);
    expect([...expected.keys()]).toContain('CANCELLED');
    expect(waste.map(({ reason }) => reason).sort()).toEqual([...expected.keys()].sort());
    for (const { reason, coreSeconds } of waste)
      expect(coreSeconds).toBeCloseTo(expected.get(reason) ?? -1, 2);
  });

  it('shows a principal the failures of its experiments alone', async () => {
    expect(await bySummary({}, ['CODE'], ofAlpha)).toEqual(byReference({ experiments: ['alpha'] }, ['CODE']));
    const summary = await summaries.ask(ofAlpha, {}, ['CODE']);
    for (const kind of ['ALL', 'NEW'] as const)
      expect(new Set((await summary.totals(kind, 1000)).map(({ experiment }) => experiment))).toEqual(
        new Set(['alpha']),
      );
    await expect(summaries.ask(ofAlpha, { experiments: ['beta'] }, ['CODE'])).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await bySummary({}, ['CODE'], reader('gamma'))).toEqual([]);
    await expect(summaries.ask(pilotOf('north'), {}, ['CODE'])).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each<[ErrorFilterSpec, readonly ErrorGrouping[], string]>([
    [{}, [], 'by'],
    [{}, ['CODE', 'CODE'], 'by'],
    [{}, ['TASK', 'HOST'], 'by'],
    [{ sites: ['s'] }, ['TASK'], 'filter.sites'],
    [{ images: ['i'], exitCodes: [1] }, ['CODE'], 'filter.images'],
    [{ from: new Date('2026-01-01'), before: new Date('2026-03-01') }, ['CODE'], 'filter.from'],
    [{ from: new Date('2026-01-02'), before: new Date('2026-01-01') }, ['CODE'], 'filter.from'],
    [{ codes: Array.from({ length: 101 }, String) }, ['CODE'], 'filter.codes'],
  ])('refuses %j by %j and names the field', async (filter, by, field) => {
    await expect(summaries.ask(admin, filter, by)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      details: { field },
    });
  });

  it('shows the codes that never occurred at a site before the interval', async () => {
    const counts = collection(db, failureCountsCollection);
    const old = new Date(Date.now() - 100 * hourMs);
    // All that is counted so far occurred first long ago.
    await counts.updateMany({ rollup: 'TOTAL' }, { $set: { newestAt: old, 'rows.$[].firstAt': old } });
    const ids = await jobs.submit(3);
    await jobs.move(ids, 'ACTIVATED', 'SENT', {}, 'east');
    await jobs.move(ids, 'SENT', 'RUNNING');
    await jobs.move(ids, 'RUNNING', 'FAILED', failing('EXIT_CODE'));
    const find = async () => (await summaries.ask(admin, {}, ['CODE'])).totals('NEW', 100);
    // Failures may be counted one after the other.
    const areCounted = async () => (await find()).reduce((sum, { count }) => sum + count, 0) === ids.length;
    await waitFor('the new failures', areCounted, { deadlineMs: 60_000 });
    const failed = (await listedFailures(db)).filter(({ queue }) => queue === 'east');
    expect(await find()).toMatchObject([
      { experiment: 'alpha', site: 'east-site', code: 'EXIT_CODE', count: 3, firstAt: failed[0]?.at },
    ]);
    const all = await (await summaries.ask(admin, { sites: ['north-site'] }, ['CODE'])).totals('ALL', 1000);
    expect(all.length).toBeGreaterThan(3);
    expect(
      all.every(({ site, firstAt }) => site === 'north-site' && firstAt.getTime() === old.getTime()),
    ).toBe(true);
  });
});
