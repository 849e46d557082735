/**
 * Workflows through the gateway: the time in which 20,000 nodes are accepted whole, and 100,000 in parts, and
 * in which a layer of 10,000 nodes is submitted after its last parent has ended.
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

const payload = {
  command: '/bin/sh',
  arguments: ['-c', 'run --quantum "$NODE"'],
  environment: [{ name: 'NODE', value: 'visit=1234 detector=56' }],
};

/** One node, 10,000 that depend on it by edges of their own, 9,998 behind all of these, and a final one. */
function graph(): object {
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

const partSize = 5000;
const parts = 20;

/** Layers of one part each; a node depends on three of the layer before, which may be in a later part. */
function partOf(part: number): object {
  const layer = parts - 1 - part;
  const nodes = Array.from({ length: partSize }, (_, at) => ({
    ...{ name: `node-${layer}-${at}`, label: `layer-${layer}`, payload },
    dependsOn:
      layer === 0 ? [] : [0, 1, 7].map((step) => ({ node: `node-${layer - 1}-${(at + step) % partSize}` })),
  }));
  return { part: part + 1, nodes };
}

/** Submits 100,000 nodes in parts. @returns seconds, those of the seal among them, and gained memory */
async function submitInParts(
  api: Api,
  memoryMiB: () => number,
): Promise<{ readonly seconds: number; readonly sealSeconds: number; readonly gainedMiB: number }> {
  const before = memoryMiB();
  const began = performance.now();
  const head = { experiment: benchExperiment, idempotencyKey: 'parts', name: 'parts' };
  const beginning = { ...head, nodes: [], isSealed: false };
  const { workflow: made } = await change<{ workflow: { id: string } }>(
    api,
    'submitWorkflow',
    beginning,
    'workflow { id }',
  );
  const workflowId = made.id;
  for (let part = 0; part < parts; part += 1)
    await change(api, 'appendWorkflowNodes', { workflowId, ...partOf(part) }, 'workflow { id }');
  const appended = performance.now();
  await change(api, 'sealWorkflow', { workflowId }, 'workflow { id }');
  const sealed = performance.now();
  const gainedMiB = memoryMiB() - before;
  await change(api, 'cancelWorkflow', { workflowId }, 'workflow { id }');
  return { seconds: (sealed - began) / 1000, sealSeconds: (sealed - appended) / 1000, gainedMiB };
}

async function submitted(api: Api, id: string): Promise<number> {
  const { workflow } = await api.post<{ workflow: { counts: { submitted: number } } }>(counts, { id });
  return workflow.counts.submitted;
}

/** The benchmark. */
export const workflow: Bench = {
  name: 'workflow',
  about:
    'workflows: 20,000 nodes accepted, 100,000 in parts, and a layer of 10,000 submitted after its last parent',
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
      const large = await submitInParts(admin, () => residentMiB(stack.pids['stack'] ?? 0));
      progress(
        `100,000 nodes in parts in ${large.seconds.toFixed(2)} s, the seal in ${large.sealSeconds.toFixed(2)} s`,
      );
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
        {
          name: 'workflow: 100,000 nodes accepted in parts',
          value: large.seconds,
          unit: 's',
          goal: { value: 30, better: 'lower' },
        },
        { name: 'workflow: seal of 100,000 nodes and 285,000 edges', value: large.sealSeconds, unit: 's' },
        {
          name: 'workflow: gateway and core, resident memory gained by 100,000 nodes',
          value: large.gainedMiB,
          unit: 'MiB',
        },
      ];
    } finally {
      await admin.close();
      await stack.stop();
    }
  },
};
