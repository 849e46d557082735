import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type Answer, pilotOf, startCore, type TestCore } from '../support/core.fixture.js';

let core: TestCore;
let keys = 0;

const free = { cores: 8, memoryMiB: 16_000, diskMiB: 16_000 };

beforeAll(async () => {
  core = await startCore();
  await core.ask(
    `mutation { registerExperiment(input: { name: "alpha", title: "Alpha" }) { userErrors { message } } }`,
  );
  await core.ask(
    `mutation { createQueue(input: { name: "gpus", site: "HOME", limits: { isGpuSharingEnabled: true } }) { userErrors { message } } }`,
  );
  await core.ask(
    `mutation { createQueue(input: { name: "alone", site: "HOME" }) { userErrors { message } } }`,
  );
});

async function register(queue: string, devices: readonly object[]): Promise<string> {
  const hardware = { architecture: 'x86_64', ...free };
  const name = `w${(keys += 1)}`;
  const { registerWorker } = await core.ask(
    'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
    { input: { queue, host: name, name, hardware, devices, version: '1', idempotencyKey: name } },
    pilotOf(queue),
  );
  const id = registerWorker?.['worker']?.['id'];
  if (!id) throw new Error(JSON.stringify(registerWorker));
  return id;
}

async function report(queue: string, workerId: string, devices: readonly object[]): Promise<void> {
  const { heartbeat } = await core.ask(
    'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { message } } }',
    { input: { workerId, devices } },
    pilotOf(queue),
  );
  expect(heartbeat?.['userErrors']).toEqual([]);
}

async function submit(gpu: object, count = 1): Promise<void> {
  const requirements = { cores: 1, memoryMiB: 100, diskMiB: 0, walltimeSeconds: 60, gpu };
  const jobs = Array.from({ length: count }, () => ({
    name: 'j',
    requirements,
    payload: { command: 'true' },
  }));
  const { submitJobs } = await core.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { userErrors { message } } }',
    { input: { experiment: 'alpha', idempotencyKey: `k${(keys += 1)}`, jobs } },
  );
  expect(submitJobs?.['userErrors']).toEqual([]);
}

async function acquire(
  queue: string,
  workerId: string,
  freeDeviceIds: readonly string[],
  waitSeconds: number,
): Promise<readonly string[][]> {
  const { acquireJobs } = await core.ask(
    'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { deviceIds } userErrors { message } } }',
    { input: { workerId, count: 10, free, freeDeviceIds, waitSeconds } },
    pilotOf(queue),
  );
  return ((acquireJobs?.['assignments'] ?? []) as unknown as { deviceIds: string[] }[]).map(
    ({ deviceIds }) => deviceIds,
  );
}

const devicesOf = async (id: string): Promise<Answer> =>
  (
    await core.ask(
      `query ($id: ID!) { worker(id: $id) { devices {
        id pciId gfxTarget rocmVersion isEccEnabled nvlinkGroup partitionMode utilisation memoryUsedMiB brand usedShare
        sources { fact source } health } } }`,
      { id },
    )
  )['worker']?.['devices'] as Answer;

const a100 = { vendor: 'NVIDIA', model: 'NVIDIA A100-SXM4-40GB', memoryMiB: 40_536, health: 'HEALTHY' };

describe('gpuModels', () => {
  it('returns a source for each row, and which facts are uncertain', async () => {
    const { gpuModels, cudaReleases } = (await core.ask(
      `{ gpuModels { catalogueVersion name vendor sources confidence uncertain migProfiles { name slices } }
         cudaReleases { version update driver minorVersionDriver capabilities sources confidence } }`,
    )) as unknown as {
      gpuModels: { name: string; sources: string[]; confidence: string; uncertain: string[] }[];
      cudaReleases: { version: string; update: number }[];
    };
    expect(gpuModels.length).toBeGreaterThan(60);
    for (const { sources, confidence, uncertain } of gpuModels) {
      expect(sources).not.toHaveLength(0);
      expect(confidence === 'LOW').toBe(uncertain.length > 0);
    }
    expect(gpuModels.find(({ name }) => name === 'A800-40GB')).toMatchObject({
      confidence: 'LOW',
      uncertain: ['computeCapability'],
    });
    expect(cudaReleases.find(({ version, update }) => version === '12.4' && update === 1)).toMatchObject({
      driver: '550.54.15',
      minorVersionDriver: '525.60.13',
      capabilities: expect.arrayContaining(['7.0', '9.0']) as unknown,
    });
  });

  it.each([
    ['NVIDIA H100 80GB HBM3', 'H100-SXM5-80GB'],
    ['10de:20b2', 'A100-SXM4-80GB'],
    ['Instinct MI300X', 'MI300X'],
    ['A100', undefined],
    ['nothing', undefined],
  ])('finds a model by any of its names: %s', async (name, expected) => {
    const { gpuModel } = await core.ask('query ($name: String!) { gpuModel(name: $name) { name } }', {
      name,
    });
    expect(gpuModel?.['name']).toBe(expected);
  });
});

