/** The tour's GPU job, and the GPUs that it is placed on. */
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
import type { Board } from './board.js';

/** What it must have been given: of the simulated devices only the whole A100s meet what it asks for. */
const rightDevice = /^GPU-simulated-a100-[01]$/;

/** What the job asks for. */
const requirements = {
  memoryMiB: 100,
  walltimeSeconds: 60,
  gpu: {
    count: 1,
    vendor: 'NVIDIA',
    minMemoryMiB: 40_000,
    minComputeCapability: '8.0',
    cudaRuntime: '12.2',
  },
};
/** A runtime that no driver of the fleet serves. */
const tooNew = '13.0';

/** Submits one job that needs a GPU with much memory. Answers its id. */
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

/** Shows the fleet, and where the job ran; a problem for each thing that is not as it must be. */
export async function showGpus(
  client: ApiClient,
  board: Board,
  jobId: string,
  problems: string[],
): Promise<void> {
  const { gpu } = requirements;
  const [{ hardwareMap }, { job }, log] = await Promise.all([
    client.query(TourHardwareDocument, {}),
    client.query(TourGpuJobDocument, { id: jobId }),
    client.query(TourLogDocument, { id: jobId, attempt: 1 }),
  ]);
  board.say(
    `\nGPUs (simulated; nothing computes on them), as the pilots report them:\n${fleetLines(hardwareMap)}`,
  );
  const last = job?.attempts.at(-1);
  const [device = 'none'] = last?.deviceIds ?? [];
  const said = (log.job?.log.chunks ?? [])
    .map(({ text }) => text)
    .join('')
    .trim();
  board.say(
    `${job?.name ?? jobId} asked for a GPU of ${gpu.vendor} with ${gpu.minMemoryMiB} MiB, capability ${gpu.minComputeCapability} and CUDA ${gpu.cudaRuntime}.`,
  );
  board.say(`It was given ${device} of ${last?.worker?.name ?? '?'}; its payload saw "${said}".`);
  await showWhy(client, board, problems);
  if (job?.state !== 'FINISHED') problems.push(`the GPU job is ${job?.state ?? 'not there'}`);
  else if (!rightDevice.test(device))
    problems.push(`the GPU job was given ${device}, which does not meet what it asks for`);
  else if (said !== device)
    problems.push(`the GPU job's payload saw "${said}", not the device that it was given`);
}

/** What the job would wait for if it asked for too much: told without submitting anything. */
async function showWhy(client: ApiClient, board: Board, problems: string[]): Promise<void> {
  const { gpu } = requirements;
  const input = {
    experiment: 'epic',
    requirements: { ...requirements, gpu: { ...gpu, cudaRuntime: tooNew } },
  };
  const { explainRequirements } = await client.query(TourDryRunDocument, { input });
  const { pending, userErrors } = explainRequirements;
  board.say(
    `With CUDA ${tooNew} it would wait, and "rhizome why" would tell why:\n  ${pending?.summary ?? userErrors[0]?.message ?? '?'}`,
  );
  const help = pending?.relaxations ?? [];
  for (const { change, devicesGained } of help.slice(0, 2))
    board.say(`  It would help to ask: ${change} (+${devicesGained} devices).`);
  if (help.length === 0)
    problems.push('nothing is told that would help a job that asks for too new a CUDA runtime');
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
