// Demand for pilots, and the record of those that executors request, with two processes of core.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type Answer, lastingLeases, seed, startCore } from '../support/core.fixture.js';

type StartedCore = Awaited<ReturnType<typeof startCore>>;

const hardware = { architecture: 'x86_64', cores: 1, memoryMiB: 1000, diskMiB: 1000 };
const shapes = [
  { name: 'small', hardware, lifetimeSeconds: 3600 },
  { name: 'large', hardware: { ...hardware, cores: 8, memoryMiB: 1600 }, lifetimeSeconds: 3600 },
];
const demandText = `query ($input: PilotDemandInput!) { pilotDemand(input: $input) {
  demand { classesLeftOut classes {
    classId experimentName experiment { name } waitingJobs isAtLeast freeWorkers comingPilots comingJobs missingJobs
    shape jobsPerPilot reason oldestSubmittedAt
  } }
  userErrors { code path message }
} }`;
const payload =
  '{ pilots { id batch number state reason batchJobId worker { id } } userErrors { code path message } }';
const requestText = `mutation ($input: RequestPilotsInput!) { requestPilots(input: $input) ${payload} }`;
const reportText = `mutation ($input: ReportPilotsInput!) { reportPilots(input: $input) ${payload} }`;
const classId = `class_${'0'.repeat(26)}`;

let core: StartedCore;
let second: StartedCore;

beforeAll(async () => {
  core = await startCore();
  await seed(core, lastingLeases);
  for (const name of ['south', 'west', 'east'])
    await core.ask(
      'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
      { input: { name, site: 'Pole', limits: lastingLeases } },
    );
  second = await startCore({ db: core.db });
});

async function submit(queue: string, count: number, requirements: object): Promise<void> {
  const job = {
    name: 'x',
    payload: { command: 'true' },
    requirements: { queue, diskMiB: 1, ...requirements },
  };
  const jobs = Array.from({ length: count }, () => job);
  const input = { experiment: 'alpha', idempotencyKey: `${queue} ${JSON.stringify(requirements)}`, jobs };
  const { submitJobs } = await core.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { userErrors { message } } }',
    { input },
  );
  expect(submitJobs?.['userErrors']).toEqual([]);
}

/** Classes of the queue, once the leader knows this number of waiting jobs. */
async function classesOf(queue: string, waitingJobs: number): Promise<readonly Answer[]> {
  return waitFor(
    `${waitingJobs} waiting jobs of ${queue}`,
    async () => {
      const { data, errors } = await core.run(demandText, { input: { queue, shapes } });
      if (errors) return undefined;
      const classes = (data as Answer)['pilotDemand']?.['demand']?.['classes'] as readonly Answer[];
      return classes.reduce((sum, one) => sum + Number(one['waitingJobs']), 0) === waitingJobs && classes;
    },
    { deadlineMs: 60_000 },
  );
}

async function request(changes: object, at: StartedCore = core): Promise<Answer> {
  const input = {
    ...{ queue: 'west', executor: 'site', instance: 'site 1', classId, experiment: 'alpha', shape: 'small' },
    ...{ jobsPerPilot: 1, count: 1, maxOpenPilots: 10, idempotencyKey: 'one', ...changes },
  };
  return (await at.ask(requestText, { input }))['requestPilots'] as Answer;
}

async function report(changes: object, at: StartedCore = core): Promise<Answer> {
  const input = { queue: 'west', instance: 'site 1', pilots: [], ...changes };
  return (await at.ask(reportText, { input }))['reportPilots'] as Answer;
}

/** Registers a worker of a pilot of the queue north. */
async function register(pilot: string, idempotencyKey: string): Promise<unknown> {
  const names = { queue: 'north', host: 'node-1', name: pilot, batchJobId: pilot, version: '1' };
  const input = { ...names, idempotencyKey, hardware: { ...hardware, cores: 8, memoryMiB: 1600 } };
  const { registerWorker } = await core.ask(
    'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
    { input },
  );
  return registerWorker?.['worker']?.['id'];
}

const idsOf = ({ pilots }: Answer): readonly string[] =>
  (pilots as readonly Answer[]).map(({ id }) => String(id));

