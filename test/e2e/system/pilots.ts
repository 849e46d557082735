/** Pilots: real ones, and workers that a story speaks for itself. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { endSupervisors, pilotProgram } from '@rhizome/pilot';
import { playgroundQueue } from '@rhizome/playground';
import { leftovers, spawnProcess, type TestProcess } from '@rhizome/testkit';
import { type Api, apiOf } from './api.js';
import { gatesFolder } from './gated-payload.js';
import { enrolled, spokenCredential, type WorkerPlace } from './worker-credentials.js';

export type { WorkerPlace } from './worker-credentials.js';

/** Options of a worker. */
export interface WorkerOptions {
  readonly name: string;
  /** The playground's unless given. */
  readonly queue?: string;
  readonly cores?: number;
  /** True if its payloads survive a kill of the pilot; its supervisor ends with the test. */
  readonly keepsPayloads?: boolean;
  /** Further options of the pilot's command line. */
  readonly args?: readonly string[];
}

/** A real pilot as a process, which is enrolled; resolves when it has registered. */
export async function startPilot(place: WorkerPlace, options: WorkerOptions): Promise<TestProcess> {
  const { name, queue = playgroundQueue, args = [], ...size } = options;
  const { credentialFile } = await enrolled(place, { name, queue });
  const readable = ['--readable-folder', gatesFolder(place.data)];
  return (await runPilot(place, { name, credentialFile, ...size, args: [...readable, ...args] })).process;
}

/** Options of a pilot whose key is enrolled. */
export interface PilotOptions extends Omit<WorkerOptions, 'queue'> {
  readonly credentialFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A pilot, and the worker that it registered. */
export interface RunningPilot {
  readonly process: TestProcess;
  readonly workerId: string;
}

/** Runs a pilot; resolves when it has registered. */
export async function runPilot(
  { data }: Pick<WorkerPlace, 'data'>,
  { name, credentialFile, cores = 4, keepsPayloads = false, args = [], env = {} }: PilotOptions,
): Promise<RunningPilot> {
  const who = ['--credential-file', credentialFile, '--name', name];
  const scratch = join(data, 'pilots', name);
  const places = ['--scratch', scratch, '--store', join(data, 'store')];
  const survival = ['--end-with-pilot', String(!keepsPayloads)];
  if (keepsPayloads) leftovers.defer(`supervisors of ${name}`, async () => endSupervisors(scratch));
  const size = ['--cores', String(cores), '--memory-mib', '2048', '--drain-seconds', '1'];
  const command = [pilotProgram, ...who, ...places, ...size, ...survival, ...args];
  const process = spawnProcess({ name, command: 'node', args: command, env });
  const [, workerId = ''] = await process.line(/"workerId":"([^"]+)".*"msg":"worker registered"/, 60_000);
  return { process, workerId };
}

/** A job as it was given to a worker. */
export interface Grant {
  readonly job: { readonly id: string; readonly name: string };
  readonly attempt: number;
  readonly fence: number;
}

/** Core's answer to a report. */
export interface ReportAnswer {
  readonly acceptedIds: readonly string[];
  readonly userErrors: readonly { readonly code: string; readonly message: string }[];
}

/** A worker that does only what the test says. */
export interface SpokenWorker {
  readonly id: string;
  readonly api: Api;
  /** Its credential, or the token of its queue. */
  token(): Promise<string>;
  /** Asks for work; empty also while nobody leads. */
  acquire(count: number, options?: { readonly waitSeconds?: number }): Promise<readonly Grant[]>;
  start(grant: Grant, phase: 'STARTING' | 'RUNNING'): Promise<ReportAnswer>;
  finish(
    grant: Grant,
    phase: 'HOLDING' | 'TRANSFERRING' | 'FINISHED',
    outputs?: readonly object[],
  ): Promise<ReportAnswer>;
  fail(grant: Grant, error: object): Promise<ReportAnswer>;
  heartbeat(
    held: readonly Grant[],
  ): Promise<readonly { readonly kind: string; readonly jobId: string | null }[]>;
}

