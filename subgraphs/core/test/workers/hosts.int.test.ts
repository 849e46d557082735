/** Hosts that fail jobs fast: core on a real store, with workers that report as pilots do. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, type TestDatabase, waitFor } from '@rhizome/testkit';
import { admin, seed, startCore, type TestCore } from '../support/core.fixture.js';
import { type HeldJob, HostFleet } from '../support/hosts.fixture.js';

interface StoredJob {
  readonly _id: string;
  readonly retryOf?: string;
  readonly uncountedEnds?: number;
  readonly attempts: readonly object[];
}

let core: TestCore & { readonly db: TestDatabase };

beforeAll(async () => {
  core = await startCore({ config: { hosts: { excludeSeconds: 1 } } });
  await seed(core);
});

async function fleetOf(queue: string, hosts: readonly string[]): Promise<HostFleet> {
  const fleet = new HostFleet(core, queue);
  await fleet.create(hosts);
  return fleet;
}

describe('a black hole among 20 hosts', () => {
  const jobCount = 2000;
  const bad = 'host-0';
  const good = Array.from({ length: 19 }, (_one, at) => `host-${at + 1}`);
  const retried = { retry: { maxAttempts: 3, backoffSeconds: 0, retryOn: ['PAYLOAD'] } };
  let fleet: HostFleet;
  let finished = 0;

  async function workUntilAllFinished(host: string): Promise<void> {
    while (finished < jobCount) {
      const jobs = await fleet.acquire(host, 4, 1);
      if (jobs.length > 0) await fleet.finish(host, jobs);
      finished += jobs.length;
    }
  }

  /** Fails what it gets, and asks again once its failures are judged. @returns the states that it had */
  async function failUntilAllFinished(): Promise<ReadonlySet<string>> {
    const seen = new Set<string>();
    await waitFor('others have finished some jobs', () => finished >= 40, { deadlineMs: 120_000 });
    let failures = 0;
    while (finished < jobCount) {
      const jobs = await fleet.acquire(bad, 4, 1);
      const [before] = await fleet.hosts({ hosts: [bad] });
      if (before) seen.add(String(before['state']));
      if (jobs.length === 0) continue;
      await fleet.fail(bad, jobs);
      failures += jobs.length;
      const isTest = Number(before?.['exclusionCount'] ?? 0) > 0;
      await waitFor(
        'its failures are judged',
        async () => {
          const [host] = await fleet.hosts({ hosts: [bad] });
          if (host) seen.add(String(host['state']));
          if (isTest) return Number(host?.['exclusionCount']) > Number(before?.['exclusionCount']);
          return Number(host?.['evidence']?.['failureCount'] ?? 0) >= Math.min(failures, 6);
        },
        { deadlineMs: 120_000 },
      );
      await fleet.untilKnown();
    }
    return seen;
  }

  it('wastes less than 2 % of 2,000 jobs, which all finish', async () => {
    fleet = await fleetOf('holes', [bad, ...good]);
    for (let batch = 0; batch < jobCount; batch += 500) await fleet.submit(500, retried);
    const [seen] = await Promise.all([failUntilAllFinished(), ...good.map(workUntilAllFinished)]);
    const states = await core.db.collection('jobs').distinct('state', { queue: fleet.queue });
    expect(states).toEqual(['FINISHED']);
    const wasted = await core.db
      .collection('jobs')
      .aggregate<{ _id: string | null; count: number }>([
        { $match: { queue: fleet.queue } },
        { $unwind: '$attempts' },
        { $match: { 'attempts.host': bad, 'attempts.outcome': 'FAILED' } },
        { $group: { _id: '$attempts.uncounted', count: { $sum: 1 } } },
      ])
      .toArray();
    const count = wasted.reduce((sum, one) => sum + one.count, 0);
    expect(count).toBeGreaterThanOrEqual(6);
    expect(count).toBeLessThan(0.02 * jobCount);
    // Those after the first four were tests, which cost no attempt.
    expect(wasted.find(({ _id }) => _id === 'HOST_TEST')?.count).toBe(count - 4);
    expect([...seen]).toEqual(expect.arrayContaining(['SUSPECT', 'EXCLUDED']));
    expect((await fleet.hosts()).map(({ name }) => String(name))).toEqual([bad]);
  });

  it('is tested, and healthy again when a test job finishes', async () => {
    const [host] = await fleet.hosts();
    expect(host).toMatchObject({ evidence: { codes: [{ code: 'EXIT_CODE' }] } });
    await fleet.untilState(bad, 'HALF_OPEN');
    await fleet.submit(2);
    const test = await fleet.acquire(bad, 4);
    expect(test).toHaveLength(1);
    expect(await fleet.acquire(bad, 3, 0)).toEqual([]);
    await fleet.finish(bad, test);
    await fleet.untilState(bad, 'HEALTHY');
    expect(await fleet.acquire(bad, 4)).toHaveLength(1);
  });
});

