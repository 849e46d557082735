import { beforeAll, describe, expect, it } from '@jest/globals';
import { pilotOf, seed, startCore, type Answer, type TestCore } from '../support/core.fixture.js';
import { free, registration, submitOne } from '../support/access.fixture.js';

let core: TestCore;

beforeAll(async () => {
  core = await startCore();
  await seed(core);
});

async function createQueue(name: string, isolation?: string): Promise<Answer> {
  return core.ask(
    'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { queue { isolation } userErrors { message } } }',
    { input: { name, site: 'Pole', ...(isolation === undefined ? {} : { isolation }) } },
  );
}

async function register(queue: string, name: string, hardware: object = {}): Promise<Answer> {
  const input = registration(queue, name) as { readonly hardware: object };
  const { registerWorker } = await core.ask(
    `mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) {
      worker { id hardware { isolation isNetworkIsolated hasSystemCallFilter } } userErrors { path code message }
    } }`,
    { input: { ...input, hardware: { ...input.hardware, ...hardware } } },
    pilotOf(queue),
  );
  return registerWorker as unknown as Answer;
}

async function setIsolation(name: string, isolation: string): Promise<Answer> {
  return core.ask(
    'mutation ($input: UpdateQueueInput!) { updateQueue(input: $input) { queue { isolation } userErrors { message } } }',
    { input: { name, isolation } },
  );
}

/** Names of the jobs that a worker gets; waits for them. */
async function acquire(queue: string, workerId: string): Promise<readonly string[]> {
  const { acquireJobs } = await core.ask(
    'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { job { name } } } }',
    { input: { workerId, free, count: 10, waitSeconds: 60 } },
    pilotOf(queue),
  );
  const assignments = acquireJobs?.['assignments'] as unknown as readonly {
    readonly job: { name: string };
  }[];
  return assignments.map(({ job }) => job.name);
}

const idOf = (answer: Answer): string => String(answer['worker']?.['id']);

describe('Queue.isolation', () => {
  it('is NONE by default, and can be changed', async () => {
    expect(await createQueue('plain')).toMatchObject({ createQueue: { queue: { isolation: 'NONE' } } });
    expect(await setIsolation('plain', 'REQUIRED')).toMatchObject({
      updateQueue: { queue: { isolation: 'REQUIRED' } },
    });
    const kept = await core.ask(
      'mutation ($input: UpdateQueueInput!) { updateQueue(input: $input) { queue { isolation } userErrors { message } } }',
      { input: { name: 'plain', executor: 'SLURM' } },
    );
    expect(kept).toMatchObject({ updateQueue: { queue: { isolation: 'REQUIRED' } } });
  });

  it('keeps jobs from workers that do not isolate them', async () => {
    await createQueue('strict', 'REQUIRED');
    const open = await register('strict', 'open');
    const isolated = await register('strict', 'isolated', { isolation: ['NAMESPACES'] });
    expect(open).toMatchObject({
      worker: { hardware: { isolation: [], isNetworkIsolated: false, hasSystemCallFilter: false } },
    });
    expect(isolated).toMatchObject({ worker: { hardware: { isolation: ['NAMESPACES'] } } });
    const waiting = acquire('strict', idOf(open));
    await submitOne(core, { name: 'careful', requirements: { queue: 'strict' } });
    expect(await acquire('strict', idOf(isolated))).toEqual(['careful']);
    await setIsolation('strict', 'NONE');
    await submitOne(core, { name: 'careless', requirements: { queue: 'strict' } });
    expect(await waiting).toEqual(['careless']);
  });

  it('explains why a worker without isolation gets no job', async () => {
    await createQueue('stricter', 'REQUIRED');
    await register('stricter', 'open');
    const id = await submitOne(core, { name: 'waiting', requirements: { queue: 'stricter' } });
    const answer = await core.ask(
      'query ($id: ID!) { job(id: $id) { pending { constraints { reasons } } } }',
      { id },
    );
    expect(JSON.stringify(answer)).toContain('requires isolation');
  });

  it('is matched by a selector over the means of a worker', async () => {
    await createQueue('mixed');
    const requirements = {
      queue: 'mixed',
      selector: '"NAMESPACES" in worker.isolation && worker.networkIsolation && worker.systemCallFilter',
    };
    const some = await register('mixed', 'some', { isolation: ['PODMAN'] });
    const waiting = acquire('mixed', idOf(some));
    await submitOne(core, { name: 'selective', requirements });
    const all = await register('mixed', 'all', {
      isolation: ['PODMAN', 'NAMESPACES'],
      isNetworkIsolated: true,
      hasSystemCallFilter: true,
    });
    expect(await acquire('mixed', idOf(all))).toEqual(['selective']);
    await submitOne(core, { name: 'anywhere', requirements: { queue: 'mixed' } });
    expect(await waiting).toEqual(['anywhere']);
  });

  it('refuses a means that is reported twice', async () => {
    const twice = await register('plain', 'twice', { isolation: ['PODMAN', 'PODMAN'] });
    expect(twice).toMatchObject({
      worker: null,
      userErrors: [{ path: ['hardware', 'isolation', '1'], code: 'INVALID_VALUE' }],
    });
  });
});
