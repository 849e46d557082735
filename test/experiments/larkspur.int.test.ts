import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { experiment } from '@rhizome/larkspur';
import { waitFor } from '@rhizome/testkit';
import { losing } from './faulty-client.js';
import { document, type System, type RunningExperiment, startTestSystem } from './test-system.js';
import { startWorker, type TestWorker } from './worker.js';

const submit = `mutation ($input: SubmitLarkspurObservationInput!) {
  submitLarkspurObservation(input: $input) {
    observation { id state exposures calibratedExposures submittedBy { subject } task { id } }
    userErrors { code path message }
  }
}`;
const show = `query ($id: ID!) {
  larkspur { observation(id: $id) { id state calibratedExposures task { id state jobs(first: 100) { nodes {
    id name taskIndex state larkspur { step exposure observation { id } }
  } } } } }
}`;
const list = 'query { larkspur { observations(first: 100) { nodes { id } } } }';
const tasks = 'query { tasks(first: 100) { nodes { id } } }';

const wanted = (key: string, more: object = {}) => ({
  idempotencyKey: key,
  field: 'LK-042',
  band: 'RED',
  exposures: 3,
  exposureSeconds: 30,
  command: 'calibrate',
  ...more,
});

let system: System;
let running: RunningExperiment;
let worker: TestWorker;

beforeAll(async () => {
  system = await startTestSystem([experiment]);
  running = system.experiments['larkspur'] as RunningExperiment;
  worker = await startWorker(system, 'labelled', { 'larkspur-calibration': '2030a' });
});

const submitted = async (input: object, token?: string) => {
  const { data, errors } = await system.ask(submit, { input }, token);
  return { ...data?.submitLarkspurObservation, errors };
};
const shown = async (id: string) => (await system.ask(show, { id })).data.larkspur.observation;
const reaches = (id: string, state: string) =>
  waitFor(
    `state ${state}`,
    async () => {
      const observation = await shown(id);
      return observation.state === state && observation;
    },
    { deadlineMs: 60_000 },
  );
const jobsOf = (id: string, count: number) =>
  waitFor(
    `${count} jobs`,
    async () => {
      const nodes = (await shown(id))?.task?.jobs.nodes;
      return nodes?.length === count && (nodes as Record<string, unknown>[]);
    },
    { deadlineMs: 60_000 },
  );
const allTasks = async () => (await system.ask(tasks)).data.tasks.nodes.length as number;
const allObservations = async () =>
  (await system.ask(list)).data.larkspur.observations.nodes.length as number;

/** Leaves no jobs to the next test. */
const runAll = async (): Promise<void> => {
  await worker.runAll();
};

