/** Canary jobs: two processes of core on a real store, with workers that report as pilots do. */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase, type TestDatabase, waitFor } from '@rhizome/testkit';
import { canaryOwner } from '../../src/jobs/model/canary-owner.js';
import { type Answer, seed, startCore, type TestCore } from '../support/core.fixture.js';
import { type HeldJob, HostFleet } from '../support/hosts.fixture.js';
import { minute } from '../support/units.fixture.js';

const config = { hosts: { excludeSeconds: 1 }, canaryStepMs: 50 };
const canary = { experiment: 'alpha', share: 'default', intervalSeconds: 3600, command: 'true' };
const healthFields = `health {
  canaryCount successFraction openSince problem
  latest { outcome hostName errorCode job { id owner { subject } } }
}`;

let db: TestDatabase;
let leader: TestCore;
let other: TestCore;

beforeAll(async () => {
  db = await testDatabase('core');
  leader = await startCore({ db, config });
  await seed(leader);
  other = await startCore({ db, config });
});

async function update(input: object): Promise<Answer> {
  const { updateQueue } = await other.ask(
    'mutation ($input: UpdateQueueInput!) { updateQueue(input: $input) { queue { canary { sharePath } } userErrors { code message } } }',
    { input },
  );
  return updateQueue as Answer;
}

async function setCanary(fleet: HostFleet, change: object = {}): Promise<void> {
  const { userErrors } = await update({ name: fleet.queue, canary: { ...canary, ...change } });
  expect(userErrors).toEqual([]);
}

async function healthOf({ queue }: HostFleet): Promise<Answer | null> {
  const answer = await other.ask(`query ($name: String!) { queue(name: $name) { ${healthFields} } }`, {
    name: queue,
  });
  return answer['queue']?.['health'] ?? null;
}

/** Waits for the first result of a queue. */
async function untilResult(fleet: HostFleet): Promise<void> {
  await waitFor('the result', async () => (await healthOf(fleet))?.['latest'] != null, minute);
}

function canariesOf({ queue }: HostFleet) {
  const filter = { owner: canaryOwner, 'requirements.queue': queue };
  return db
    .collection<{ _id: string; state: string; attempts: readonly object[] }>('jobs')
    .find(filter)
    .toArray();
}

async function fleetOf(queue: string, hosts: readonly string[]): Promise<HostFleet> {
  const fleet = new HostFleet(leader, queue);
  await fleet.create(hosts);
  return fleet;
}

/** Has the exclusion of a host end, so that it is to be tested. */
async function halfOpen(fleet: HostFleet, host: string): Promise<void> {
  const until = new Date(Date.now() + 500).toISOString();
  await fleet.decide('excludeHost', { host, reason: 'a broken disk', until });
  await fleet.untilState(host, 'HALF_OPEN');
}

describe('a queue with canary jobs', () => {
  let fleet: HostFleet;

  it('starts one in an interval, of two processes, outside the counts', async () => {
    fleet = await fleetOf('birds', ['a']);
    expect(await healthOf(fleet)).toBeNull();
    await setCanary(fleet);
    const [job] = await fleet.acquire('a', 1);
    if (!job) throw new Error('no canary job');
    expect(await healthOf(fleet)).toMatchObject({ latest: null, canaryCount: 0 });
    await fleet.finish('a', [job]);
    await untilResult(fleet);
    expect(await healthOf(fleet)).toEqual({
      ...{ canaryCount: 1, successFraction: 1, openSince: null, problem: null },
      latest: {
        ...{ outcome: 'SUCCEEDED', hostName: 'a', errorCode: null },
        job: { id: job.id, owner: { subject: canaryOwner } },
      },
    });
    expect(await canariesOf(fleet)).toHaveLength(1);
    const counts = leader.subscribe('subscription { jobCountsChanged { counts { count } } }');
    await waitFor('the counts', () => counts.results.length > 0, minute);
    expect(counts.results[0]?.data).toEqual({ jobCountsChanged: { counts: [] } });
  });

  it('continues with the next leader, which submits a recorded run once', async () => {
    const key = 'canary:interrupted';
    const [document] = await db.collection<{ open: unknown[]; createdAt: Date }>('canaries').find().toArray();
    if (!document) throw new Error('no canary jobs');
    const queue = await db.collection<{ canary: object }>('queues').findOne({ _id: document._id as never });
    const settings = queue?.canary;
    await db
      .collection('canaries')
      .updateOne(
        { _id: document._id },
        { $push: { open: { key, at: document.createdAt, settings } as never }, $inc: { revision: 1 } },
      );
    await leader.stop();
    leader = other;
    fleet.callNow(leader);
    await waitFor('the run is submitted', async () => (await canariesOf(fleet)).length > 1, minute);
    const [job] = await fleet.acquire('a', 1);
    if (!job) throw new Error('no canary job');
    await fleet.fail('a', [job]);
    await waitFor('the result', async () => Number((await healthOf(fleet))?.['canaryCount']) === 2, minute);
    expect(await healthOf(fleet)).toMatchObject({
      ...{ successFraction: 0.5, openSince: null },
      latest: { outcome: 'FAILED', hostName: 'a', errorCode: 'EXIT_CODE', job: { id: job.id } },
    });
    expect(await canariesOf(fleet)).toHaveLength(2);
  });

  it('cancels those that wait when the operator ends them', async () => {
    const idle = await fleetOf('without-workers', []);
    await setCanary(idle);
    await waitFor('a job waits', async () => (await canariesOf(idle)).length === 1, minute);
    expect(await update({ name: idle.queue, canary: null })).toEqual({
      queue: { canary: null },
      userErrors: [],
    });
    await waitFor('it is cancelled', async () => (await canariesOf(idle))[0]?.state === 'CANCELLED', minute);
    await untilResult(idle);
    expect(await healthOf(idle)).toMatchObject({
      canaryCount: 0,
      latest: { outcome: 'CANCELLED', hostName: null },
    });
  });

  it.each<[string, object, object]>([
    [
      'an unknown share',
      { share: 'gone' },
      { code: 'SHARE_NOT_FOUND', message: /^canary.share: "alpha\/gone" does not exist; must be/ },
    ],
    [
      'an unknown experiment',
      { experiment: 'omega' },
      { code: 'EXPERIMENT_NOT_FOUND', message: /^canary.experiment: "omega" is not registered/ },
    ],
    [
      'a short interval',
      { intervalSeconds: 59 },
      { code: 'INVALID_VALUE', message: /^canary.intervalSeconds: 59 is too small; must be at least 60/ },
    ],
    ['no command', { command: '' }, { code: 'INVALID_VALUE', message: /^canary.command/ }],
  ])('refuses %s', async (_name, change, { code, message }: { code?: string; message?: RegExp }) => {
    expect(await update({ name: 'birds', canary: { ...canary, ...change } })).toEqual({
      queue: null,
      userErrors: [{ code, message: expect.stringMatching(message ?? '') }],
    });
  });
});