describe('a device report', () => {
  it('replaces all facts, including utilisation', async () => {
    const sources = [{ fact: 'isEccEnabled', source: 'nvidia-smi -q -x' }];
    const id = await register('gpus', [
      {
        ...a100,
        id: 'facts-0',
        pciId: '10DE:20B0',
        isEccEnabled: true,
        nvlinkGroup: 'n0',
        utilisation: 0.5,
        sources,
      },
    ]);
    expect((await devicesOf(id))[0]).toMatchObject({
      pciId: '10de:20b0',
      isEccEnabled: true,
      nvlinkGroup: 'n0',
      utilisation: 0.5,
      memoryUsedMiB: null,
      usedShare: 0,
      sources,
    });
    await report('gpus', id, [{ ...a100, id: 'facts-0', memoryUsedMiB: 7, brand: 'Tesla' }]);
    expect((await devicesOf(id))[0]).toMatchObject({
      pciId: null,
      isEccEnabled: null,
      nvlinkGroup: null,
      utilisation: null,
      memoryUsedMiB: 7,
      brand: 'Tesla',
      sources: null,
    });
  });

  it('keeps the facts when it has only utilisation', async () => {
    const id = await register('gpus', [{ ...a100, id: 'use-0', isEccEnabled: true, utilisation: 0.5 }]);
    const { heartbeat } = await core.ask(
      'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { message } } }',
      {
        input: {
          workerId: id,
          deviceUse: [
            { id: 'use-0', memoryUsedMiB: 9 },
            { id: 'nobody', utilisation: 1 },
          ],
        },
      },
      pilotOf('gpus'),
    );
    expect(heartbeat?.['userErrors']).toEqual([]);
    expect(await devicesOf(id)).toMatchObject([
      { id: 'use-0', isEccEnabled: true, utilisation: null, memoryUsedMiB: 9 },
    ]);
  });

  it('excludes a device from matching as soon as it is unhealthy, and includes it again when it is healthy', async () => {
    const id = await register('alone', [{ ...a100, id: 'bad-0', model: 'Frail 1' }]);
    await submit({ models: ['Frail 1'] });
    await report('alone', id, [{ ...a100, id: 'bad-0', model: 'Frail 1', health: 'UNHEALTHY' }]);
    expect(await acquire('alone', id, ['bad-0'], 1)).toEqual([]);
    await report('alone', id, [{ ...a100, id: 'bad-0', model: 'Frail 1' }]);
    expect(await acquire('alone', id, ['bad-0'], 60)).toEqual([['bad-0']]);
  });
});

describe('a GPU whose slices change while its worker runs', () => {
  const slice = (id: string, migProfile: string, more: object = {}): object => ({
    ...a100,
    id,
    migProfile,
    memoryMiB: 4864,
    parentId: 'mig-gpu',
    ...more,
  });

  it('offers the new slices and not the old ones, and shows an old one that a job holds as unhealthy, with its job', async () => {
    const id = await register('alone', [slice('old-0', '1g.5gb'), slice('old-1', '1g.5gb')]);
    await submit({ partition: { migProfile: '1g.5gb' } });
    expect(await acquire('alone', id, ['old-0', 'old-1'], 60)).toEqual([['old-0']]);
    await submit({ partition: { migProfile: '3g.20gb' } });
    expect(await acquire('alone', id, ['old-1'], 1)).toEqual([]);
    await report('alone', id, [slice('new-0', '3g.20gb'), slice('old-0', '1g.5gb', { health: 'UNHEALTHY' })]);
    expect(await acquire('alone', id, ['new-0'], 60)).toEqual([['new-0']]);
    await submit({ partition: { migProfile: '1g.5gb' } });
    expect(await acquire('alone', id, ['old-1'], 1)).toEqual([]);
    const { worker } = await core.ask(
      'query ($id: ID!) { worker(id: $id) { devices { id health job { state } } } }',
      { id },
    );
    expect(worker?.['devices']).toEqual([
      { id: 'new-0', health: 'HEALTHY', job: { state: 'SENT' } },
      { id: 'old-0', health: 'UNHEALTHY', job: { state: 'SENT' } },
    ]);
  });

  it('ends the open call of a worker that waits with the old slices, so that it can offer the new ones', async () => {
    const own = (id: string, more: object = {}): object =>
      slice(id, '2g.10gb', { model: 'Changing 1', ...more });
    const id = await register('alone', [own('a'), own('b', { health: 'UNHEALTHY' })]);
    const open = acquire('alone', id, ['a'], 60);
    // Changed utilisation is not a change of devices.
    await report('alone', id, [own('a', { memoryUsedMiB: 5 }), own('b', { health: 'UNHEALTHY' })]);
    await submit({ models: ['Changing 1'], partition: { migProfile: '2g.10gb' } });
    expect(await open).toEqual([['a']]);
    let isAnswered = false;
    const again = acquire('alone', id, [], 60).finally(() => (isAnswered = true));
    await waitFor('the grant to be known', async () => (await devicesOf(id))[0]?.['usedShare'] === 1000, {
      deadlineMs: 60_000,
    });
    await report('alone', id, [own('a'), own('b')]);
    // Before the end of its waiting time of 60 s.
    await waitFor('the answer', () => isAnswered, { deadlineMs: 45_000 });
    expect(await again).toEqual([]);
    await submit({ models: ['Changing 1'], partition: { migProfile: '2g.10gb' } });
    expect(await acquire('alone', id, ['b'], 60)).toEqual([['b']]);
  });

  it('gives a job exclusive use although only slices are reported', async () => {
    const own = (gpu: string, at: number): object =>
      slice(`${gpu}-${at}`, '2g.10gb', { parentId: gpu, model: 'Lonely 1' });
    const all = [own('one', 0), own('one', 1), own('two', 0), own('two', 1)];
    const ids = ['one-0', 'one-1', 'two-0', 'two-1'];
    const id = await register('alone', all);
    await submit({ models: ['Lonely 1'], partition: { migProfile: '2g.10gb' } });
    expect(await acquire('alone', id, ids, 60)).toHaveLength(1);
    await submit({ models: ['Lonely 1'], isExclusive: true, partition: { migProfile: '2g.10gb' } });
    const left = ids.filter((one) => one !== 'one-0');
    expect(await acquire('alone', id, left, 60)).toEqual([['two-0']]);
    await submit({ models: ['Lonely 1'], partition: { migProfile: '2g.10gb' } }, 2);
    expect(await acquire('alone', id, ['one-1', 'two-1'], 60)).toEqual([['one-1']]);
    expect(await acquire('alone', id, ['two-1'], 1)).toEqual([]);
  });
});

