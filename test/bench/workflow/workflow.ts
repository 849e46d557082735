/**
 * Workflows through the gateway: the time in which 20,000 nodes are accepted, and in which a layer of 10,000
 * nodes is submitted after its last parent has ended.
 */
import { type Api, connectApi } from '../api.js';
import type { Bench } from '../bench.types.js';
import { change } from '../change.js';
import { residentMiB } from '../cpu.js';
import { closeWorkers, createBenchQueue, enrolWorkers, neverFull } from '../enrolled-workers.js';
import { acquire, type Assignments, finish, start } from '../lives.js';
import { benchExperiment, startStack } from '../stack.js';

const layerSize = 10_000;
const pollMs = 20;

const counts = /* GraphQL */ `
  query BenchWorkflow($id: ID!) {
    workflow(id: $id) {
      counts {
        submitted
      }
    }
  }
`;

/** One node, 10,000 that depend on it by edges of their own, 9,998 behind all of these, and a final one. */
function graph(): object {
  const payload = {
    command: '/bin/sh',
    arguments: ['-c', 'run --quantum "$NODE"'],
    environment: [{ name: 'NODE', value: 'visit=1234 detector=56' }],
  };
  const layer = (label: string, count: number, more: object) =>
    Array.from({ length: count }, (_, at) => ({ name: `${label}-${at}`, label, payload, ...more }));
  return {
    ...{ experiment: benchExperiment, idempotencyKey: 'workflow', name: 'workflow' },
    nodes: [
      { name: 'first', payload },
      ...layer('early', layerSize, { dependsOn: [{ node: 'first' }] }),
      ...layer('late', layerSize - 2, {}),
      { name: 'last', payload, isFinal: true },
    ],
    groupEdges: [{ from: 'early', to: 'late' }],
  };
}

async function submitted(api: Api, id: string): Promise<number> {
  const { workflow } = await api.post<{ workflow: { counts: { submitted: number } } }>(counts, { id });
  return workflow.counts.submitted;
}

/** The benchmark. */
export const workflow: Bench = {
  name: 'workflow',
  about: 'workflows: 20,000 nodes accepted, and a layer of 10,000 submitted after its last parent',
  async run({ progress }) {
    const stack = await startStack();
    const admin = connectApi(stack.url, stack.adminToken, 4);
    try {
      await createBenchQueue(admin);
      const workers = await enrolWorkers(stack, ['nodes'], 2);
      const [worker] = workers;
      if (!worker) throw new Error('no worker is enrolled');
      const before = residentMiB(stack.pids['stack'] ?? 0);
      const began = performance.now();
      const { workflow: made } = await change<{ workflow: { id: string } }>(
        admin,
        'submitWorkflow',
        graph(),
        'workflow { id }',
      );
      const acceptedSeconds = (performance.now() - began) / 1000;
      progress(`20,000 nodes accepted in ${acceptedSeconds.toFixed(2)} s`);
      const request = { workerId: worker.id, count: 1, free: neverFull, waitSeconds: 30 };
      const { acquireJobs } = await worker.api.post<Assignments>(acquire, { input: request });
      const [first] = acquireJobs.assignments.map(({ job, fence }) => ({ id: job.id, fence }));
      if (!first) throw new Error('the first node has no job');
      const report = { workerId: worker.id, jobs: [{ ...first, phase: 'RUNNING' }] };
      await worker.api.post(start, { input: report });
      await worker.api.post(finish, { input: { workerId: worker.id, jobs: [first] } });
      const ended = performance.now();
      while ((await submitted(admin, made.id)) < layerSize)
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      const releasedSeconds = (performance.now() - ended) / 1000;
      const after = residentMiB(stack.pids['stack'] ?? 0);
      await closeWorkers(workers);
      return [
        {
          name: 'workflow: 20,000 nodes accepted',
          value: acceptedSeconds,
          unit: 's',
          goal: { value: 5, better: 'lower' },
        },
        {
          name: 'workflow: layer of 10,000 submitted after its last parent',
          value: releasedSeconds,
          unit: 's',
          goal: { value: 2, better: 'lower' },
        },
        { name: 'workflow: gateway and core, resident memory gained', value: after - before, unit: 'MiB' },
      ];
    } finally {
      await admin.close();
      await stack.stop();
    }
  },
};
