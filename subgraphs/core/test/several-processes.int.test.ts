/** Every answer of one process of core holds at all others at once, before the event stream delivers it. */
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { testDatabase, waitFor } from '@rhizome/testkit';
import { acquireOne, free, human, register, registration, submitOne } from './support/access.fixture.js';
import { type Answer, pilotOf, seed, startCore, type TestCore } from './support/core.fixture.js';
import { pausableDatabase } from './support/paused-change-stream.fixture.js';

let pause: () => () => void;
let resumeStream: () => void = () => undefined;
/** Writes, and never leads. */
let writer: TestCore;
/** Leads, and receives no events of the other's writes. */
let paused: TestCore;

beforeAll(async () => {
  const db = await testDatabase('core');
  const other = pausableDatabase(db);
  pause = () => other.pause();
  paused = await startCore({ db: other.db });
  writer = await startCore({ db });
  await seed(writer);
  for (const name of ['beta', 'gamma'])
    await writer.ask(
      'mutation ($name: String!) { registerExperiment(input: { name: $name, title: $name }) { userErrors { message } } }',
      { name },
    );
  expect(await names(paused)).toContain('gamma');
});

afterEach(() => resumeStream());

async function names({ ask }: TestCore): Promise<readonly string[]> {
  const { experiments } = await ask('{ experiments { nodes { name } } }');
  return (experiments?.['nodes'] as unknown as readonly Answer[]).map(({ name }) => String(name));
}

async function createQueue(name: string, experiments: readonly string[] = []): Promise<void> {
  const { createQueue: answer } = await writer.ask(
    'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
    { input: { name, site: 'Pole', experiments } },
  );
  expect(answer).toEqual({ userErrors: [] });
}

async function updateQueue(input: object): Promise<void> {
  const { updateQueue: answer } = await writer.ask(
    'mutation ($input: UpdateQueueInput!) { updateQueue(input: $input) { userErrors { message } } }',
    { input },
  );
  expect(answer).toEqual({ userErrors: [] });
}

async function setShares(at: TestCore, experiment: string, leaves: readonly string[]): Promise<Answer> {
  const shares = leaves.map((leaf) => ({ leaf, nominalCores: 1 }));
  const { setShares: answer } = await at.ask(
    'mutation ($input: SetSharesInput!) { setShares(input: $input) { shares { path } userErrors { code } } }',
    { input: { experiment, shares } },
  );
  return answer as Answer;
}

async function submit(at: TestCore, experiment: string, job: object): Promise<unknown> {
  const { submitJobs } = await at.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { sharePath share { path } } userErrors { code } } }',
    {
      input: {
        experiment,
        idempotencyKey: JSON.stringify(job),
        jobs: [{ name: 'one', payload: { command: 'true' }, ...job }],
      },
    },
  );
  return submitJobs;
}

describe('a new leader', () => {
  it('knows the grants of a queue that it has not seen, and grants nothing of it again', async () => {
    const db = await testDatabase('core');
    const other = pausableDatabase(db);
    const former = await startCore({ db });
    const next = await startCore({ db: other.db });
    await seed(former);
    resumeStream = other.pause();
    await former.ask(
      'mutation { createQueue(input: { name: "late", site: "Pole" }) { userErrors { message } } }',
    );
    const workerId = await register(former, 'late', 'late');
    const requirements = { cores: free.cores };
    const first = await submitOne(former, { name: 'first', requirements });
    expect((await acquireOne(former, 'late', workerId)).id).toBe(first);
    await submitOne(former, { name: 'second', requirements });
    await former.core.handOver();
    const answer = await waitFor(
      'the other to lead',
      async () => {
        const { data } = await next.run(
          'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { job { id } } } }',
          { input: { workerId, count: 1, free, waitSeconds: 0 } },
          pilotOf('late'),
        );
        return data ?? undefined;
      },
      { deadlineMs: 60_000 },
    );
    expect(JSON.parse(JSON.stringify(answer))).toEqual({ acquireJobs: { assignments: [] } });
    const { worker } = await next.ask('query ($id: ID!) { worker(id: $id) { jobs { id } } }', {
      id: workerId,
    });
    expect(worker).toEqual({ jobs: [{ id: first }] });
    await next.stop();
    await former.stop();
  });
});

