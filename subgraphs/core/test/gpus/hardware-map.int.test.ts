import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { admin, type Answer, pilotOf, seed, startCore, type TestCore } from '../support/core.fixture.js';

let core: TestCore;

const t4 = {
  vendor: 'NVIDIA',
  model: 'Tesla T4',
  pciId: '10de:1eb8',
  memoryMiB: 15_360,
  computeCapability: '7.5',
  driverVersion: '550.54.15',
  cudaVersion: '12.4',
  health: 'HEALTHY',
};
const mi210 = {
  vendor: 'AMD',
  model: 'AMD Instinct MI210',
  gfxTarget: 'gfx90a',
  rocmVersion: '6.2',
  driverVersion: '6.8.5',
};

beforeAll(async () => {
  core = await startCore();
  await seed(core);
  await core.ask(
    'mutation { createQueue(input: { name: "south", site: "South", experiments: ["alpha"] }) { userErrors { message } } }',
  );
});

async function register(queue: string, name: string, devices: readonly object[]): Promise<string> {
  const hardware = { architecture: 'x86_64', cores: 4, memoryMiB: 8000, diskMiB: 8000 };
  const input = { queue, host: `host-${name}`, name, hardware, devices, version: '1', idempotencyKey: name };
  const { registerWorker } = await core.ask(
    'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
    { input },
    pilotOf(queue),
  );
  const id = registerWorker?.['worker']?.['id'];
  if (!id) throw new Error(JSON.stringify(registerWorker));
  return id;
}

async function beat(queue: string, workerId: string, devices: readonly object[]): Promise<void> {
  const { heartbeat } = await core.ask(
    'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { message } } }',
    { input: { workerId, devices } },
    pilotOf(queue),
  );
  expect(heartbeat?.['userErrors']).toEqual([]);
}

async function end(queue: string, workerId: string): Promise<void> {
  await core.ask(
    'mutation ($input: DrainWorkerInput!) { drainWorker(input: $input) { userErrors { message } } }',
    { input: { workerId, hasEnded: true } },
    pilotOf(queue),
  );
}

const fields =
  'vendor model driverBranch cudaVersion rocmVersion target hosts devices free unhealthy unknown lastSeenAt';
const mapText = `query ($filter: HardwareMapFilter, $since: DateTime) {
  hardwareMap(filter: $filter, seenSince: $since) { asOf sites { site { name } queues { name } gpus { ${fields} } } }
}`;
const summaryText = `query { queue(name: "north") { gpuSummary { ${fields} } } }`;

async function sites(variables: object = {}, principal = admin): Promise<readonly Answer[]> {
  return (await core.ask(mapText, variables, principal))['hardwareMap']?.['sites'] ?? [];
}
async function summary(): Promise<readonly Answer[]> {
  return (await core.ask(summaryText))['queue']?.['gpuSummary'] ?? [];
}