describe('pilotDemand', () => {
  it('counts waiting jobs by class, with the first shape that serves them, or why none does', async () => {
    await submit('north', 5, { cores: 2, memoryMiB: 400 });
    await submit('north', 1, { cores: 64, memoryMiB: 400 });
    await submit('north', 1, { cores: 1, memoryMiB: 400, walltimeSeconds: 4000 });
    await submit('east', 2, { cores: 1, memoryMiB: 400 });
    const classes = await classesOf('north', 7);
    expect(classes[0]).toMatchObject({
      ...{ experimentName: 'alpha', experiment: { name: 'alpha' }, waitingJobs: 5, isAtLeast: false },
      ...{ freeWorkers: 0, comingPilots: 0, missingJobs: 5, shape: 'large', jobsPerPilot: 4, reason: null },
    });
    expect(Date.parse(String(classes[0]?.['oldestSubmittedAt']))).toBeLessThanOrEqual(Date.now());
    expect(classes.slice(1).map(({ shape, reason }) => [shape, reason])).toEqual(
      expect.arrayContaining([
        [null, 'large: cores >= 64: has 8'],
        [null, 'large: walltime of 4000 s is longer than the life of 3600 s'],
      ]),
    );
  });

  it('does not count jobs that pilots on their way, or free workers, will take', async () => {
    const [first] = await classesOf('north', 7);
    const order = { queue: 'north', classId: first?.['classId'], shape: 'large', jobsPerPilot: 4 };
    const [pilot] = idsOf(await request({ ...order, idempotencyKey: 'north' }));
    const [coming] = await classesOf('north', 7);
    expect(coming).toMatchObject({ comingPilots: 1, comingJobs: 4, missingJobs: 1 });
    const workerId = await register(String(pilot), 'once');
    const [free] = await classesOf('north', 7);
    expect(free).toMatchObject({ comingPilots: 0, comingJobs: 0, freeWorkers: 1, missingJobs: 4 });
    const { queue } = await core.ask(
      '{ queue(name: "north") { pilots { nodes { id worker { id } } totalCount } } }',
    );
    expect(queue?.['pilots']).toEqual({ nodes: [{ id: pilot, worker: { id: workerId } }], totalCount: 1 });
  });

  it('shows the worker that a pilot registered last, also before a demand was asked for', async () => {
    const [id] = idsOf(await request({ queue: 'north', idempotencyKey: 'again' }));
    await register(String(id), 'first');
    const workerId = await register(String(id), 'second');
    const { queue } = await core.ask('{ queue(name: "north") { pilots { nodes { id worker { id } } } } }');
    const nodes = queue?.['pilots']?.['nodes'] as readonly Answer[];
    expect(nodes.find((pilot) => pilot['id'] === id)).toEqual({ id, worker: { id: workerId } });
  });

  it('has no answer in a process that neither leads nor reaches the leader', async () => {
    const { errors } = await second.run(demandText, { input: { queue: 'north', shapes } });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'LEADER_UNAVAILABLE' });
  });

  it('names the fields that are wrong', async () => {
    const wrong = [{ ...shapes[0], name: 'a b', lifetimeSeconds: 0, hardware: { ...hardware, cores: 0 } }];
    const { pilotDemand } = await core.ask(demandText, { input: { queue: 'nowhere', shapes: wrong } });
    expect(pilotDemand?.['userErrors']).toMatchObject([
      { code: 'INVALID_VALUE', path: ['shapes', '0', 'name'] },
      { code: 'INVALID_VALUE', path: ['shapes', '0', 'lifetimeSeconds'] },
      { code: 'INVALID_VALUE', path: ['shapes', '0', 'hardware', 'cores'] },
      { code: 'QUEUE_NOT_FOUND', path: ['queue'] },
    ]);
  });
});