describe('experiments', () => {
  it('lists a new experiment with its share, and finds its jobs', async () => {
    resumeStream = pause();
    await writer.ask(
      'mutation { registerExperiment(input: { name: "delta", title: "Delta" }) { userErrors { message } } }',
    );
    expect(await names(paused)).toContain('delta');
    const { shares } = await paused.ask('{ shares(experiment: "delta") { nodes { path } } }');
    expect(shares).toEqual({ nodes: [{ path: 'delta/default' }] });
    expect(await submit(writer, 'delta', { name: 'young' })).toMatchObject({ userErrors: [] });
    const { jobs } = await paused.ask(
      '{ jobs(filter: { states: [ACTIVATED] }, first: 100) { nodes { name } } }',
    );
    expect(jobs?.['nodes']).toContainEqual({ name: 'young' });
  });
});

describe('shares', () => {
  it('shows and accepts new shares, and refuses removed ones', async () => {
    resumeStream = pause();
    expect(await setShares(writer, 'beta', ['fast', 'slow'])).toMatchObject({ userErrors: [] });
    const { experiments } = await paused.ask('{ experiments { nodes { name shares { path } } } }');
    expect(experiments?.['nodes']).toContainEqual({
      name: 'beta',
      shares: [{ path: 'beta/fast' }, { path: 'beta/slow' }],
    });
    expect(await submit(paused, 'beta', { share: 'slow' })).toEqual({
      jobs: [{ sharePath: 'beta/slow', share: { path: 'beta/slow' } }],
      userErrors: [],
    });
    expect(await submit(paused, 'beta', {})).toEqual({
      jobs: [{ sharePath: 'beta/fast', share: { path: 'beta/fast' } }],
      userErrors: [],
    });
    expect(await submit(paused, 'beta', { share: 'default' })).toMatchObject({
      userErrors: [{ code: 'SHARE_NOT_FOUND' }],
    });
    const { explainRequirements } = await paused.ask(
      'query ($input: ExplainRequirementsInput!) { explainRequirements(input: $input) { userErrors { code } } }',
      { input: { experiment: 'beta', share: 'slow' } },
    );
    expect(explainRequirements).toEqual({ userErrors: [] });
  });

  it('keeps a share with a job that was just submitted', async () => {
    expect(await setShares(writer, 'gamma', ['kept', 'spare'])).toMatchObject({ userErrors: [] });
    resumeStream = pause();
    expect(await submit(writer, 'gamma', { share: 'spare' })).toMatchObject({ userErrors: [] });
    expect(await setShares(paused, 'gamma', ['kept'])).toEqual({
      shares: [],
      userErrors: [{ code: 'SHARE_IN_USE' }],
    });
  });
});

describe('queues', () => {
  it('shows a changed queue in its new state, with its new experiments', async () => {
    await createQueue('east', ['beta']);
    expect(await paused.ask('{ queue(name: "east") { site { name } } }')).toEqual({
      queue: { site: { name: 'Pole' } },
    });
    resumeStream = pause();
    const reader = human('reader', { alpha: 'READER' });
    const query = '{ queue(name: "east") { site { name } } }';
    expect(await paused.ask(query, {}, reader)).toEqual({ queue: null });
    await updateQueue({ name: 'east', site: 'Moved', experiments: ['alpha', 'beta'] });
    expect(await paused.ask(query, {}, reader)).toEqual({ queue: { site: { name: 'Moved' } } });
    expect(await submit(paused, 'alpha', { requirements: { queue: 'east' } })).toMatchObject({
      userErrors: [],
    });
  });

  it('follows a reference to a queue that was just opened to the caller', async () => {
    await createQueue('west', ['beta']);
    const { queue } = await paused.ask('{ queue(name: "west") { id } }');
    resumeStream = pause();
    await updateQueue({ name: 'west', experiments: ['alpha'] });
    const reader = human('reader', { alpha: 'READER' });
    const entities =
      'query ($refs: [_Any!]!) { _entities(representations: $refs) { ... on Queue { name } } }';
    expect(
      await paused.ask(entities, { refs: [{ __typename: 'Queue', id: queue?.['id'] }] }, reader),
    ).toEqual({
      _entities: [{ name: 'west' }],
    });
  });
});

