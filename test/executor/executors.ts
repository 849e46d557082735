/** Real executors of the queue `north`, and the pilots that they start. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { executorProgram } from '@rhizome/executor';
import { pilotProgram } from '@rhizome/pilot';
import { spawnProcess, type TestProcess, waitFor } from '@rhizome/testkit';
import { stringify } from 'yaml';
import { type AnyData, type Api, apiOf } from '../e2e/system/api.js';
import { prepareWork, startIdentitySystem } from '../e2e/system/identity-system.js';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';

/** A system with a queue, and a folder for its files. */
export interface ExecutorSystem {
  readonly url: string;
  readonly admin: Api;
  readonly data: string;
  readonly tokenFile: string;
}

/** A pilot in core's record. */
export interface RecordedPilot {
  readonly id: string;
  readonly batch: string;
  readonly executor: string;
  readonly number: number;
  readonly state: string;
  readonly reason: string | null;
  readonly batchJobId: string | null;
  readonly worker: {
    readonly id: string;
    readonly state: string;
    readonly registeredAt: string;
    readonly endsAt: string;
  } | null;
}

const deadlineMs = 60_000;
const allStates = ['REQUESTED', 'SUBMITTED', 'PENDING', 'RUNNING', 'HELD', 'UNKNOWN', 'ENDED', 'REFUSED'];

/** Starts the system; it ends with the file. */
export async function startExecutorSystem(name: string): Promise<ExecutorSystem> {
  const data = await temporaryFolder(name);
  const { url, admin: token } = await startIdentitySystem({ folder: data });
  const admin = apiOf(url, token);
  await prepareWork(admin);
  const tokenFile = join(data, 'token');
  await writeFile(tokenFile, token, { mode: 0o600 });
  return { url, admin, data, tokenFile };
}

/** A small pilot. */
export const shape = {
  ...{ name: 'small', cores: 1, memoryMiB: 512, diskMiB: 512, pilotMemoryMiB: 0, walltimeSeconds: 600 },
};

/** Settings of the queue, with small pilots that soon end. */
export function queueSettings(provider: object, changes: object = {}): object {
  return {
    queue: 'north',
    provider,
    experiments: ['*'],
    shapes: [shape],
    pilot: {
      command: [process.execPath, pilotProgram],
      // The start of a supervisor of its own for each pilot is part of what is tested.
      arguments: ['--isolation', 'none', '--end-with-pilot', 'true'],
      idleSeconds: 4,
      drainSeconds: 10,
    },
    limits: { open: 4, pending: 4, perCycle: 4 },
    ...{ submitSeconds: 5, unknownSeconds: 10 },
    ...changes,
  };
}

/** Starts an executor. @param name also of its file */
export async function startExecutor(
  { url, data, tokenFile }: ExecutorSystem,
  queue: object,
  name = 'site',
  environment: Readonly<Record<string, string>> = {},
): Promise<TestProcess> {
  const file = join(data, `${name}.yaml`);
  const config = { name, url, tokenFile, cycleSeconds: 1, queues: [queue] };
  await writeFile(file, stringify(config));
  const env = { TMPDIR: data, ...environment };
  const executor = spawnProcess({
    name: `executor ${name}`,
    command: 'node',
    args: [executorProgram, 'run', file],
    env,
  });
  await executor.line(/"msg":"executor started"/, deadlineMs);
  return executor;
}

/** Submits jobs for the queue. @returns their ids */
export async function submit(
  { admin }: ExecutorSystem,
  key: string,
  count: number,
  payload: object = { command: 'true' },
  requirements: object = {},
): Promise<readonly string[]> {
  const needed = {
    queue: 'north',
    cores: 1,
    memoryMiB: 64,
    diskMiB: 1,
    walltimeSeconds: 60,
    ...requirements,
  };
  const jobs = Array.from({ length: count }, () => ({ name: key, payload, requirements: needed }));
  const input = { experiment: 'alpha', idempotencyKey: key, jobs };
  const { jobs: found } = await admin.change<{ jobs: readonly { id: string }[] }>(
    'submitJobs',
    input,
    'jobs { id }',
  );
  return found.map(({ id }) => id);
}

/** Waits until the jobs are in a state. */
export async function untilJobs(
  { admin }: ExecutorSystem,
  ids: readonly string[],
  state: string,
): Promise<void> {
  const query = 'query ($ids: [ID!]!) { jobs(filter: { ids: $ids }, first: 100) { nodes { id state } } }';
  await waitFor(
    `jobs in state ${state}`,
    async () => {
      const { data } = await admin.post<AnyData>(query, { ids });
      const { nodes } = data.jobs;
      return nodes.length === ids.length && nodes.every((job: { state: string }) => job.state === state);
    },
    { deadlineMs },
  );
}

/** All pilots of the queue. */
export async function pilotsOf({ admin }: ExecutorSystem): Promise<readonly RecordedPilot[]> {
  const query = `query ($states: [PilotState!]) { queue(name: "north") { pilots(states: $states, first: 100) {
    nodes { id batch executor number state reason batchJobId worker { id state registeredAt endsAt } } } } }`;
  const { data } = await admin.post<AnyData>(query, { states: allStates });
  return data.queue.pilots.nodes;
}

/** Waits until the pilots are as they should. @returns them */
export async function untilPilots(
  system: ExecutorSystem,
  what: string,
  holds: (pilots: readonly RecordedPilot[]) => boolean,
): Promise<readonly RecordedPilot[]> {
  let pilots: readonly RecordedPilot[] = [];
  await waitFor(
    what,
    async () => {
      pilots = await pilotsOf(system);
      return holds(pilots);
    },
    { deadlineMs },
  );
  return pilots;
}
