import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { type Answer, pilotOf, seed, startCore, type TestCore } from '../support/core.fixture.js';
import { acquired, registerWorker, report, runningJobs } from '../support/live-core.fixture.js';

const hours = (count: number): string => new Date(Date.now() + count * 3_600_000).toISOString();
const fields = 'id state startsAt endsAt reason revision source sourceId queue { name } site { name }';
const texts = {
  declareDowntime: `mutation ($input: DeclareDowntimeInput!) {
    declareDowntime(input: $input) { downtime { ${fields} } queues { name } userErrors { code path message } }
  }`,
  changeDowntime: `mutation ($input: ChangeDowntimeInput!) {
    changeDowntime(input: $input) { downtime { ${fields} } queues { name } userErrors { code path message } }
  }`,
  cancelDowntime: `mutation ($input: CancelDowntimeInput!) {
    cancelDowntime(input: $input) { downtime { ${fields} cancelledBy { id } } userErrors { code path message } }
  }`,
  importDowntimes: `mutation ($input: ImportDowntimesInput!) {
    importDowntimes(input: $input) {
      created { ${fields} } changed { ${fields} } cancelled { ${fields} } unchangedCount
      userErrors { code path message }
    }
  }`,
};
const listText = `query ($filter: DowntimeFilter) {
  downtimes(filter: $filter) { nodes { ${fields} } totalCount }
}`;

let core: TestCore & { readonly db: Awaited<ReturnType<typeof startCore>>['db'] };

async function call(name: keyof typeof texts, input: object, principal?: ReturnType<typeof testPrincipal>) {
  return (await core.ask(texts[name], { input }, principal))[name] as Answer;
}

async function listed(filter: object = {}): Promise<readonly Answer[]> {
  const { downtimes } = await core.ask(listText, { filter });
  return downtimes?.['nodes'] as unknown as readonly Answer[];
}

/** Creates a queue of its own site. */
async function createQueue(name: string, experiments: readonly string[] = []): Promise<void> {
  const input = { name, site: `site of ${name}`, experiments };
  await core.ask(
    'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
    { input },
  );
}

async function submit(queue: string, walltimeSeconds: number): Promise<string> {
  const job = { name: 'a job', payload: { command: 'true' }, requirements: { queue, walltimeSeconds } };
  const { submitJobs } = await core.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }',
    { input: { experiment: 'alpha', idempotencyKey: `${queue} ${walltimeSeconds}`, jobs: [job] } },
  );
  return String((submitJobs?.['jobs'] as unknown as readonly Answer[])[0]?.['id']);
}

async function summaryOf(id: string): Promise<string> {
  const { job } = await core.ask('query ($id: ID!) { job(id: $id) { pending { summary } } }', { id });
  return String(job?.['pending']?.['summary']);
}

async function commandsTo(workerId: string, queue: string, at: TestCore = core): Promise<readonly Answer[]> {
  const { heartbeat } = await at.ask(
    'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { commands { kind reason } userErrors { message } } }',
    { input: { workerId, jobs: [] } },
    pilotOf(queue),
  );
  return heartbeat?.['commands'] as unknown as readonly Answer[];
}

