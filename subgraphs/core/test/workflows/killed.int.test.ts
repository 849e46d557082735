/** Processes that are killed at each write of a workflow, and others that go on. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createIds, systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { testDatabase, type TestDatabase } from '@rhizome/testkit';
import { coreCollections } from '../../src/composition/migrations.js';
import { workflowStores } from '../../src/composition/workflows/workflow-stores.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { arrangeEdges, blocksOf, type NodeEdge } from '../../src/workflows/model/edges.js';
import { type NodeDocument, nodeIdOf } from '../../src/workflows/model/node.document.js';
import { noNodes, waitingState } from '../../src/workflows/model/node-rules.js';
import { Journal } from '../../src/workflows/run/journal.js';
import { NextChange } from '../../src/workflows/run/next-change.js';
import { StepWriter } from '../../src/workflows/run/step-writer.js';
import { instead } from '../support/instead.fixture.js';

const ids = createIds();
const never = new AbortController().signal;
/** Six nodes in three layers; the end of node 0 is a failure, which dooms node 2 and then node 4. */
const edges: readonly NodeEdge[] = [
  { from: 0, to: 2, condition: 'SUCCEEDED' },
  { from: 1, to: 2, condition: 'SUCCEEDED' },
  { from: 1, to: 3, condition: 'SUCCEEDED' },
  { from: 2, to: 4, condition: 'SUCCEEDED' },
  { from: 2, to: 5, condition: 'ENDED' },
  { from: 3, to: 5, condition: 'ENDED' },
];
const nodeCount = 6;

let db: TestDatabase;
let jobs: JobsRepository;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, coreCollections);
  jobs = new JobsRepository(collection(db, jobsCollection));
});

/** A process that is killed before its n-th write. */
function processOf(killAt: number) {
  const stores = workflowStores(db);
  let writes = 0;
  const counted =
    <A extends readonly unknown[], R>(write: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if ((writes += 1) >= killAt) throw new Error('killed');
      return write(...args);
    };
  const workflows = instead(stores.workflows, {
    record: counted((...args) => stores.workflows.record(...args)),
    applied: counted((...args) => stores.workflows.applied(...args)),
  });
  const steps = instead(stores.steps, {
    end: counted((...args) => stores.steps.end(...args)),
    add: counted((...args) => stores.steps.add(...args)),
    submit: counted((...args) => stores.steps.submit(...args)),
  });
  const { nodes, edges: stored } = stores;
  const insertNew = counted((batch: Parameters<JobsRepository['insertNew']>[0]) => jobs.insertNew(batch));
  const clock = systemClock;
  const writer = new StepWriter({ nodes, edges: stored, steps, jobs: { insertNew }, clock });
  const journal = new Journal({ workflows, writer, clock });
  const next = new NextChange({ nodes, edges: stored, now: () => clock.now() });
  return { stores, journal, next };
}

async function createWorkflow(): Promise<string> {
  const { workflows, nodes, edges: stored } = workflowStores(db);
  const id = ids.next('workflow');
  const now = systemClock.now();
  const common = { schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now };
  await workflows.insert({
    ...{ _id: id, ...common, experiment: 'alpha', name: 'test', owner: 'ada', share: 'alpha/default' },
    ...{ priority: 0, labels: [], state: 'RUNNING', nodes: nodeCount, layers: 3, groupEdges: [], step: 0 },
    groups: [{ label: '', isFinal: false, counts: { ...noNodes, WAITING: nodeCount } }],
  });
  const job: NodeDocument['job'] = {
    requirements: { cores: 1, memoryMiB: 1, diskMiB: 1, walltimeSeconds: 1, network: false },
    classId: 'class',
    payload: { command: 'true', arguments: [], environment: [], inputs: [], outputs: [] },
    retry: { maxAttempts: 1, backoffSeconds: 0, backoffFactor: 1, retryOn: [] },
    priority: 0,
  };
  await nodes.insert(
    Array.from({ length: nodeCount }, (_, index): NodeDocument => {
      const total = edges.filter(({ to }) => to === index).length;
      const numbers = { total, needed: total, met: 0, lost: 0 };
      return {
        ...{ _id: nodeIdOf(id, index), ...common, workflowId: id, index, name: `n${index}`, label: '' },
        ...{ isFinal: false, depth: 0, ...numbers, step: 0, state: waitingState(numbers), run: 1, job },
      };
    }),
  );
  await stored.insert(id, blocksOf(arrangeEdges(nodeCount, edges)), now);
  return id;
}