/** Sets canary jobs, of which the first ends. @returns the job */
async function withFirst(fleet: HostFleet, how: 'finish' | 'fail'): Promise<HeldJob> {
  await setCanary(fleet);
  const [first] = await fleet.acquire('a', 1);
  if (!first) throw new Error('no canary job');
  await fleet[how]('a', [first]);
  await untilResult(fleet);
  return first;
}

async function retry(selection: object): Promise<Answer | null> {
  const { retryJobs } = await other.ask(
    'mutation ($input: RetryJobsInput!) { retryJobs(input: $input) { jobs { id } result { changedCount refusedByReason { code count } } userErrors { message } } }',
    { input: { selection, idempotencyKey: randomUUID() } },
  );
  return retryJobs ?? null;
}

describe('a host that was excluded', () => {
  it('is tested by a canary job alone, and healthy again when it finishes', async () => {
    const fleet = await fleetOf('tested', ['a']);
    const first = await withFirst(fleet, 'finish');
    const [waiting] = await fleet.submit(1);
    await halfOpen(fleet, 'a');
    const [test] = await fleet.acquire('a', 4);
    if (!test) throw new Error('no canary job');
    expect((await canariesOf(fleet)).map(({ _id }) => _id)).toContain(test.id);
    expect(await fleet.acquire('a', 4, 0)).toEqual([]);
    await fleet.finish('a', [test]);
    await fleet.untilState('a', 'HEALTHY');
    expect((await fleet.acquire('a', 4)).map(({ id }) => id)).toEqual([waiting]);
    expect(await healthOf(fleet)).toMatchObject({ canaryCount: 1, latest: { job: { id: first.id } } });
  });

  it('is excluded again when the canary job fails, which is not repeated', async () => {
    const fleet = await fleetOf('failing', ['a']);
    await withFirst(fleet, 'finish');
    await halfOpen(fleet, 'a');
    const [test] = await fleet.acquire('a', 1);
    if (!test) throw new Error('no canary job');
    await fleet.fail('a', [test]);
    await waitFor(
      'it is excluded again',
      async () => Number((await fleet.hosts())[0]?.['exclusionCount']) > 0,
      minute,
    );
    const [job] = (await canariesOf(fleet)).filter(({ _id }) => _id === test.id);
    expect(job).toMatchObject({ state: 'FAILED', attempts: [{ outcome: 'FAILED' }] });
    expect(job?.attempts[0]).not.toHaveProperty('uncounted');
  });

  it("is tested by a user's job when the canary job of the queue fails itself", async () => {
    const fleet = await fleetOf('broken', ['a']);
    const failed = await withFirst(fleet, 'fail');
    const [waiting] = await fleet.submit(1);
    await halfOpen(fleet, 'a');
    expect((await fleet.acquire('a', 4)).map(({ id }) => id)).toEqual([waiting]);
    expect((await canariesOf(fleet)).map(({ _id }) => _id)).toEqual([failed.id]);
    expect(await retry({ filter: { queues: [fleet.queue], states: ['FAILED'] } })).toMatchObject({
      ...{ jobs: [], result: { changedCount: 0, refusedByReason: [] }, userErrors: [] },
    });
    expect(await retry({ ids: [failed.id] })).toMatchObject({
      jobs: [],
      result: { changedCount: 0, refusedByReason: [{ code: 'JOB_STATE_CONFLICT', count: 1 }] },
    });
  });
});