describe('a shared device', () => {
  it('takes several jobs that fit together, and shows what is in use', async () => {
    const id = await register('gpus', [{ ...a100, id: 'shared-0', model: 'Common 1' }]);
    await submit(
      { models: ['Common 1'], partition: { timeShare: { thousandths: 400, memoryMiB: 10_000 } } },
      3,
    );
    const got = await waitFor(
      'two of three are granted',
      async () => {
        await acquire('gpus', id, ['shared-0'], 1);
        const [device] = (await devicesOf(id)) as unknown as { usedShare: number }[];
        return device?.usedShare === 800;
      },
      { deadlineMs: 60_000 },
    );
    expect(got).toBe(true);
    expect(await acquire('gpus', id, ['shared-0'], 0)).toEqual([]);
    const { shares } = await core.ask('{ shares(experiment: "alpha") { nodes { path usedGpus } } }');
    expect(shares?.['nodes']?.[0]?.['usedGpus']).toBeGreaterThanOrEqual(0.8);
  });
});

describe('submitJobs', () => {
  it('rejects parts of a device that exclude each other, with the path that the client wrote', async () => {
    const partition = { migProfile: '1g.10gb', migFraction: 142 };
    const job = { name: 'j', requirements: { gpu: { partition } }, payload: { command: 'true' } };
    const submitted = core.ask(
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { userErrors { message } } }',
      { input: { experiment: 'alpha', idempotencyKey: 'both', jobs: [job] } },
    );
    await expect(submitted).rejects.toThrow(
      /input\.jobs\[0\]\.requirements\.gpu\.partition.*Exactly one key must be specified/,
    );
  });
});

describe('explainRequirements', () => {
  const explain = async (input: object): Promise<Answer> =>
    (
      await core.ask(
        `query ($input: ExplainRequirementsInput!) { explainRequirements(input: $input) {
          pending { summary mostFailed workersConsidered devicesConsidered workersThatFit position isPositionEstimated
            constraints { constraint queuesThatPass workersThatPass devicesThatPass queuesTogether workersTogether
              devicesTogether workersThatFailFirst reasons }
            relaxations { constraint change queuesGained workersGained devicesGained }
            wait { kind seconds reason } }
          userErrors { code path message } } }`,
        { input },
      )
    )['explainRequirements'] as Answer;

  it('explains the requirements, and submits nothing', async () => {
    await register('gpus', [{ ...a100, id: 'dry-0', model: 'Dry 1', driverVersion: '535.104.05' }]);
    const gpu = { models: ['Dry 1'], minDriverVersion: '575.51' };
    const { pending, userErrors } = await explain({ experiment: 'alpha', requirements: { gpu } });
    expect(userErrors).toEqual([]);
    expect(pending).toMatchObject({ workersThatFit: 0, wait: { kind: 'UNKNOWN' } });
    expect(pending?.['relaxations']).toContainEqual({
      constraint: 'driver >= 575.51',
      change: 'driver >= 535.104.05 instead of 575.51',
      queuesGained: 1,
      workersGained: 1,
      devicesGained: 1,
    });
  });

  it('rejects what a submit would reject, with the same messages', async () => {
    const { pending, userErrors } = await explain({
      experiment: 'alpha',
      share: 'nowhere',
      requirements: { gpu: { count: 2, partition: { timeShare: { thousandths: 300 } } } },
    });
    expect(pending).toBeNull();
    const refused = userErrors as unknown as { path: string[] }[];
    expect(refused.map(({ path }) => path.join('.'))).toEqual(['requirements.gpu.count', 'share']);
    expect((await explain({ experiment: 'nobody' }))['userErrors']?.[0]).toMatchObject({
      code: 'EXPERIMENT_NOT_FOUND',
    });
  });
});
