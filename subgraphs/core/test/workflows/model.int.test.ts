/** The steps of workflows in the store, against a model that looks at whole graphs. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { testDatabase, type TestDatabase } from '@rhizome/testkit';
import fc from 'fast-check';
import { coreCollections } from '../../src/composition/migrations.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { bitsOfNodes } from '../../src/workflows/model/node-bits.js';
import { countsOf } from '../../src/workflows/model/node-rules.js';
import { recount, resetNodes } from '../../src/workflows/model/reset.js';
import {
  type EndedNodeState,
  hasEnded,
  type StoredNodeState,
} from '../../src/workflows/model/workflow.types.js';
import {
  edgesOf,
  graphs,
  groupEdges,
  modelOf,
  outcomes,
  planOf,
} from '../support/workflow-graphs.fixture.js';
import { type StepProcess, stepProcess, storeWorkflow } from '../support/workflow-steps.fixture.js';

let db: TestDatabase;
let jobs: JobsRepository;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, coreCollections);
  jobs = new JobsRepository(collection(db, jobsCollection));
});

/** Workflows that live at a time: the store writes those of several at once. */
const lives = fc.array(
  fc.record({
    nodes: graphs,
    wanted: groupEdges,
    ends: outcomes,
    /** Numbers of jobs that end together. */
    together: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
    maxSubmitted: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 8 },
);
type Life = typeof lives extends fc.Arbitrary<readonly (infer L)[]> ? L : never;

/** Ends some jobs after another until the workflow has ended, never with more of label `a` than may be. */
async function finish(
  { stores, advance }: StepProcess,
  id: string,
  { together, maxSubmitted = Infinity }: Life,
  outcomeOf: (node: number) => EndedNodeState,
): Promise<readonly StoredNodeState[]> {
  for (let round = 0; ; round += 1) {
    await advance(id);
    const workflow = await stores.workflows.find(id);
    for (const { label, counts } of workflow?.groups ?? [])
      if (label === 'a') expect(counts.SUBMITTED).toBeLessThanOrEqual(maxSubmitted);
    const { nodes } = await stores.nodes.page(id, {}, { first: 100, after: null });
    const counted = Object.values(countsOf(workflow?.groups ?? [])).reduce((sum, one) => sum + one, 0);
    expect(counted).toBe(nodes.length);
    if (workflow?.endedAt) return nodes.map(({ state }) => state);
    const submitted = nodes.filter(({ state }) => state === 'SUBMITTED');
    expect(submitted).not.toEqual([]);
    if (submitted.some(({ isFinal }) => isFinal))
      expect(nodes.every(({ isFinal, state }) => isFinal || hasEnded(state))).toBe(true);
    await stores.nodes.jobsEnded(
      submitted.slice(0, together[round % together.length]).map(({ _id: nodeId, index, run }) => ({
        ...{ nodeId, run, at: systemClock.now() },
        outcome: outcomeOf(index),
      })),
    );
  }
}

async function live(life: Life): Promise<void> {
  const { nodes, wanted, ends, maxSubmitted } = life;
  const plan = await planOf(nodes, edgesOf(wanted));
  if (!plan) return;
  const known = edgesOf(wanted).filter(({ from, to }) =>
    plan.groupEdges.some((edge) => edge.from === from && edge.to === to),
  );
  const nodeLabels = maxSubmitted === undefined ? [] : [{ label: 'a', maxSubmitted }];
  const id = await storeWorkflow(db, { nodes, groupEdges: known, nodeLabels });
  const process = stepProcess(db, jobs);
  const outcome = (at: number): EndedNodeState => ends[at] ?? 'SUCCEEDED';
  expect(await finish(process, id, life, outcome)).toEqual(modelOf(plan, outcome));
  const { workflow } =
    (await process.journal.change(id, async (current) => {
      const graph = await process.writer.graphOf(current);
      const failed = graph.nodes.flatMap(({ state }, at) => (state === 'FAILED' ? [at] : []));
      const reset = resetNodes(graph, failed, 'UNDONE');
      const { groups, groupEdges: after } = recount(graph, reset, []);
      const patch = { state: 'RUNNING', endedAt: null, groups, groupEdges: after } as const;
      return { step: { kind: 'RESET', nodes: bitsOfNodes(reset), marks: [] }, patch };
    })) ?? {};
  expect(workflow?.state).toBe('RUNNING');
  expect(await finish(process, id, life, () => 'SUCCEEDED')).not.toContain('FAILED');
}

describe('NextChange and StepWriter', () => {
  it('ends every node as the whole graph says, and again after a retry', async () => {
    await fc.assert(
      fc.asyncProperty(lives, async (all) => {
        await Promise.all(all.map(live));
      }),
      { numRuns: 4 },
    );
  });
});