async function acquireNow(workerId: string, queue: string): Promise<readonly Answer[]> {
  const free = { cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
  const { acquireJobs } = await core.ask(
    'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { job { id } } userErrors { message } } }',
    { input: { workerId, count: 5, free, waitSeconds: 0 } },
    pilotOf(queue),
  );
  return acquireJobs?.['assignments'] as unknown as readonly Answer[];
}

beforeAll(async () => {
  core = await startCore();
  await seed(core);
});

const window = { startsAt: hours(2), endsAt: hours(4), reason: 'cooling' };

describe('declareDowntime', () => {
  it('declares it once for each key, and lists it with the queue', async () => {
    await createQueue('listed');
    const input = { target: { queue: 'listed' }, ...window, idempotencyKey: 'one' };
    const { downtime, queues } = await call('declareDowntime', input);
    expect({ downtime, queues }).toMatchObject({
      downtime: { state: 'PLANNED', reason: 'cooling', queue: { name: 'listed' }, site: null, revision: 1 },
      queues: [{ name: 'listed' }],
    });
    const again = await call('declareDowntime', input);
    expect(again['downtime']?.['id']).toBe(downtime?.['id']);
    const other = await call('declareDowntime', { ...input, reason: 'power' });
    expect(other['userErrors']).toMatchObject([{ code: 'IDEMPOTENCY_KEY_REUSED' }]);
    expect(await listed({ queues: ['listed'] })).toEqual([downtime]);
    const { queue } = await core.ask('{ queue(name: "listed") { downtimes { reason } } }');
    expect(queue?.['downtimes']).toEqual([{ reason: 'cooling' }]);
  });

  it('says what is wrong with the input', async () => {
    const refusal = async (change: object) =>
      (await call('declareDowntime', { target: { queue: 'north' }, ...window, ...change }))['userErrors'];
    expect(await refusal({ target: { queue: 'nowhere' } })).toMatchObject([
      { code: 'QUEUE_NOT_FOUND', path: ['target', 'queue'] },
    ]);
    expect(await refusal({ target: { site: 'nowhere' } })).toMatchObject([
      { code: 'SITE_NOT_FOUND', path: ['target', 'site'] },
    ]);
    expect(await refusal({ endsAt: hours(1) })).toMatchObject([{ path: ['endsAt'] }]);
    expect(await refusal({ startsAt: hours(-4), endsAt: hours(-2) })).toMatchObject([{ path: ['endsAt'] }]);
    expect(await refusal({ endsAt: hours(24 * 401) })).toMatchObject([{ path: ['endsAt'] }]);
    expect(await refusal({ reason: '' })).toMatchObject([{ path: ['reason'] }]);
    expect(await listed({ queues: ['north'] })).toEqual([]);
  });

  it('is for operators of all queues that are down', async () => {
    await createQueue('shared', ['alpha']);
    const operator = testPrincipal({ subject: 'operator@example', grants: { alpha: 'OPERATOR' } });
    const user = testPrincipal({ subject: 'user@example', grants: { alpha: 'USER' } });
    const input = { target: { site: 'site of shared' }, ...window, isDryRun: true };
    expect(await call('declareDowntime', input, operator)).toMatchObject({ queues: [{ name: 'shared' }] });
    for (const [caller, target] of [
      [user, { queue: 'shared' }],
      [operator, { queue: 'north' }],
    ] as const) {
      const { errors } = await core.run(texts.declareDowntime, { input: { ...input, target } }, caller);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    }
  });

  it('changes nothing in a dry run', async () => {
    const input = { target: { queue: 'north' }, ...window, isDryRun: true };
    expect(await call('declareDowntime', input)).toMatchObject({
      downtime: { state: 'PLANNED' },
      queues: [{ name: 'north' }],
      userErrors: [],
    });
    expect(await listed({ queues: ['north'] })).toEqual([]);
  });
});

describe('a planned downtime', () => {
  it('keeps jobs from workers that would run into it, and says so until it is cancelled', async () => {
    await createQueue('feeding');
    const worker = await registerWorker(core, 'feeding', [], 'feeding');
    const { downtime } = await call('declareDowntime', { target: { queue: 'feeding' }, ...window });
    const long = await submit('feeding', 4 * 3600);
    const short = await submit('feeding', 3600);
    const [first] = await acquired(core, worker, 1, [], 'feeding');
    expect(first?.id).toBe(short);
    expect(await acquireNow(worker, 'feeding')).toEqual([]);
    const summary = await summaryOf(long);
    expect(summary).toContain('queue feeding is down too soon (1 worker)');
    expect(summary).toContain(`Queue feeding is down from ${window.startsAt} to ${window.endsAt}: cooling.`);
    expect(Number(/A walltime of at most (\d+) s would still fit/.exec(summary)?.[1])).toBeGreaterThan(3600);
    const cancelled = await call('cancelDowntime', { id: downtime?.['id'] });
    expect(cancelled).toMatchObject({ downtime: { state: 'CANCELLED', revision: 2 }, userErrors: [] });
    const [second] = await acquired(core, worker, 1, [], 'feeding');
    expect(second?.id).toBe(long);
    expect(await listed({ queues: ['feeding'], states: ['CANCELLED'] })).toHaveLength(1);
  });
});

describe('a downtime that has begun', () => {
  it('drains the workers of all queues of the site, at every process of core', async () => {
    await createQueue('draining');
    const worker = await registerWorker(core, 'draining', [], 'draining');
    expect(await commandsTo(worker, 'draining')).toEqual([]);
    const second = await startCore({ db: core.db });
    const begun = { ...window, startsAt: hours(-1) };
    const { downtime } = await call('declareDowntime', { target: { site: 'site of draining' }, ...begun });
    expect(downtime).toMatchObject({ state: 'ACTIVE', site: { name: 'site of draining' } });
    const drain = {
      kind: 'DRAIN',
      reason: `queue draining is down from ${begun.startsAt} to ${begun.endsAt}: cooling`,
    };
    expect(await commandsTo(worker, 'draining')).toEqual([drain]);
    await waitFor(
      'the other process drains, too',
      async () => (await commandsTo(worker, 'draining', second)).length === 1,
      { deadlineMs: 60_000 },
    );
    const waiting = await submit('draining', 60);
    expect(await acquireNow(worker, 'draining')).toEqual([]);
    expect(await summaryOf(waiting)).toContain('Queue draining is down from');
    await call('cancelDowntime', { id: downtime?.['id'] });
    expect(await commandsTo(worker, 'draining')).toEqual([]);
    await acquired(core, worker, 1, [], 'draining');
    await second.stop();
  });

  it('leaves jobs alone that were sent before', async () => {
    await createQueue('busy');
    const worker = await registerWorker(core, 'busy', [], 'busy');
    const requirements = { queue: 'busy', walltimeSeconds: 7200 };
    const [job] = await runningJobs(core, worker, [{ requirements }], [], 'busy');
    await call('declareDowntime', { target: { queue: 'busy' }, ...window, startsAt: hours(-1) });
    await report(core, 'startJobs', worker, { id: job?.id, fence: job?.fence, phase: 'RUNNING' }, 'busy');
    await report(core, 'finishJobs', worker, { id: job?.id, fence: job?.fence }, 'busy');
    const { job: ended } = await core.ask('query ($id: ID!) { job(id: $id) { state } }', { id: job?.id });
    expect(ended).toEqual({ state: 'FINISHED' });
  });
});

describe('changeDowntime and cancelDowntime', () => {
  it('changes one that has not ended, at its revision', async () => {
    const { downtime } = await call('declareDowntime', { target: { queue: 'north' }, ...window });
    const id = downtime?.['id'];
    const changed = await call('changeDowntime', { id, endsAt: hours(8), expectedRevision: 1 });
    expect(changed).toMatchObject({
      downtime: { revision: 2, reason: 'cooling' },
      queues: [{ name: 'north' }],
    });
    expect(await call('changeDowntime', { id, reason: 'power', expectedRevision: 1 })).toMatchObject({
      downtime: null,
      userErrors: [{ code: 'REVISION_CONFLICT' }],
    });
    expect(await call('changeDowntime', { id, startsAt: hours(9) })).toMatchObject({
      userErrors: [{ code: 'INVALID_VALUE', path: ['endsAt'] }],
    });
    await call('cancelDowntime', { id, isDryRun: true });
    expect(await listed({ queues: ['north'] })).toHaveLength(1);
    await call('cancelDowntime', { id });
    expect(await call('cancelDowntime', { id })).toMatchObject({ downtime: { revision: 3 }, userErrors: [] });
    expect(await call('changeDowntime', { id, reason: 'power' })).toMatchObject({
      userErrors: [{ code: 'DOWNTIME_OVER' }],
    });
    expect(await call('cancelDowntime', { id: 'downtime_none' })).toMatchObject({
      userErrors: [{ code: 'DOWNTIME_NOT_FOUND' }],
    });
  });
});

describe('importDowntimes', () => {
  const entry = (sourceId: string, change: object = {}) => ({
    ...{ sourceId, target: { site: 'Pole' }, ...window, ...change },
  });
  const counts = ({ created, changed, cancelled, unchangedCount }: Answer) => [
    ...[created, changed, cancelled].map((some) => (some as unknown as readonly Answer[]).length),
    unchangedCount,
  ];

  it('takes over a list, repeats without effect, and cancels what the list no longer has', async () => {
    const source = 'goc';
    const first = { source, downtimes: [entry('1'), entry('2')] };
    expect(counts(await call('importDowntimes', { ...first, isDryRun: true }))).toEqual([2, 0, 0, 0]);
    expect(await listed({ sites: ['Pole'] })).toEqual([]);
    expect(counts(await call('importDowntimes', first))).toEqual([2, 0, 0, 0]);
    expect(counts(await call('importDowntimes', first))).toEqual([0, 0, 0, 2]);
    const next = { source, downtimes: [entry('2', { reason: 'power' }), entry('3')] };
    expect(counts(await call('importDowntimes', next))).toEqual([1, 1, 1, 0]);
    expect((await listed({ sites: ['Pole'] })).map(({ sourceId, reason }) => [sourceId, reason])).toEqual([
      ['2', 'power'],
      ['3', 'cooling'],
    ]);
    const both = await Promise.all([call('importDowntimes', first), call('importDowntimes', first)]);
    for (const { userErrors } of both) expect(userErrors).toEqual([]);
    expect((await listed({ sites: ['Pole'] })).map(({ sourceId }) => sourceId)).toEqual(['1', '2']);
    expect(counts(await call('importDowntimes', { source, downtimes: [] }))).toEqual([0, 0, 2, 0]);
  });

  it('refuses the whole list for one wrong entry', async () => {
    const downtimes = [entry('1'), entry('1'), entry('2', { target: { queue: 'nowhere' } })];
    const { userErrors } = await call('importDowntimes', { source: 'other', downtimes });
    expect(userErrors).toMatchObject([{ code: 'INVALID_VALUE', path: ['downtimes', '1', 'sourceId'] }]);
    const unknown = await call('importDowntimes', { source: 'other', downtimes: downtimes.slice(2) });
    expect(unknown['userErrors']).toMatchObject([
      { code: 'QUEUE_NOT_FOUND', path: ['downtimes', '0', 'target', 'queue'] },
    ]);
    expect(await listed({ sites: ['Pole'] })).toEqual([]);
  });
});