describe('an observation', () => {
  afterEach(runAll);

  it('becomes a task of core whose jobs say what they are, at once', async () => {
    const { observation, userErrors } = await submitted(wanted('shown'));
    expect(userErrors).toEqual([]);
    expect(observation).toMatchObject({
      exposures: 3,
      calibratedExposures: 0,
      submittedBy: { subject: 'admin@example' },
      state: 'PROCESSING',
    });
    const jobs = await jobsOf(observation.id, 4);
    const of = { observation: { id: observation.id } };
    expect(
      jobs.map(({ name, taskIndex, state, larkspur }) => ({ name, taskIndex, state, larkspur })),
    ).toEqual([
      ...[0, 1, 2].map((exposure) => ({
        name: `calibrate ${exposure}`,
        taskIndex: exposure,
        state: 'ACTIVATED',
        larkspur: { step: 'CALIBRATE', exposure, ...of },
      })),
      { name: 'stack 3', taskIndex: 3, state: 'PENDING', larkspur: { step: 'STACK', exposure: null, ...of } },
    ]);
    const run = await worker.runAll();
    expect(run.map((job) => job.arguments)).toEqual([
      ...['0', '1', '2'].map((at) => ['--step', 'calibrate', '--exposure', at, '--field', 'LK-042']),
      ['--step', 'stack', '--field', 'LK-042'],
    ]);
    expect((await reaches(observation.id, 'COMPLETE')).calibratedExposures).toBe(3);
  });

  it('belongs to the user it was submitted for, who sees and cancels its jobs', async () => {
    const alice = await system.tokens.human('alice@example', { larkspur: 'USER' });
    const bob = await system.tokens.human('bob@example', { larkspur: 'USER' });
    for (const token of [alice, bob]) await system.allow('larkspur', token);
    const { observation } = await submitted(wanted('of alice'), alice);
    const jobs = await jobsOf(observation.id, 4);
    const ids = jobs.map(({ id }) => id as string);
    const owned = `query { tasks(filter: { owners: ["alice@example"] }) { nodes { id owner { subject } submittedBy { subject } } }
      jobs(filter: { owners: ["alice@example"] }, first: 10) { nodes { id owner { subject } submittedBy { subject } viewerCanCancel } } }`;
    const service = 'experiment:larkspur';
    const own = { owner: { subject: 'alice@example' }, submittedBy: { subject: service } };
    const { data } = await system.ask(owned, {}, alice);
    expect(data.tasks.nodes).toEqual([{ id: observation.task.id, ...own }]);
    expect(data.jobs.nodes.map(({ id }: { id: string }) => id).sort()).toEqual([...ids].sort());
    for (const node of data.jobs.nodes) expect(node).toMatchObject({ ...own, viewerCanCancel: true });
    const cancel = `mutation ($ids: [ID!]!) { cancelJobs(input: { selection: { ids: $ids } }) {
      result { changedCount refusedByReason { code count } } } }`;
    expect((await system.ask(cancel, { ids }, bob)).data.cancelJobs.result).toEqual({
      changedCount: 0,
      refusedByReason: [{ code: 'FORBIDDEN', count: 4 }],
    });
    expect((await system.ask(cancel, { ids }, alice)).data.cancelJobs.result).toMatchObject({
      changedCount: 4,
    });
  });

  it('is one for each subject and key, and another content under a key is refused', async () => {
    const before = await allTasks();
    const first = await submitted(wanted('once'));
    const [again, atOnce] = await Promise.all([submitted(wanted('once')), submitted(wanted('once'))]);
    expect([again.observation.id, atOnce.observation.id]).toEqual([
      first.observation.id,
      first.observation.id,
    ]);
    expect(await allTasks()).toBe(before + 1);
    const other = await submitted(wanted('once', { exposures: 4 }));
    expect(other.observation).toBeNull();
    expect(other.userErrors).toMatchObject([{ code: 'IDEMPOTENCY_KEY_REUSED', path: ['idempotencyKey'] }]);
    const someone = await system.tokens.human('someone@example', { larkspur: 'USER' });
    await system.allow('larkspur', someone);
    expect((await submitted(wanted('once'), someone)).observation.id).not.toBe(first.observation.id);
  });

  it('runs only where its calibration is, by a selector that core does not understand', async () => {
    await worker.runAll();
    const stranger = await startWorker(system, 'stranger');
    const { observation } = await submitted(wanted('placed', { exposures: 1, calibration: '2030a' }));
    await jobsOf(observation.id, 2);
    expect(await stranger.acquireSome(10)).toEqual([]);
    expect((await worker.runAll()).length).toBe(2);
    await reaches(observation.id, 'COMPLETE');
  });

  it('is INCOMPLETE after it lost a job, and complete after a retry', async () => {
    const { observation } = await submitted(wanted('lost', { exposures: 2 }));
    await jobsOf(observation.id, 3);
    const [first, second] = await worker.acquire(2);
    if (!first || !second) throw new Error('two jobs were expected');
    await worker.finish([first]);
    await worker.fail([second]);
    expect((await reaches(observation.id, 'INCOMPLETE')).calibratedExposures).toBe(1);
    const retried = await system.ask(
      'mutation ($i: RetryJobsInput!) { retryJobs(input: $i) { jobs { id } userErrors { message } } }',
      { i: { selection: { ids: [second.id] }, isWithDependents: true, idempotencyKey: 'again' } },
    );
    expect(retried.data.retryJobs.jobs.length).toBe(2);
    await worker.runAll();
    expect((await reaches(observation.id, 'COMPLETE')).calibratedExposures).toBe(2);
  });
});