describe('the judgement about hosts', () => {
  it('excludes none for a class that fails everywhere', async () => {
    const fleet = await fleetOf('everywhere', ['a', 'b', 'c', 'sentinel']);
    for (let round = 0; round < 3; round++)
      for (const host of ['a', 'b', 'c']) await fleet.run(host, 'fail', 3);
    await fleet.untilJudged('a', 'sentinel');
    expect((await fleet.hosts()).map(({ name }) => String(name))).toEqual(['sentinel']);
  });

  it('excludes none for a bad task, although such jobs without the task last everywhere', async () => {
    const hosts = ['a', 'b', 'c'];
    const fleet = await fleetOf('tasks', [...hosts, 'sentinel']);
    for (const host of hosts) await fleet.run(host, 'finish', 4);
    const requirements = { queue: 'tasks', memoryMiB: 100, diskMiB: 1, walltimeSeconds: 60 };
    const template = { name: 'bad', payload: { command: 'false' }, requirements, retry: { maxAttempts: 1 } };
    const { submitTask } = await core.ask(
      'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { userErrors { message } } }',
      {
        input: {
          ...{ experiment: 'alpha', idempotencyKey: 'bad' },
          name: 'bad',
          template,
          jobs: { count: 24 },
        },
      },
    );
    expect(submitTask?.['userErrors']).toEqual([]);
    for (const host of hosts) await fleet.runWaiting(host, 'fail', 8);
    await fleet.untilJudged('a', 'sentinel');
    expect((await fleet.hosts()).map(({ name }) => String(name))).toEqual(['sentinel']);
  });

  it('changes no host that an operator keeps in', async () => {
    const fleet = await fleetOf('pinned', ['a', 'b', 'sentinel']);
    await fleet.run('a', 'finish', 8);
    const pin = { host: 'b', to: 'IN', reason: 'it is being repaired' };
    expect(await fleet.decide('pinHost', pin)).toMatchObject({ host: { state: 'HEALTHY' }, userErrors: [] });
    for (let round = 0; round < 2; round++) await fleet.run('b', 'fail', 8);
    await fleet.untilJudged('a', 'sentinel');
    expect(await fleet.hosts({ hosts: ['b'] })).toMatchObject([
      { state: 'HEALTHY', pin: { to: 'IN', reason: 'it is being repaired' }, exclusionCount: 0 },
    ]);
  });
});

