/**
 * A GPU is divided again under a running pilot: jobs that wait for the new slices get them, and see the
 * reason until then.
 */
import { expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandLineOf } from '../system/cli.js';
import { jobInput } from '../system/jobs.js';
import { dataFolder, startPlayground } from '../system/playground-system.js';

const gpu = 'GPU-divided';
const slice = (id: string, migProfile: string, memoryMiB: number): object => ({
  vendor: 'NVIDIA',
  model: 'NVIDIA A100-SXM4-40GB',
  pciId: '10de:20b0',
  driverVersion: '535.104.12',
  id,
  migProfile,
  memoryMiB,
  parentId: gpu,
});

interface GpuJob {
  readonly state: string;
  readonly attempts: readonly { readonly deviceIds: readonly string[] }[];
  readonly log: { readonly chunks: readonly { readonly text: string }[] };
  readonly pending: { readonly workersThatFit: number; readonly summary: string } | null;
}

it('gives a waiting job its slice as soon as a GPU is divided accordingly', async () => {
  const data = await dataFolder();
  const file = join(data, '..', 'fleet.json');
  /** Replaces the file in one step: it is read at any time. */
  const becomes = async (devices: readonly object[]): Promise<void> => {
    await writeFile(`${file}.next`, JSON.stringify({ devices }));
    await rename(`${file}.next`, file);
  };
  await becomes([slice('MIG-old-0', '1g.5gb', 4864), slice('MIG-old-1', '1g.5gb', 4864)]);
  const system = await startPlayground({ data, pilots: 1, args: ['--gpu-simulate', file] });
  const api = system.api();
  const submit = async (migProfile: string): Promise<string> => {
    const requirements = { cores: 1, memoryMiB: 50, walltimeSeconds: 60, gpu: { partition: { migProfile } } };
    const payload = { command: 'sh', arguments: ['-c', 'echo "$CUDA_VISIBLE_DEVICES"'] };
    const job = jobInput({ name: migProfile, requirements, payload });
    const { submitJobs } = await api.data<{ submitJobs: { jobs: { id: string }[] } }>(
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } } }',
      { input: { experiment: 'epic', idempotencyKey: migProfile, jobs: [job] } },
    );
    return submitJobs.jobs[0]?.id ?? '';
  };
  const read = async (id: string): Promise<GpuJob> =>
    (
      await api.data<{ job: GpuJob }>(
        `query ($id: ID!) { job(id: $id) { state attempts { deviceIds }
          log(attempt: 1) { chunks { text } } pending { workersThatFit summary } } }`,
        { id },
      )
    ).job;
  const ends = async (id: string): Promise<GpuJob> => {
    let job = await read(id);
    await waitFor(
      `the end of ${id}`,
      async () => ['FINISHED', 'FAILED'].includes((job = await read(id)).state),
      { deadlineMs: 20_000 },
    );
    return job;
  };
  const small = await ends(await submit('1g.5gb'));
  expect([small.state, small.log.chunks.map(({ text }) => text).join('')]).toEqual([
    'FINISHED',
    `${small.attempts[0]?.deviceIds[0] ?? ''}\n`,
  ]);
  const large = await submit('3g.20gb');
  const { state, pending } = await read(large);
  expect([state, pending?.workersThatFit]).toEqual(['ACTIVATED', 0]);
  const output = await commandLineOf(system).run(['why', large]);
  expect(output.stdout).toContain('mig profile = 3g.20gb');
  await becomes([slice('MIG-new-0', '3g.20gb', 19_968), slice('MIG-new-1', '3g.20gb', 19_968)]);
  const job = await ends(large);
  expect(job.state).toBe('FINISHED');
  expect(job.attempts.map(({ deviceIds }) => deviceIds)).toEqual([['MIG-new-0']]);
  expect(job.log.chunks.map(({ text }) => text).join('')).toBe('MIG-new-0\n');
  const { hardwareMap } = await api.data<{
    hardwareMap: { sites: { gpus: { migProfile: string; devices: number; unhealthy: number }[] }[] };
  }>('{ hardwareMap { sites { gpus { migProfile devices unhealthy } } } }');
  expect(hardwareMap.sites.flatMap(({ gpus }) => gpus)).toEqual([
    { migProfile: '3g.20gb', devices: 2, unhealthy: 0 },
  ]);
  await system.stop();
});