describe('requestPilots', () => {
  it('returns the same pilots for a repeated call, in any process, and refuses other content', async () => {
    const first = await request({ count: 2 });
    expect(first['pilots']).toMatchObject([
      { number: 0, state: 'REQUESTED', batchJobId: null },
      { number: 1, state: 'REQUESTED', batchJobId: null },
    ]);
    await request({ idempotencyKey: 'between' });
    expect(await request({ count: 2 }, second)).toEqual(first);
    expect(await request({ count: 3 })).toMatchObject({ userErrors: [{ code: 'IDEMPOTENCY_KEY_REUSED' }] });
  });

  it('gives none for an experiment that the queue does not admit', async () => {
    await core.ask(
      'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
      { input: { name: 'narrow', site: 'Pole', experiments: ['alpha'] } },
    );
    expect(await request({ queue: 'narrow', experiment: 'beta' })).toMatchObject({
      ...{ pilots: [], userErrors: [{ code: 'INVALID_VALUE', path: ['experiment'] }] },
    });
    expect(idsOf(await request({ queue: 'narrow' }))).toHaveLength(1);
  });

  it('gives no more than the limit, however many calls come at once', async () => {
    const calls = Array.from({ length: 12 }, (_, index) =>
      request({ queue: 'south', count: 2, idempotencyKey: `s${index}` }, index % 2 ? core : second).catch(
        () => ({ pilots: [] }) as unknown as Answer,
      ),
    );
    const given = (await Promise.all(calls)).flatMap((answer) => idsOf(answer));
    expect(given.length).toBeGreaterThan(0);
    expect(new Set(given).size).toBe(given.length);
    // What a busy ledger refused is given to later calls.
    for (let index = 0; index < 12; index += 1)
      await request({ queue: 'south', idempotencyKey: `t${index}` });
    const { queue } = await core.ask('{ queue(name: "south") { pilots(first: 100) { totalCount } } }');
    expect(queue?.['pilots']?.['totalCount']).toBe(10);
    expect(idsOf(await request({ queue: 'south', idempotencyKey: 'late' }))).toEqual([]);
  });

  it('counts pilots that a killed process has recorded, and not stored', async () => {
    const lost = idsOf(await request({ queue: 'east', count: 4, idempotencyKey: 'lost', maxOpenPilots: 5 }));
    const pilots = core.db.collection<{ _id: string }>('pilots');
    await pilots.deleteMany({ _id: { $in: [...lost] } });
    await core.db
      .collection('pilotLedgers')
      .updateMany({ 'grant.key': 'lost' }, { $unset: { 'grant.isStored': '' } });
    const next = await request({ queue: 'east', count: 4, idempotencyKey: 'next', maxOpenPilots: 5 });
    expect(idsOf(next)).toHaveLength(1);
    expect(
      idsOf(await request({ queue: 'east', count: 4, idempotencyKey: 'lost', maxOpenPilots: 5 })),
    ).toEqual(lost);
  });

  it('does not store pilots again that were removed long after their end', async () => {
    const order = { queue: 'polar', maxOpenPilots: 5 };
    await core.ask(
      'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
      { input: { name: 'polar', site: 'Pole' } },
    );
    const ended = idsOf(await request({ ...order, count: 4, idempotencyKey: 'ended' }));
    expect(ended).toHaveLength(4);
    const pilots = core.db.collection<{ _id: string }>('pilots');
    await pilots.deleteMany({ _id: { $in: [...ended] } });
    expect(idsOf(await request({ ...order, count: 5, idempotencyKey: 'later' }))).toHaveLength(5);
    expect(await pilots.countDocuments({ _id: { $in: [...ended] } })).toBe(0);
  });

  it('serves one instance at a time, until that one gives up', async () => {
    const other = { instance: 'site 2', idempotencyKey: 'other' };
    await report({ leaseSeconds: 3600 });
    expect(await request(other, second)).toMatchObject({ pilots: [], userErrors: [{ code: 'NOT_LEADING' }] });
    expect(await report({ instance: 'site 2' })).toMatchObject({ userErrors: [{ code: 'NOT_LEADING' }] });
    await report({ leaseSeconds: 5 });
    await core.db
      .collection('pilotLedgers')
      .updateMany({ instance: 'site 1' }, { $set: { until: new Date('2020-01-01T00:00:00Z') } });
    expect(idsOf(await request(other, second))).toHaveLength(1);
    expect(await request({ idempotencyKey: 'mine' })).toMatchObject({
      userErrors: [{ code: 'NOT_LEADING' }],
    });
  });
});

describe('reportPilots', () => {
  it('records states and ids of the batch system, of which the end is final', async () => {
    const own = { queue: 'west', instance: 'site 2' };
    const [id] = idsOf(await request({ ...own, idempotencyKey: 'reported' }));
    const states = async (state: string, more: object = {}) =>
      (await report({ ...own, pilots: [{ id, state, ...more }] }))['pilots'];
    expect(await states('PENDING', { batchJobId: '7_0', reason: 'Priority' })).toMatchObject([
      { id, state: 'PENDING', batchJobId: '7_0', reason: 'Priority' },
    ]);
    expect(await states('RUNNING')).toMatchObject([{ state: 'RUNNING', batchJobId: '7_0', reason: null }]);
    expect(await states('ENDED', { reason: 'COMPLETED' })).toMatchObject([{ state: 'ENDED' }]);
    expect(await states('RUNNING')).toEqual([]);
    expect(await report({ ...own, pilots: [{ id: 'pilot_0', state: 'RUNNING' }] })).toMatchObject({
      pilots: [],
    });
  });
});
