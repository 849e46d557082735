/** Workers of the benchmarks. Each is enrolled with a key of its own, as a pilot is. */
import { createProofKey } from '@rhizome/client';
import { silentLogger } from '@rhizome/log';
import { enrol, WorkerCredential } from '@rhizome/pilot';
import { forEachConcurrently } from '@rhizome/retry';
import { proofHeaders } from '../e2e/system/worker-credentials.js';
import { type Api, connectApi } from './api.js';
import { change } from './change.js';
import type { Stack } from './stack.js';

/** The queue of the workers. */
export const benchQueue = 'bench';

/** Resources of a worker that is never full. */
export const neverFull = { cores: 4096, memoryMiB: 16_000_000, diskMiB: 16_000_000 };

/** A registered worker, and calls with its credential. */
export interface BenchWorker {
  readonly id: string;
  readonly api: Api;
  /** Token for the payload of an attempt that the worker holds. */
  attemptToken(job: { readonly jobId: string; readonly fence: number }): Promise<string>;
}

/** Enrolments at once. */
const concurrent = 8;

/**
 * Creates the queue of the workers.
 * @param limits limits of the queue, where they differ from the defaults
 */
export async function createBenchQueue(admin: Api, limits: object = {}): Promise<void> {
  await change(admin, 'createQueue', { name: benchQueue, site: 'BENCH', limits });
}

/**
 * Enrols and registers workers that are never full.
 * @param connections most open calls of each
 */
export async function enrolWorkers(
  stack: Stack,
  names: readonly string[],
  connections: number,
): Promise<readonly BenchWorker[]> {
  const admin = connectApi(stack.url, stack.adminToken, 1);
  const workers: BenchWorker[] = [];
  try {
    const invitation = { queue: benchQueue, experiments: ['*'], uses: names.length, ttlSeconds: 3600 };
    const { code } = await change<{ code: string }>(admin, 'inviteWorkers', invitation, 'code');
    await forEachConcurrently([...names.entries()], concurrent, async ([index, name]) => {
      workers[index] = await enrolWorker(stack.url, name, code, connections);
    });
    return workers;
  } catch (error) {
    await closeWorkers(workers);
    throw error;
  } finally {
    await admin.close();
  }
}

/** Closes the connections of workers. */
export async function closeWorkers(workers: readonly BenchWorker[]): Promise<void> {
  await Promise.all(workers.map(async (worker) => worker.api.close()));
}

async function enrolWorker(
  url: string,
  name: string,
  code: string,
  connections: number,
): Promise<BenchWorker> {
  const key = createProofKey();
  const holder = { key, certificate: null };
  const { token } = await enrol(url, holder, { queue: benchQueue, host: name, code });
  if (!token) throw new Error(`worker ${name} is not enrolled`);
  const api = connectApi(url, () => proofHeaders(key, token.token, url), connections);
  const registration = {
    ...{ queue: benchQueue, name, host: name, version: 'bench', idempotencyKey: name },
    // Jobs with a token go to workers that isolate payloads.
    hardware: { architecture: 'x86_64', isolation: ['NAMESPACES'], ...neverFull },
  };
  const { worker } = await change<{ worker: { id: string } }>(
    api,
    'registerWorker',
    registration,
    'worker { id }',
  );
  const { enrolmentId } = token;
  const enrolled = { ...holder, url, queue: benchQueue, enrolmentId, certificateFiles: null };
  const credential = new WorkerCredential(enrolled, silentLogger());
  return { id: worker.id, api, attemptToken: async (job) => (await credential.attemptToken(job)).token };
}