/** The text of an acquire, for stories that send it by hand. */
export const acquireMutation = /* GraphQL */ `
  mutation ($input: AcquireJobsInput!) {
    acquireJobs(input: $input) {
      assignments {
        job {
          id
        }
        attempt
        fence
      }
      userErrors {
        code
        message
      }
    }
  }
`;

/** Free capacity of a {@link SpokenWorker}. */
export const spokenCapacity = { cores: 64, memoryMiB: 65_536, diskMiB: 65_536 };

const report = (name: string, type: string) =>
  `mutation ($input: ${type}!) { ${name}(input: $input) { acceptedIds userErrors { code message } } }`;

/** Calls as an enrolled worker, or with the token of a queue. */
async function callsOf(
  place: WorkerPlace,
  { name, queue = playgroundQueue, queueToken, via }: SpokenOptions,
): Promise<Pick<SpokenWorker, 'api' | 'token'>> {
  if (queueToken !== undefined) return { api: apiOf(place.url, queueToken), token: async () => queueToken };
  const credential = await spokenCredential(place, { name, queue });
  await credential.startWorker();
  return { api: credential.apiAt(place.url, via), token: () => credential.token() };
}

/** Options of a {@link SpokenWorker}. */
export interface SpokenOptions extends Pick<WorkerOptions, 'name' | 'queue'> {
  /** Token of its queue; without it the worker enrols. */
  readonly queueToken?: string;
  /** Address to call, such as that of a balancer in front of the gateway; default: the gateway's. */
  readonly via?: string;
}

/** Registers such a worker. */
export async function speakAsWorker(place: WorkerPlace, options: SpokenOptions): Promise<SpokenWorker> {
  const { name, queue = playgroundQueue } = options;
  const { api, token } = await callsOf(place, options);
  const hardware = { architecture: 'x86_64', ...spokenCapacity };
  const input = { queue, name, host: 'spoken', hardware, version: '1', idempotencyKey: randomUUID() };
  const { worker } = await api.change<{ worker: { id: string } }>('registerWorker', input, 'worker { id }');
  const workerId = worker.id;
  const send = async (mutation: string, type: string, job: object): Promise<ReportAnswer> => {
    const variables = { input: { workerId, jobs: [job] } };
    const data = await api.data<Record<string, ReportAnswer>>(report(mutation, type), variables);
    return data[mutation] as ReportAnswer;
  };
  return {
    id: workerId,
    api,
    token,
    async acquire(count, { waitSeconds = 0 } = {}) {
      const variables = { input: { workerId, count, free: spokenCapacity, waitSeconds } };
      type Data = { acquireJobs: { assignments: Grant[]; userErrors: unknown[] } };
      const { data, errors = [] } = await api.post<Data>(acquireMutation, variables);
      // A leader that was killed holds its lease for some seconds more: then there is nothing yet, as for a
      // pilot.
      if (errors.some(({ extensions }) => extensions.code === 'LEADER_UNAVAILABLE')) return [];
      if (!data || data.acquireJobs.userErrors.length > 0) throw new Error(JSON.stringify({ data, errors }));
      return data.acquireJobs.assignments;
    },
    start: ({ job, fence }, phase) => send('startJobs', 'StartJobsInput', { id: job.id, fence, phase }),
    finish: ({ job, fence }, phase, outputs = []) =>
      send('finishJobs', 'FinishJobsInput', { id: job.id, fence, phase, outputs }),
    fail: ({ job, fence }, error) => send('failJobs', 'FailJobsInput', { id: job.id, fence, error }),
    async heartbeat(held) {
      const jobs = held.map(({ job, fence }) => ({ id: job.id, fence }));
      type Data = { heartbeat: { commands: { kind: string; jobId: string | null }[] } };
      const { heartbeat } = await api.data<Data>(
        'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { commands { kind jobId fence } userErrors { code } } }',
        { input: { workerId, jobs } },
      );
      return heartbeat.commands;
    },
  };
}
