/**
 * GPUs of all kinds on one host: each job gets what it can run on and sees nothing else; what turns bad is
 * out at once; all can see why.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Api } from '../system/api.js';
import { type CommandLine, commandLineOf } from '../system/cli.js';
import { createGate } from '../system/gated-payload.js';
import { experiment } from '../system/jobs.js';
import { dataFolder, type PlaygroundSystem, startPlayground } from '../system/playground-system.js';
import { type Device, FleetFile, gpuJob, healthOf, jobIn, submitByCli } from './fleet.js';

const a100 = {
  vendor: 'NVIDIA',
  model: 'NVIDIA A100-SXM4-40GB',
  pciId: '10de:20b0',
  memoryMiB: 40_536,
  computeCapability: '8.0',
  driverVersion: '535.104.12',
  cudaVersion: '12.2',
};
const slice = (id: string, migProfile: string, memoryMiB: number): Device => ({
  ...a100,
  id,
  migProfile,
  memoryMiB,
  parentId: 'GPU-divided',
});
/** Values that change while a payload works, as a tool would report them. */
const busy = { utilisation: 0.75, memoryUsedMiB: 20_000 };
const fleet: readonly Device[] = [
  { ...a100, ...busy, id: 'GPU-a' },
  { ...a100, id: 'GPU-b' },
  slice('MIG-small', '1g.5gb', 4864),
  slice('MIG-large', '3g.20gb', 19_968),
  {
    vendor: 'AMD',
    model: 'AMD Instinct MI210',
    id: 'AMD-1',
    memoryMiB: 65_520,
    gfxTarget: 'gfx90a',
    rocmVersion: '6.2',
  },
  { vendor: 'INTEL', model: 'Intel(R) Data Center GPU Max 1100', id: 'INTEL-1', memoryMiB: 49_152 },
  {
    vendor: 'NVIDIA',
    model: 'Tesla V100-SXM2-16GB',
    id: 'GPU-broken',
    memoryMiB: 16_160,
    health: 'UNHEALTHY',
  },
  // Nothing but its name is known of it.
  { vendor: 'NVIDIA', model: 'Prototype X', id: 'GPU-unknown' },
];

let system: PlaygroundSystem;
let file: FleetFile;
let api: Api;
let cli: CommandLine;

beforeAll(async () => {
  const data = await dataFolder();
  file = new FleetFile(data);
  await file.becomes(fleet);
  system = await startPlayground({ data, pilots: 1, args: [...file.flags] });
  api = system.api();
  cli = commandLineOf(system);
});
afterAll(async () => {
  await system.stop();
});

const show = 'echo "cuda=$CUDA_VISIBLE_DEVICES rocr=$ROCR_VISIBLE_DEVICES ze=$ZE_AFFINITY_MASK."';
const gpu = (...facts: string[]): string[] => facts.flatMap((fact) => ['--gpu', fact]);