describe('an observation', () => {
  it.each([
    ['idempotencyKey', { idempotencyKey: '' }, '1 to 200'],
    ['field', { field: 'M31' }, 'LK-042'],
    ['exposures', { exposures: 0 }, 'at least 1'],
    ['exposures', { exposures: 1001 }, 'at most 1000'],
    ['exposureSeconds', { exposureSeconds: 0 }, 'above 0'],
    ['exposureSeconds', { exposureSeconds: 3601 }, 'at most 3600'],
    ['command', { command: '' }, '1 to 4096'],
    ['arguments.1', { arguments: ['a', '{{b}}'] }, 'without {{…}}'],
    ['calibration', { calibration: '' }, '1 to 255'],
  ])('refuses a bad %s and writes nothing', async (path, bad, expected) => {
    const before = [await allTasks(), await allObservations()];
    const { observation, userErrors } = await submitted({ ...wanted('bad'), ...bad });
    expect(observation).toBeNull();
    expect(userErrors).toMatchObject([{ code: 'INVALID_VALUE', path: path.split('.') }]);
    expect(userErrors[0].message).toContain(path);
    expect(userErrors[0].message).toContain(expected);
    expect([await allTasks(), await allObservations()]).toEqual(before);
  });

  it('is submitted by those who may, and read by those who may', async () => {
    const reader = await system.tokens.reader('larkspur');
    const refused = await submitted(wanted('refused'), reader);
    expect(refused.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect((await system.ask(list, {}, reader)).errors).toEqual([]);
    const elsewhere = await system.ask(list, {}, await system.tokens.reader('somewhere'));
    expect(elsewhere.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });
});

describe('recovery from a crash', () => {
  afterEach(runAll);

  it('submits the task at the next start if core did not get it', async () => {
    await running.restart(losing(system.service('larkspur'), 'request'));
    const before = await allTasks();
    const lost = await submitted(wanted('before core'));
    expect(lost.errors).toMatchObject([{ code: 'SERVICE_UNAVAILABLE' }]);
    expect(await allTasks()).toBe(before);
    const stored = await running.db.collection('observations').findOne({ idempotencyKey: 'before core' });
    expect((await shown(String(stored?._id))).state).toBe('SUBMITTING');
    await running.restart();
    await jobsOf(String(stored?._id), 4);
    expect(await allTasks()).toBe(before + 1);
  });

  it('finds the task by the same key if core has it, and counts what ran meanwhile', async () => {
    await running.restart(losing(system.service('larkspur'), 'answer'));
    const before = await allTasks();
    expect((await submitted(wanted('after core'))).errors).toMatchObject([{ code: 'SERVICE_UNAVAILABLE' }]);
    expect(await allTasks()).toBe(before + 1);
    await running.service.stop();
    // The stream is lost, too: only reading the jobs shows what ran.
    await running.db.collection('streamPlaces').deleteMany({});
    expect((await worker.runAll()).length).toBe(4);
    await running.restart();
    const { observation } = await submitted(wanted('after core'));
    expect((await reaches(observation.id, 'COMPLETE')).calibratedExposures).toBe(3);
    expect(await allTasks()).toBe(before + 1);
  });

  it('counts nothing twice and misses nothing while it follows events', async () => {
    const { observation } = await submitted(wanted('followed', { exposures: 4 }));
    await jobsOf(observation.id, 5);
    const early = await running.db.collection('streamPlaces').findOne({});
    await worker.finish(await worker.acquire(2));
    await waitFor('two exposures', async () => (await shown(observation.id)).calibratedExposures === 2, {
      deadlineMs: 60_000,
    });
    await running.service.stop();
    // As if the last writes were lost with the process: the same events arrive again.
    await running.db.collection('streamPlaces').updateOne({}, { $set: { cursor: early?.['cursor'] } });
    await worker.finish(await worker.acquire(1));
    await running.restart();
    await waitFor('three exposures', async () => (await shown(observation.id)).calibratedExposures === 3, {
      deadlineMs: 60_000,
    });
    await worker.runAll();
    expect((await reaches(observation.id, 'COMPLETE')).calibratedExposures).toBe(4);
  });

  it('reads its jobs if core does not know its cursor', async () => {
    const { observation } = await submitted(wanted('unknown cursor'));
    await jobsOf(observation.id, 4);
    await running.service.stop();
    await running.db.collection('streamPlaces').updateOne({}, { $set: { cursor: 'e1.unknown' } });
    await worker.runAll();
    await running.restart();
    expect((await reaches(observation.id, 'COMPLETE')).calibratedExposures).toBe(3);
    const place = await running.db.collection('streamPlaces').findOne({});
    expect(place?.['cursor']).not.toBe('e1.unknown');
  });
});

describe('larkspurObservationChanged', () => {
  const changed = document(`subscription ($id: ID!, $after: String) {
    larkspurObservationChanged(id: $id, after: $after) { cursor event { observation { state calibratedExposures } } }
  }`);
  interface Changed {
    readonly cursor: string;
    readonly event: {
      readonly observation: { readonly state: string; readonly calibratedExposures: number };
    } | null;
  }
  const follow = async (id: string, after?: string) => {
    const client = await system.client();
    return client.subscribe(changed, { id, after: after ?? null }) as AsyncIterableIterator<{
      readonly larkspurObservationChanged: Changed;
    }>;
  };
  const next = async (stream: Awaited<ReturnType<typeof follow>>): Promise<Changed> => {
    const { value } = await waitFor('a change', stream.next(), { deadlineMs: 60_000 });
    return value.larkspurObservationChanged;
  };

  it('starts with a cursor, sends each change, and resumes from a cursor without a gap', async () => {
    const { observation } = await submitted(wanted('streamed'));
    await jobsOf(observation.id, 4);
    const stream = await follow(observation.id);
    const opening = await next(stream);
    expect(opening.event).toBeNull();
    await worker.finish(await worker.acquire(1));
    const first = await next(stream);
    expect(first.event?.observation).toEqual({ state: 'PROCESSING', calibratedExposures: 1 });
    await stream.return?.();

    await worker.runAll();
    await reaches(observation.id, 'COMPLETE');
    const resumed = await follow(observation.id, first.cursor);
    const cursors = [first.cursor];
    let last = first;
    while (last.event?.observation.state !== 'COMPLETE') {
      last = await next(resumed);
      // A resumed stream may begin with its own cursor.
      if (last.event) cursors.push(last.cursor);
    }
    expect(last.event?.observation.calibratedExposures).toBe(3);
    expect(new Set(cursors).size).toBe(cursors.length);
    await resumed.return?.();
  });

  it('refuses a cursor that it never gave', async () => {
    const { observation } = await submitted(wanted('cursors'));
    await expect(next(await follow(observation.id, 'junk'))).rejects.toMatchObject({
      code: 'CURSOR_INVALID',
    });
  });

  it('refuses an observation that does not exist', async () => {
    await expect(next(await follow('larkspurObservation_none'))).rejects.toMatchObject({
      code: 'LARKSPUR_OBSERVATION_NOT_FOUND',
    });
  });
});