describe('an excluded host', () => {
  it('gets no jobs, which `pending` explains, until an operator clears it', async () => {
    const fleet = await fleetOf('excluded', ['a']);
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const exclusion = { host: 'a', reason: 'a broken disk', until };
    await fleet.submit(1);
    const held = await fleet.acquire('a', 1);
    const tried = await fleet.decide('excludeHost', { ...exclusion, isDryRun: true });
    expect(tried).toMatchObject({ host: { state: 'EXCLUDED' }, workerCount: 1, runningJobCount: 1 });
    expect(await fleet.hosts()).toEqual([]);
    await fleet.decide('excludeHost', exclusion);
    expect(await fleet.hosts({ states: ['EXCLUDED'] })).toMatchObject([{ name: 'a', until }]);
    const [waiting = ''] = await fleet.submit(1);
    expect(await fleet.acquire('a', 1, 0)).toEqual([]);
    expect(await fleet.summaryOf(waiting)).toBe(
      `The only live worker of queue excluded, which the job requires accepts no more jobs: its host is excluded. Host a of queue excluded is excluded until ${until}: a broken disk.`,
    );
    const { worker } = await core.ask('query ($id: ID!) { worker(id: $id) { hostHealth { state } } }', {
      id: fleet.workerOf('a'),
    });
    expect(worker?.['hostHealth']).toEqual({ state: 'EXCLUDED' });
    await fleet.finish('a', held);
    const acquiring = fleet.acquire('a', 1);
    expect(await fleet.decide('clearHost', { host: 'a' })).toMatchObject({ host: { state: 'HEALTHY' } });
    expect((await acquiring).map(({ id }) => id)).toEqual([waiting]);
  });

  it('is excluded by a rule of its queue, which names the attempt, and a rule pauses the task', async () => {
    const fleet = await fleetOf('ruled', ['a']);
    const match = { codes: ['EXIT_CODE'] };
    const pauseTask = { reason: 'look at the input', maxFailedFraction: 0.2, minEndedJobs: 1 };
    const rules = [
      { name: 'bad disk', match, action: { excludeHost: { reason: 'a broken disk', seconds: 3600 } } },
      { name: 'too many', match, action: { pauseTask } },
    ];
    await enablePolicyOf('ruled', rules);
    const { submitTask } = await core.ask(
      'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id } userErrors { message } } }',
      {
        input: {
          ...{ experiment: 'alpha', idempotencyKey: 'ruled', name: 'ruled', jobs: { count: 3 } },
          template: {
            ...{ name: 'work', payload: { command: 'true' }, retry: { maxAttempts: 1 } },
            requirements: { queue: 'ruled', memoryMiB: 100, diskMiB: 1, walltimeSeconds: 60 },
          },
        },
      },
    );
    const id = String(submitTask?.['task']?.['id']);
    const task = async () =>
      (
        await core.ask(
          'query ($id: ID!) { task(id: $id) { state control { by { subject } reason } progress { counts { state count } } } }',
          { id },
        )
      )['task'];
    const sent: HeldJob[] = [];
    for (let job = 0; job < 3; job += 1) sent.push(...(await fleet.acquire('a', 1)));
    const [first, second, third] = sent;
    if (!first || !second || !third) throw new Error('the jobs were not sent');
    await fleet.fail('a', [first]);
    expect(await fleet.hosts({ hosts: ['a'] })).toMatchObject([
      {
        state: 'EXCLUDED',
        reason: `Rule "bad disk" of queue/ruled, version 1: a broken disk; attempt 1 of ${first.id} failed (EXIT_CODE)`,
        evidence: { failureCount: 1, jobIds: [first.id] },
      },
    ]);
    const failed = { state: 'FAILED', count: 1 };
    await waitFor(
      'the count of the failed job',
      async () => JSON.stringify((await task())?.['progress']).includes(JSON.stringify(failed)),
      { deadlineMs: 60_000 },
    );
    await fleet.fail('a', [second]);
    expect(await task()).toMatchObject({
      state: 'PAUSED',
      control: {
        by: { subject: 'system:policy' },
        reason:
          'Rule "too many" of queue/ruled, version 1: look at the input; 1 of 1 jobs failed, more than 20 %',
      },
    });
    const { job } = await core.ask(
      'query ($id: ID!) { job(id: $id) { attempts { decision { outcome effects { kind rule target until } } } } }',
      { id: second.id },
    );
    // The host is excluded until later than the second failure asks for, at least by the first.
    expect(job?.['attempts']).toMatchObject([
      {
        decision: {
          outcome: 'FAIL',
          effects: expect.arrayContaining([
            { kind: 'PAUSE_TASK', rule: 'too many', target: id, until: null },
          ]),
        },
      },
    ]);
    await core.ask('mutation ($id: ID!) { resumeTask(input: { taskId: $id }) { userErrors { message } } }', {
      id,
    });
    // Failures from before the task was resumed do not pause it again.
    await fleet.fail('a', [third]);
    expect(String((await task())?.['state'])).not.toBe('PAUSED');
    const { job: last } = await core.ask(
      'query ($id: ID!) { job(id: $id) { state attempts { decision { effects { kind } } } } }',
      { id: third.id },
    );
    expect(last).toMatchObject({ state: 'FAILED' });
    expect(JSON.stringify(last)).not.toContain('PAUSE_TASK');
  });

  it('gives attempts back, and retries what it failed by a rule, once', async () => {
    const fleet = await fleetOf('returned', ['a', 'b']);
    const action = { retryIfHostExcluded: { reason: 'the host was bad' } };
    const rules = [{ name: 'bad host', match: { codes: ['EXIT_CODE'] }, action }];
    await enablePolicyOf(fleet.queue, rules);
    await fleet.run('a', 'finish', 4);
    const last = await fleet.submit(4);
    const live = await fleet.submit(4, { retry: { maxAttempts: 2, retryOn: ['PAYLOAD'] } });
    const held: HeldJob[] = [];
    while (held.length < 8) {
      const more = await fleet.acquire('b', 8 - held.length, 5);
      if (more.length === 0) throw new Error(await fleet.summaryOf(live[3] ?? ''));
      held.push(...more);
    }
    // The last two failures come after the exclusion.
    await fleet.fail('b', held.slice(0, 6));
    await fleet.untilState('b', 'EXCLUDED');
    await fleet.fail('b', held.slice(6));
    const jobs = core.db.collection<StoredJob>('jobs');
    const settled = async (): Promise<boolean> =>
      (await jobs.countDocuments({ retryOf: { $in: [...last] } })) === 4 &&
      (await jobs.countDocuments({ _id: { $in: [...live] }, uncountedEnds: 1 })) === 4;
    await waitFor('attempts are given back, and jobs retried', settled, { deadlineMs: 120_000 });
    const [one = ''] = live;
    expect(await fleet.summaryOf(one)).toContain(
      '1 failed attempt does not count: core excluded b because of such failures.',
    );
    const { job } = await core.ask('query ($id: ID!) { job(id: $id) { attempts { isGivenBack } } }', {
      id: one,
    });
    expect(job?.['attempts']).toEqual([{ isGivenBack: true }]);
    const { job: failed } = await core.ask(
      'query ($id: ID!) { job(id: $id) { retriedBy { retryOf { id } } attempts { isGivenBack decision { effects { kind target } } } } }',
      { id: last[0] },
    );
    const decision = { effects: [{ kind: 'RETRY_IF_HOST_EXCLUDED', target: 'b' }] };
    expect(failed).toEqual({
      retriedBy: { retryOf: { id: last[0] } },
      attempts: [{ isGivenBack: false, decision }],
    });
    // A process that ended before it recorded what it had done leaves the same work to the next leader.
    const wasted = held.map(({ id }) => ({ jobId: id, attempt: 1 }));
    const hosts = core.db.collection('hosts');
    const name = { queue: fleet.queue, host: 'b' };
    await waitFor(
      'nothing is left to do',
      async () => (await hosts.findOne(name))?.['wasted'] === undefined,
      {
        deadlineMs: 60_000,
      },
    );
    await hosts.updateOne(name, { $set: { wasted }, $inc: { revision: 1 } });
    const second = await startCore({ db: core.db });
    await core.stop();
    core = { ...second, db: core.db };
    await waitFor(
      'the next leader has done it again',
      async () =>
        (await hosts.findOne({ ...name, wasted: { $exists: false }, retry: { $exists: false } })) !== null,
      { deadlineMs: 120_000 },
    );
    expect(await settled()).toBe(true);
  });

  it('stays excluded when another process leads', async () => {
    const fleet = await fleetOf('succession', ['a', 'b']);
    await fleet.run('a', 'finish', 4);
    await fleet.run('b', 'fail', 6);
    await fleet.untilState('b', 'EXCLUDED');
    await fleet.decide('excludeHost', { host: 'b', reason: 'longer than by itself' });
    const second = await startCore({ db: core.db });
    await core.stop();
    fleet.callNow(second);
    core = { ...second, db: core.db };
    const [waiting] = await fleet.submit(1);
    await waitFor(
      'the other process leads, and gives the job to a healthy host',
      async () => (await fleet.acquire('a', 1, 1).catch(() => []))[0]?.id === waiting,
      { deadlineMs: 120_000 },
    );
    await fleet.submit(1);
    expect(await fleet.acquire('b', 1, 0)).toEqual([]);
    expect(await fleet.hosts()).toMatchObject([{ name: 'b', state: 'EXCLUDED', until: null }]);
  });
});