describe('a job on a mixed fleet of GPUs', () => {
  it.each<[string, string[], string[], RegExp]>([
    [
      'CUDA on a whole GPU',
      gpu('cudaRuntime=12.2', 'minMemoryMiB=40960', 'models=A100'),
      ['GPU-a', 'GPU-b'],
      /^cuda=GPU-[ab] /,
    ],
    ['a MIG slice', gpu('migProfile=1g.5gb'), ['MIG-small'], /^cuda=MIG-small /],
    ['ROCm', gpu('rocmRuntime=6.2', 'gfxTargets=gfx90a'), ['AMD-1'], / rocr=AMD-1 /],
    ['a GPU of Intel', gpu('vendor=INTEL'), ['INTEL-1'], / ze=INTEL-1\.$/],
    [
      'a model that no catalogue knows, by its name',
      gpu('models=Prototype X'),
      ['GPU-unknown'],
      /^cuda=GPU-unknown /,
    ],
  ])('gets one suitable device and sees only that: %s', async (_what, flags, may, sees) => {
    const job = await jobIn(api, await submitByCli(cli, show, ...flags), 'FINISHED');
    const [device = ''] = job.attempts[0]?.deviceIds ?? [];
    expect(may).toContain(device);
    const said = job.log.chunks
      .map(({ text }) => text)
      .join('')
      .trim();
    expect(said).toMatch(sees);
    const others = fleet.filter(({ id }) => id !== device).filter(({ id }) => said.includes(id));
    expect(others).toEqual([]);
  });

  it('gets two GPUs together by a task file', async () => {
    const lines = [
      `experiment: ${experiment}`,
      'name: pair',
      'count: 1',
      'command: sh',
      `arguments: [-c, '${show}']`,
      'requirements: { memoryMiB: 50, diskMiB: 1, gpu: { count: 2, models: [A100], cuda: { runtime: "12.2" } } }',
    ];
    await writeFile(join(dirname(system.data), 'pair.yaml'), `${lines.join('\n')}\n`);
    const output = await cli.run(['submit', '-f', 'pair.yaml', '--watch']);
    expect([output.exitCode, output.stderr]).toEqual([0, '']);
    const task = /task_\w+/.exec(output.stdout)?.[0] ?? '';
    const [line] = (await cli.run(['list', '--json', '--task', task])).json<{ id: string }[]>();
    const job = await jobIn(api, line?.id ?? '', 'FINISHED');
    expect([...(job.attempts[0]?.deviceIds ?? [])].sort()).toEqual(['GPU-a', 'GPU-b']);
    expect(job.log.chunks[0]?.text).toMatch(/^cuda=GPU-[ab],GPU-[ab] /);
  });

  it('sees no device without a GPU request', async () => {
    const job = await jobIn(api, await submitByCli(cli, show), 'FINISHED');
    expect(job.attempts[0]?.deviceIds).toEqual([]);
    expect(fleet.filter(({ id }) => (job.log.chunks[0]?.text ?? '').includes(id))).toEqual([]);
  });

  it.each([
    ['a device that is broken', gpu('models=V100'), /gpu is healthy/],
    ['facts that nobody knows', gpu('models=Prototype X', 'minMemoryMiB=1024'), /memory/i],
    ['a driver that nobody has', gpu('cudaRuntime=13.0'), /13\.0/],
  ])('waits with an explanation if it needs %s', async (_what, flags, says) => {
    const id = await submitByCli(cli, show, ...flags);
    const output = await cli.run(['why', id]);
    expect(output.exitCode).toBe(0);
    expect(output.stdout).toMatch(says);
    expect(output.stdout).toContain('0 workers fit when empty');
    expect((await gpuJob(api, id)).state).toBe('ACTIVATED');
    expect((await cli.run(['cancel', id])).exitCode).toBe(0);
  });
});

describe('a device that fails while a job uses it', () => {
  it('is out of matching at once; the job ends with what it used; the device comes back when it is well', async () => {
    const gate = createGate(system.data);
    const running = await submitByCli(cli, gate.wait, ...gpu('models=A100'));
    const { attempts } = await jobIn(api, running, 'RUNNING');
    const [held = ''] = attempts[0]?.deviceIds ?? [];
    const free = held === 'GPU-a' ? 'GPU-b' : 'GPU-a';
    const turned = (health: string): readonly Device[] =>
      fleet.map((device) => (device.id === held ? { ...device, ...busy, health } : device));
    await file.becomes(turned('UNHEALTHY'));
    const changedAt = performance.now();
    await waitFor('core to know', async () => (await healthOf(api))[held] === 'UNHEALTHY', {
      deadlineMs: 5000,
    });
    process.stderr.write(
      `measured: a bad device was out of matching ${(performance.now() - changedAt).toFixed(0)} ms after its file changed; a pilot looks every 2 s\n`,
    );
    // The other serves the next job; two at once are more than there are.
    const next = await jobIn(api, await submitByCli(cli, show, ...gpu('models=A100')), 'FINISHED');
    expect(next.attempts[0]?.deviceIds).toEqual([free]);
    const pair = await submitByCli(cli, show, '--gpus', '2', ...gpu('models=A100'));
    gate.open();
    const ended = await jobIn(api, running, 'FINISHED');
    expect(ended.attempts[0]?.metrics).toEqual({
      gpuUtilisation: expect.closeTo(0.75, 2) as unknown,
      gpuPeakMemoryMiB: 20_000,
    });
    // It is free now, and not given: it is bad.
    expect((await gpuJob(api, pair)).state).toBe('ACTIVATED');
    const table = await cli.run(['gpus', '--model', 'A100']);
    expect(table.exitCode).toBe(0);
    expect(table.stdout).toMatch(/A100-SXM4-40GB/);
    await file.becomes(turned('HEALTHY'));
    expect([...((await jobIn(api, pair, 'FINISHED')).attempts[0]?.deviceIds ?? [])].sort()).toEqual([
      'GPU-a',
      'GPU-b',
    ]);
  });
});