describe('the hardware view', () => {
  it('follows reports, grants and lost workers, and replaces all facts', async () => {
    const first = await register('north', 'first', [
      { ...t4, id: 'GPU-1' },
      { ...t4, id: 'GPU-2' },
    ]);
    await register('south', 'second', [{ ...mi210, id: 'GPU-3', health: 'HEALTHY' }]);
    expect(await sites()).toMatchObject([
      {
        site: { name: 'Pole' },
        queues: [{ name: 'north' }],
        gpus: [{ model: 'T4', driverBranch: '550', devices: 2, free: 2, hosts: 1 }],
      },
      {
        site: { name: 'South' },
        queues: [{ name: 'south' }],
        gpus: [{ model: 'MI210', rocmVersion: '6.2', target: 'gfx90a', devices: 1 }],
      },
    ]);

    // A job takes one.
    const submitted = await core.ask(
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { userErrors { message } } }',
      {
        input: {
          experiment: 'alpha',
          idempotencyKey: 'gpu',
          jobs: [
            {
              name: 'gpu',
              payload: { command: 'true' },
              requirements: { gpu: { count: 1, models: ['Tesla T4'] } },
            },
          ],
        },
      },
    );
    expect(submitted['submitJobs']?.['userErrors']).toEqual([]);
    const asks = {
      workerId: first,
      count: 1,
      free: { cores: 4, memoryMiB: 8000, diskMiB: 8000 },
      freeDeviceIds: ['GPU-1', 'GPU-2'],
      waitSeconds: 60,
    };
    const { acquireJobs } = await core.ask(
      'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { deviceIds } userErrors { message } } }',
      { input: asks },
      pilotOf('north'),
    );
    expect(acquireJobs?.['assignments']?.[0]?.['deviceIds']).toHaveLength(1);
    expect(await summary()).toMatchObject([{ devices: 2, free: 1, unhealthy: 0 }]);

    // One becomes unhealthy and the other gets a new driver: nothing of the old report stays.
    await beat('north', first, [
      { ...t4, id: 'GPU-1', health: 'UNHEALTHY' },
      { ...t4, id: 'GPU-2', driverVersion: '575.57.08', cudaVersion: '12.9' },
    ]);
    await waitFor('the views follow', async () => (await summary()).length === 2, { deadlineMs: 60_000 });
    expect(await summary()).toMatchObject([
      { driverBranch: '550', devices: 1, unhealthy: 1, free: 0 },
      { driverBranch: '575', cudaVersion: '12.9', devices: 1, unhealthy: 0 },
    ]);

    // The worker ends: its hardware is gone, and only listed with `seenSince`.
    const before = new Date(Date.now() - 60_000).toISOString();
    await end('north', first);
    await waitFor('the worker is gone', async () => (await summary()).length === 0, { deadlineMs: 60_000 });
    expect((await sites()).map((site) => (site['site'] as unknown as Answer)['name'])).toEqual(['South']);
    const [pole] = await sites({ since: before, filter: { sites: ['Pole'] } });
    expect(pole).toMatchObject({
      gpus: [
        { model: 'T4', devices: 0 },
        { model: 'T4', devices: 0 },
      ],
    });
    expect(Date.parse(String(pole?.['gpus']?.[0]?.['lastSeenAt']))).toBeGreaterThan(Date.parse(before));
    const tooLong = await core.run(mapText, { since: '2020-01-01T00:00:00Z' });
    expect(tooLong.errors?.[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
  });

  it('shows no queues that the caller may not see', async () => {
    const stranger = testPrincipal({ subject: 'stranger@example', grants: { beta: 'READER' } });
    expect(
      (await sites({}, stranger)).map((site) => (site['site'] as unknown as Answer)['name']),
    ).not.toContain('South');
    expect((await sites({})).map((site) => (site['site'] as unknown as Answer)['name'])).toContain('South');
  });

  it('is exported queue by queue, in the vocabulary of information systems', async () => {
    const text = `query { hardwareExport(sites: ["South"]) {
      name site status architectures { type arch instr vendor model version driverVersion target vramMiB hosts count }
    } }`;
    const exported: readonly Answer[] = (await core.ask(text))['hardwareExport'] ?? [];
    expect(exported).toHaveLength(1);
    const [queue] = exported;
    expect(queue).toMatchObject({ name: 'south', site: 'South', status: 'online' });
    expect(queue?.['architectures']).toEqual([
      {
        type: 'cpu',
        arch: ['x86_64'],
        instr: [],
        vendor: [],
        model: [],
        version: null,
        driverVersion: null,
        target: null,
        vramMiB: null,
        hosts: 1,
        count: 4,
      },
      {
        type: 'gpu',
        arch: [],
        instr: [],
        vendor: ['amd'],
        model: ['mi210'],
        version: '6.2',
        driverVersion: '6.8.5',
        target: 'gfx90a',
        vramMiB: null,
        hosts: 1,
        count: 1,
      },
    ]);
  });
});
