/** The GPU job of the tour, and the simulated GPUs. */
import { randomUUID } from 'node:crypto';
import type { ApiClient } from '@rhizome/client';
import {
  TourDryRunDocument,
  TourGpuJobDocument,
  TourHardwareDocument,
  type TourHardwareQuery,
  TourLogDocument,
  TourSubmitGpuJobDocument,
} from '../operations.generated.js';
import type { ProgressDisplay } from './progress-display.js';

/** Devices that the job must get: of the simulated ones only the whole A100s qualify. */
const rightDevice = /^GPU-simulated-a100-[01]$/;

/** Requirements of the job. */
const requirements = {
  memoryMiB: 100,
  walltimeSeconds: 60,
  gpu: {
    count: 1,
    vendor: 'NVIDIA' as const,
    minMemoryMiB: 40_000,
    cuda: { minComputeCapability: '8.0', runtime: '12.2' },
  },
};
/** A CUDA runtime that no simulated driver supports. */
const tooNew = '13.0';

/** Submits one job that needs a GPU with much memory. @returns its id */
export async function submitGpuJob(client: ApiClient): Promise<string> {
  const payload = { command: 'sh', arguments: ['-c', 'echo "$CUDA_VISIBLE_DEVICES"'] };
  const input = {
    experiment: 'epic',
    idempotencyKey: randomUUID(),
    jobs: [{ name: 'GPU inference', payload, requirements }],
  };
  const { submitJobs } = await client.mutate(TourSubmitGpuJobDocument, { input }, { idempotent: true });
  const [job] = submitJobs.jobs ?? [];
  if (!job)
    throw new Error(
      `the tour's GPU job was refused: ${submitJobs.userErrors.map(({ message }) => message).join('; ')}`,
    );
  return job.id;
}

/** Shows the GPUs and where the job ran; adds a problem for everything that is wrong. */
export async function showGpus(
  client: ApiClient,
  display: ProgressDisplay,
  jobId: string,
  problems: string[],
): Promise<void> {
  const { gpu } = requirements;
  const [{ hardwareMap }, { job }, log] = await Promise.all([
    client.query(TourHardwareDocument, {}),
    client.query(TourGpuJobDocument, { id: jobId }),
    client.query(TourLogDocument, { id: jobId, attempt: 1 }),
  ]);
  display.say(
    `\nGPUs (simulated; nothing computes on them), as the pilots report them:\n${fleetLines(hardwareMap)}`,
  );
  const last = job?.attempts.at(-1);
  const [device = 'none'] = last?.deviceIds ?? [];
  const said = (log.job?.log.chunks ?? [])
    .map(({ text }) => text)
    .join('')
    .trim();
  display.say(
    `${job?.name ?? jobId} requires a GPU of ${gpu.vendor} with ${gpu.minMemoryMiB} MiB, capability ${gpu.cuda.minComputeCapability} and CUDA ${gpu.cuda.runtime}.`,
  );
  display.say(`It got ${device} of ${last?.worker?.name ?? '?'}; its payload saw "${said}".`);
  await showWhy(client, display, problems);
  if (job?.state !== 'FINISHED') problems.push(`the GPU job is ${job?.state ?? 'not there'}`);
  else if (!rightDevice.test(device))
    problems.push(`the GPU job got ${device}, which does not meet its requirements`);
  else if (said !== device)
    problems.push(`the payload of the GPU job saw "${said}", not the device that it got`);
}

/** Shows why a job with a requirement that is too high would wait, without submitting one. */
async function showWhy(client: ApiClient, display: ProgressDisplay, problems: string[]): Promise<void> {
  const { gpu } = requirements;
  const input = {
    experiment: 'epic',
    requirements: { ...requirements, gpu: { ...gpu, cuda: { ...gpu.cuda, runtime: tooNew } } },
  };
  const { explainRequirements } = await client.query(TourDryRunDocument, { input });
  const { pending, userErrors } = explainRequirements;
  display.say(
    `With CUDA ${tooNew} the job would wait, and "rhizome why" would explain:\n  ${pending?.summary ?? userErrors[0]?.message ?? '?'}`,
  );
  const help = pending?.relaxations ?? [];
  for (const { change, devicesGained } of help.slice(0, 2))
    display.say(`  Suggested change: ${change} (+${devicesGained} devices).`);
  if (help.length === 0)
    problems.push('no change was suggested for a job with a CUDA runtime that is too new');
}

function fleetLines({ sites }: TourHardwareQuery['hardwareMap']): string {
  return sites
    .flatMap(({ gpus }) => gpus)
    .map((row) => {
      const name = `${row.model}${row.migProfile ? ` ${row.migProfile}` : ''}`;
      const runtime = row.cudaVersion
        ? `CUDA ${row.cudaVersion}`
        : row.rocmVersion
          ? `ROCm ${row.rocmVersion}`
          : '';
      const state = `${row.free} of ${row.devices} free${row.unhealthy > 0 ? `, ${row.unhealthy} unhealthy` : ''}`;
      return `  ${name.padEnd(38)} driver ${(row.driverBranch ?? '?').padEnd(14)} ${runtime.padEnd(10)} ${state}`.trimEnd();
    })
    .join('\n');
}
