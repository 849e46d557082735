/** Workers that have enrolled, and the jobs that they run. */
import { type ApiClient, createClient, type ProofKey } from '@rhizome/client';
import { leftovers } from '@rhizome/testkit';
import { temporaryFolder } from '../../e2e/system/temporary-folder.js';
import { spokenCredential } from '../../e2e/system/worker-credentials.js';
import { mutate, type System } from '../../experiments/test-system.js';

/** A job that a worker runs. */
export interface HeldJob {
  readonly jobId: string;
  readonly fence: number;
}

/** An enrolled worker. */
export interface Worker {
  readonly id: string;
  readonly name: string;
  readonly client: ApiClient;
  readonly token: string;
  readonly key: ProofKey;
  /** Secret that its jobs may use. */
  readonly secretId: string;
  /** A job that it runs until the end. */
  readonly kept: HeldJob;
  /** Another job that it runs, a new one for each call. */
  next(): HeldJob;
}

/** The worker of the pilot, another one of its queue, and one of another experiment. */
export type Workers = Readonly<Record<'own' | 'other' | 'foreign', Worker>>;

const hardware = { architecture: 'x86_64', cores: 64, memoryMiB: 64_000, diskMiB: 64_000 };
const free = { cores: 64, memoryMiB: 64_000, diskMiB: 64_000 };
/** Jobs of each worker: one that is kept, and one for each report of each caller that ends a job. */
const jobCount = 20;

/** Enrols the workers, and gives them jobs. */
export async function workersOf(system: System): Promise<Workers> {
  return {
    own: await startWorker(system, 'alpha', 'closed-alpha', 'own'),
    other: await startWorker(system, 'alpha', 'closed-alpha', 'other'),
    foreign: await startWorker(system, 'beta', 'closed-beta', 'foreign'),
  };
}

async function startWorker(system: System, experiment: string, queue: string, name: string): Promise<Worker> {
  const { url } = system;
  const place = { url, data: await temporaryFolder('worker'), token: await system.tokens.admin() };
  const credential = await spokenCredential(place, { name, queue, experiments: [experiment] });
  const { key } = credential;
  const options = { url, token: (isExpired: boolean) => credential.token(isExpired), proofKey: key };
  const client = leftovers.use(createClient(options), `the client of the worker ${name}`);
  const api = credential.apiAt(url);
  const registered = await api.change<{ worker: { id: string } }>(
    'registerWorker',
    registrationOf(queue, name),
    'worker { id }',
  );
  const { id } = registered.worker;
  const secret = { name: `FOR_${name.toUpperCase()}`, experiment, value: 'eight or more' };
  const { secret: created } = await mutate(system, 'createSecret', secret, 'secret { id }');
  await submitJobs(system, { experiment, name });
  const held: HeldJob[] = [];
  while (held.length < jobCount) {
    const { assignments } = await api.change<{
      assignments: readonly { readonly fence: number; readonly job: { readonly id: string } }[];
    }>(
      'acquireJobs',
      { workerId: id, free, count: jobCount, waitSeconds: 60 },
      'assignments { fence job { id } }',
    );
    held.push(...assignments.map(({ fence, job }) => ({ jobId: job.id, fence })));
  }
  const running = held.map(({ jobId, fence }) => ({ id: jobId, fence, phase: 'RUNNING' }));
  await api.change('startJobs', { workerId: id, jobs: running });
  const [kept, ...others] = held;
  if (!kept) throw new Error(`The worker ${name} got no job`);
  const next = (): HeldJob => {
    const job = others.pop();
    if (job) return job;
    throw new Error(`The worker ${name} has no more jobs`);
  };
  const token = await credential.token();
  return { id, name, client, key, token, secretId: String(created.id), kept, next };
}

/** The input with which a worker registers. */
export const registrationOf = (queue: string, name: string) => ({
  ...{ queue, name, host: 'h', version: '1', idempotencyKey: name },
  hardware: { ...hardware, isolation: ['NAMESPACES'] },
});

/** Submits jobs for one worker, with a secret and a token. */
async function submitJobs(
  system: System,
  of: { readonly experiment: string; readonly name: string },
): Promise<void> {
  const secrets = [{ name: `FOR_${of.name.toUpperCase()}`, scope: 'EXPERIMENT', target: 'secret' }];
  const job = {
    name: `held by ${of.name}`,
    payload: { command: 'true', secrets, isTokenRequired: true },
    requirements: { selector: `worker.name == "${of.name}"`, memoryMiB: 1, diskMiB: 1 },
  };
  await mutate(system, 'submitJobs', {
    ...{ experiment: of.experiment, idempotencyKey: `for ${of.name}` },
    jobs: Array.from({ length: jobCount }, () => job),
  });
}