/** Adds a policy of a queue, and enables it. */
async function enablePolicyOf(queue: string, rules: readonly object[]): Promise<void> {
  const setUp = async (field: string, type: string, input: object): Promise<void> => {
    const text = `mutation ($input: ${type}!) { ${field}(input: $input) { userErrors { message } } }`;
    const answer = await core.ask(text, { input: { scope: { queue }, ...input } });
    expect(answer[field]).toEqual({ userErrors: [] });
  };
  await setUp('addPolicyVersion', 'AddPolicyVersionInput', { rules });
  await setUp('enablePolicy', 'EnablePolicyInput', { version: 1 });
}

describe('excludeHost, pinHost and clearHost', () => {
  it('refuses others than operators of the queue', async () => {
    const fleet = new HostFleet(core, 'operated');
    await fleet.create([], ['alpha']);
    const operator = testPrincipal({ subject: 'operator@example', grants: { alpha: 'OPERATOR' } });
    const user = testPrincipal({ subject: 'user@example', grants: { alpha: 'USER' } });
    const pin = { host: 'a', to: 'OUT', reason: 'being rebuilt', isDryRun: true };
    expect(await fleet.decide('pinHost', pin, operator)).toMatchObject({ host: { state: 'EXCLUDED' } });
    await expect(fleet.decide('pinHost', pin, user)).rejects.toThrow('FORBIDDEN');
    const elsewhere = { ...pin, queue: 'north' };
    await expect(fleet.decide('pinHost', elsewhere, operator)).rejects.toThrow('FORBIDDEN');
  });

  it('refuses wrong input, and says what is wrong', async () => {
    const fleet = new HostFleet(core, 'north');
    const refusal = async (change: object) =>
      (await fleet.decide('excludeHost', { host: 'a', reason: 'x', ...change }, admin))['userErrors'];
    expect(await refusal({ queue: 'nowhere' })).toMatchObject([{ code: 'QUEUE_NOT_FOUND', path: ['queue'] }]);
    expect(await refusal({ host: '' })).toMatchObject([{ path: ['host'] }]);
    expect(await refusal({ reason: '' })).toMatchObject([{ path: ['reason'] }]);
    expect(await refusal({ until: '2020-01-01T00:00:00Z' })).toMatchObject([{ path: ['until'] }]);
    expect(await fleet.hosts()).toEqual([]);
  });
});