describe('workers', () => {
  const alphaPilot = (queue: string): Principal => ({
    ...pilotOf(queue),
    grants: human('none', { alpha: 'PILOT' }).grants,
  });
  const registerText =
    'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { code } } }';

  it('accepts jobs for a queue that was just opened to their experiment, and shows them to readers', async () => {
    await createQueue('opened', ['beta']);
    expect(await paused.ask('{ queue(name: "opened") { site { name } } }')).toEqual({
      queue: { site: { name: 'Pole' } },
    });
    resumeStream = pause();
    await updateQueue({ name: 'opened', experiments: ['alpha', 'beta'] });
    const { registerWorker } = await paused.ask(
      registerText,
      { input: registration('opened', 'first') },
      alphaPilot('opened'),
    );
    expect(registerWorker).toMatchObject({ userErrors: [] });
    const id = registerWorker?.['worker']?.['id'];
    const reader = human('reader', { alpha: 'READER' });
    const seen = await paused.ask(
      'query ($id: ID!) { worker(id: $id) { name } workers(filter: { queues: ["opened"] }) { nodes { name } } }',
      { id },
      reader,
    );
    expect(seen).toEqual({ worker: { name: 'first' }, workers: { nodes: [{ name: 'first' }] } });
  });

  it('shows, follows and serves a worker of another process, in a queue of another process', async () => {
    const observer = paused.subscribe('subscription { jobStateChanged { event { job { id } } } }');
    await waitFor('the opening message', () => observer.results.length > 0, { deadlineMs: 60_000 });
    const waiting = await submitOne(writer, { name: 'waiting' });
    // The leader receives jobs only by the stream: it must have received this one before its events stop.
    await waitFor('the leader to receive the job', () => JSON.stringify(observer.results).includes(waiting), {
      deadlineMs: 60_000,
    });
    await observer.close();
    resumeStream = pause();
    await createQueue('fresh', ['alpha']);
    const workerId = await register(writer, 'fresh', 'fresh');
    const reader = human('reader', { alpha: 'READER' });
    const seen = await paused.ask(
      'query ($id: ID!) { worker(id: $id) { name } workers { nodes { name } } }',
      { id: workerId },
      reader,
    );
    expect(seen['worker']).toEqual({ name: 'fresh' });
    expect(seen['workers']?.['nodes']).toContainEqual({ name: 'fresh' });
    const { heartbeat } = await paused.ask(
      'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { code } } }',
      { input: { workerId } },
      pilotOf('fresh'),
    );
    expect(heartbeat).toEqual({ userErrors: [] });
    expect((await acquireOne(paused, 'fresh', workerId)).id).toBe(waiting);
  });

  it('treats a worker that registered, started and finished at different processes as one', async () => {
    await createQueue('moving', ['alpha']);
    const id = await submitOne(writer, { name: 'moving', requirements: { queue: 'moving' } });
    const workerId = await register(writer, 'moving', 'moving');
    const { fence } = await acquireOne(paused, 'moving', workerId);
    const report = async (at: TestCore, what: string, input: string): Promise<unknown> => {
      const answer = await at.ask(
        `mutation ($input: ${input}!) { ${what}(input: $input) { acceptedIds userErrors { code } } }`,
        { input: { workerId, jobs: [{ id, fence, ...(what === 'startJobs' ? { phase: 'RUNNING' } : {}) }] } },
        pilotOf('moving'),
      );
      return answer[what];
    };
    const accepted = { acceptedIds: [id], userErrors: [] };
    resumeStream = pause();
    expect(await report(writer, 'startJobs', 'StartJobsInput')).toEqual(accepted);
    expect(await report(paused, 'finishJobs', 'FinishJobsInput')).toEqual(accepted);
    expect(await report(writer, 'finishJobs', 'FinishJobsInput')).toEqual(accepted);
  });
});

describe('access to jobs of another owner', () => {
  it('begins and ends at all processes', async () => {
    const id = await submitOne(writer, { name: 'shared', requirements: { cores: 4096 } });
    const friend = human('friend', { alpha: 'USER' });
    const canCancel = async (at: TestCore): Promise<boolean> => {
      const { job } = await at.ask('query ($id: ID!) { job(id: $id) { viewerCanCancel } }', { id }, friend);
      return job?.['viewerCanCancel'] as unknown as boolean;
    };
    expect(await canCancel(paused)).toBe(false);
    const input = { experiment: 'alpha', jobs: { jobId: id }, grantee: { subject: friend.subject } };
    const { grantJobAccess } = await writer.ask(
      'mutation ($input: GrantJobAccessInput!) { grantJobAccess(input: $input) { access { id } } }',
      { input: { ...input, level: 'MANAGE' } },
    );
    expect(await canCancel(writer)).toBe(true);
    await waitFor('the access', () => canCancel(paused), { deadlineMs: 60_000 });
    await writer.ask(
      'mutation ($id: ID!) { revokeJobAccess(input: { id: $id }) { userErrors { message } } }',
      { id: grantJobAccess?.['access']?.['id'] },
    );
    expect(await canCancel(writer)).toBe(false);
    await waitFor('its end', async () => !(await canCancel(paused)), { deadlineMs: 60_000 });
  });
});