/** Takes all steps, and notes the ends of all jobs, until the workflow has ended or the process is killed. */
async function live(id: string, killAt: number): Promise<'ended' | 'killed'> {
  const { stores, journal, next } = processOf(killAt);
  try {
    for (;;) {
      await journal.changeAll(id, (workflow) => next.of(workflow), never);
      if ((await stores.workflows.find(id))?.endedAt) return 'ended';
      const submitted = await stores.nodes.submitted(id, '', 100, true);
      if (submitted.length === 0) throw new Error('nothing is left to do');
      await stores.nodes.jobsEnded(
        submitted.map(({ _id, index, run }) => ({
          ...{ nodeId: _id, run, at: systemClock.now() },
          outcome: index === 0 ? 'FAILED' : 'SUCCEEDED',
        })),
      );
    }
  } catch (error) {
    if (error instanceof Error && error.message === 'killed') return 'killed';
    throw error;
  }
}

describe('a process that is killed at a write', () => {
  it('leaves a workflow that the next process ends, with one job for each node', async () => {
    let kills = 0;
    for (let killAt = 1; ; killAt += 1) {
      const id = await createWorkflow();
      const end = await live(id, killAt);
      if (end === 'killed') {
        kills += 1;
        expect(await live(id, Infinity)).toBe('ended');
      }
      const { nodes, workflows } = workflowStores(db);
      const found = await nodes.page(id, {}, { first: 100, after: null });
      expect(found.nodes.map(({ state }) => state)).toEqual([
        ...['FAILED', 'SUCCEEDED', 'SKIPPED', 'SUCCEEDED', 'SKIPPED', 'SUCCEEDED'],
      ]);
      expect(found.nodes.map(({ met, lost }) => met + lost)).toEqual([0, 0, 2, 1, 1, 2]);
      const workflow = await workflows.find(id);
      expect(workflow).toMatchObject({
        state: 'FAILED',
        groups: [{ counts: { ...noNodes, SUCCEEDED: 3, FAILED: 1, SKIPPED: 2 } }],
      });
      const made = await db.collection(jobsCollection.name).find({ 'workflow.id': id }).toArray();
      expect(made.map(({ workflow: part }) => (part as { node: number }).node).sort()).toEqual([0, 1, 3, 5]);
      if (end === 'ended') break;
    }
    expect(kills).toBeGreaterThan(20);
  });

  it('changes nothing when it comes back after others went on', async () => {
    const id = await createWorkflow();
    const { stores, journal, next } = processOf(Infinity);
    const before = await stores.workflows.find(id);
    const change = before && (await next.of(before));
    const recorded =
      before && (await stores.workflows.record(before, change?.step, change?.patch ?? {}, new Date(0)));
    if (!recorded?.open) throw new Error('no step was recorded');
    expect(await live(id, Infinity)).toBe('ended');
    const ended = await stores.nodes.page(id, {}, { first: 100, after: null });
    const jobsBefore = await db.collection(jobsCollection.name).countDocuments();
    const { nodes, edges: stored, steps } = stores;
    await new StepWriter({ nodes, edges: stored, steps, jobs, clock: systemClock }).apply(
      recorded,
      recorded.open,
    );
    expect((await stores.nodes.page(id, {}, { first: 100, after: null })).nodes).toEqual(ended.nodes);
    expect(await db.collection(jobsCollection.name).countDocuments()).toBe(jobsBefore);
    await journal.changeAll(id, (workflow) => next.of(workflow), never);
  });
});
