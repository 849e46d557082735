/** Submit through the gateway: batches of 1,000 jobs over a few connections. */
import { type Api, connectApi } from './api.js';
import type { Bench } from './bench.types.js';
import { measureCpu } from './cpu.js';
import { benchExperiment, startStack } from './stack.js';

const mutation = /* GraphQL */ `
  mutation BenchSubmit($input: SubmitJobsInput!) {
    submitJobs(input: $input) {
      jobs {
        id
      }
      userErrors {
        message
      }
    }
  }
`;
/** Jobs of a batch. */
export const batchSize = 1_000;
/** Batches that are under way at once. */
export const connections = 4;

/** A batch of jobs as a client sends it. */
function jobBatch(experiment: string, key: string, size: number): Record<string, unknown> {
  const jobs = Array.from({ length: size }, (_, index) => ({
    name: `bench-${index}`,
    labels: [{ key: 'campaign', value: 'bench' }],
    requirements: { cores: 1, memoryMiB: 1_000, walltimeSeconds: 600 },
    payload: { command: 'true', arguments: [String(index)] },
  }));
  return { input: { experiment, idempotencyKey: key, jobs } };
}

/** Sends batches over a few connections; resolves when all jobs are accepted. */
export async function submitBatches(api: Api, name: string, batches: number): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < batches) await send(api, `${name}-${next++}`);
  };
  await Promise.all(Array.from({ length: connections }, lane));
}

async function send(api: Api, key: string): Promise<void> {
  const { submitJobs } = await api.post<{
    submitJobs: { jobs: readonly unknown[]; userErrors: readonly { message: string }[] };
  }>(mutation, jobBatch(benchExperiment, key, batchSize));
  if (submitJobs.userErrors[0]) throw new Error(submitJobs.userErrors[0].message);
}

/** The benchmark. */
export const submit: Bench = {
  name: 'submit',
  about: 'jobs submitted through the gateway, batches of 1,000',
  async run({ full, machine, progress }) {
    const stack = await startStack();
    const api = connectApi(stack.url, stack.adminToken, connections);
    try {
      await submitBatches(api, 'warm', 4);
      const batches = full ? 400 : 100;
      const started = performance.now();
      const { cpu } = await measureCpu(stack.pids, () => submitBatches(api, 'batch', batches));
      const seconds = (performance.now() - started) / 1000;
      const jobs = batches * batchSize;
      progress(`${jobs} jobs in ${seconds.toFixed(1)} s`);
      return [
        { name: 'submit', value: jobs / seconds, unit: 'jobs/s' },
        {
          name: 'submit, compared with mongod alone',
          value: jobs / seconds / machine.insertsPerSecond,
          unit: '×',
          goal: { value: 0.4, better: 'higher' },
        },
        { name: 'submit: gateway and core', value: ((cpu['stack'] ?? 0) / jobs) * 1e6, unit: 'µs CPU/job' },
        { name: 'submit: mongod', value: ((cpu['mongod'] ?? 0) / jobs) * 1e6, unit: 'µs CPU/job' },
      ];
    } finally {
      await api.close();
      await stack.stop();
    }
  },
};
