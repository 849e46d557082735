/** Processes that are killed at each write of a workflow, and others that go on. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { testDatabase, type TestDatabase, testPrincipal } from '@rhizome/testkit';
import { coreCollections } from '../../src/composition/migrations.js';
import { workflowStores } from '../../src/composition/workflows/workflow-stores.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { blocksOf, childOf, edgesFrom, joinBlocks } from '../../src/workflows/model/edges.js';
import { bitsOfNodes } from '../../src/workflows/model/node-bits.js';
import { noNodes, waitingState } from '../../src/workflows/model/node-rules.js';
import { partsCollection } from '../../src/workflows/model/part.document.js';
import { recount, resetNodes } from '../../src/workflows/model/reset.js';
import { type WorkflowDocument, workflowsCollection } from '../../src/workflows/model/workflow.document.js';
import type { EndedNodeState, NodeEnd } from '../../src/workflows/model/workflow.types.js';
import { cancelledOpen, longestUnsealedMs } from '../../src/workflows/run/open-workflows.js';
import { StepWriter } from '../../src/workflows/run/step-writer.js';
import type { PartsRepository } from '../../src/workflows/store/parts.repository.js';
import type { EdgeSpec, NodeSpec } from '../../src/workflows/submit/workflow-spec.types.js';
import { instead } from '../support/instead.fixture.js';
import { atEachWrite, isKilled } from '../support/killed.fixture.js';
import {
  type Graph,
  plannedGraph,
  type StepProcess,
  stepProcess,
  storeWorkflow,
} from '../support/workflow-steps.fixture.js';
import { type SubmitProcess, submitProcess, submitter } from '../support/workflow-submits.fixture.js';

const node = (name: string, ...dependsOn: readonly EdgeSpec[]): NodeSpec => ({ name, dependsOn });
const succeeded = (name: string): EdgeSpec => ({ node: name });
const ended = (name: string): EdgeSpec => ({ node: name, condition: 'ENDED' });

/** Six nodes in three layers; the end of node 0 is a failure, which dooms node 2 and then node 4. */
const graph: Graph = {
  nodes: [
    ...[node('n0'), node('n1'), node('n2', succeeded('n0'), succeeded('n1')), node('n3', succeeded('n1'))],
    ...[node('n4', succeeded('n2')), node('n5', ended('n2'), ended('n3'))],
  ],
};
const firstFails = (at: number): EndedNodeState => (at === 0 ? 'FAILED' : 'SUCCEEDED');

let db: TestDatabase;
let jobs: JobsRepository;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, coreCollections);
  jobs = new JobsRepository(collection(db, jobsCollection));
});

async function nodesWithJobs(id: string): Promise<readonly number[]> {
  const made = await db.collection<JobDocument>(jobsCollection.name).find({ 'workflow.id': id }).toArray();
  return made.map(({ workflow }) => workflow?.node ?? -1).sort();
}

describe('a process that is killed at a write', () => {
  it('leaves a workflow that the next process ends, with one job for each node', async () => {
    const kills = await atEachWrite(async (killAt) => {
      const id = await storeWorkflow(db, graph);
      const wasKilled = await isKilled(() => stepProcess(db, jobs, killAt).finish(id, firstFails));
      if (wasKilled) await stepProcess(db, jobs).finish(id, firstFails);
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
      expect(await nodesWithJobs(id)).toEqual([0, 1, 3, 5]);
      return wasKilled;
    });
    expect(kills).toBeGreaterThan(20);
  });

  it('leaves edges of groups, retried nodes and marks that the next process completes', async () => {
    const grouped: Graph = {
      nodes: [
        ...['a0', 'a1'].map((name): NodeSpec => ({ name, label: 'a' })),
        ...[
          { name: 'b', label: 'b' },
          { name: 'end', isFinal: true },
        ],
      ],
      groupEdges: [{ from: 'a', to: 'b' }],
    };
    const marks: readonly NodeEnd[] = [{ node: 1, state: 'SUCCEEDED', by: 'ada', reason: 'checked' }];
    // A step that were applied twice would give the node the third class.
    const requirements = { cores: 2, memoryMiB: 2, diskMiB: 1, walltimeSeconds: 1, network: false };
    const classes = ['class', 'class-2'].map((from, at) => ({ from, to: `class-${at + 2}`, requirements }));
    /** Runs node 0 again with other requirements and with what is behind it, and takes node 1 as done. */
    const again = async (id: string, { finish, journal, writer }: StepProcess): Promise<void> => {
      await journal.change(id, async (workflow) => {
        if (workflow.state !== 'FAILED') return undefined;
        const whole = await writer.graphOf(workflow);
        const reset = resetNodes(whole, [0, 1], 'UNDONE');
        reset.delete(1);
        const { groups, groupEdges } = recount(whole, reset, marks);
        const changed = { nodes: bitsOfNodes(new Set([0])), classes };
        const step = { kind: 'RESET', nodes: bitsOfNodes(reset), marks, changed } as const;
        return { step, patch: { state: 'RUNNING', endedAt: null, groups, groupEdges } };
      });
      await finish(id, () => 'SUCCEEDED');
    };
    const kills = await atEachWrite(async (killAt) => {
      const id = await storeWorkflow(db, grouped);
      await stepProcess(db, jobs).finish(id, (at) => (at < 2 ? 'FAILED' : 'SUCCEEDED'));
      const wasKilled = await isKilled(() => again(id, stepProcess(db, jobs, killAt)));
      if (wasKilled) await again(id, stepProcess(db, jobs));
      const { nodes, nodeJobs, workflows } = workflowStores(db);
      const found = await nodes.page(id, {}, { first: 100, after: null });
      expect(found.nodes.map(({ state, met, lost }) => [state, met, lost])).toEqual([
        ...[0, 0, 1, 1].map((met) => ['SUCCEEDED', met, 0]),
      ]);
      expect((await workflows.find(id))?.state).toBe('SUCCEEDED');
      const kinds = await nodeJobs.classes(id, [0, 1, 2, 3], 10);
      expect([...kinds].map(([kind, { requirements: of }]) => [kind, of.cores]).sort()).toEqual([
        ['class', 1],
        ['class-2', 2],
      ]);
      expect(await nodesWithJobs(id)).toEqual([0, 0, 1, 2, 3, 3]);
      return wasKilled;
    });
    expect(kills).toBeGreaterThan(15);
  });

  it('leaves added nodes that the next process completes, with their edges and one job for each', async () => {
    const { added } = workflowStores(db);
    // The nodes of an attempt count if its job is FINISHED.
    const finished = instead(jobs, {
      find: (async (ids: readonly string[]) =>
        ids.map((_id) => ({ _id, attempt: 1, state: 'FINISHED' }))) as unknown as JobsRepository['find'],
    });
    const inner = await plannedGraph({ nodes: [node('a'), node('b', succeeded('a'))] });
    const kills = await atEachWrite(async (killAt) => {
      const call = { key: 'k', digest: 'd', nodes: 2, bytes: 2, edges: 1, layers: 3 };
      const groups = [{ label: '', nodes: 2 }];
      const additions = [{ by: 0, run: 1, attempt: 1, calls: [{ ...call, groups }] }];
      const id = await storeWorkflow(db, { nodes: [node('n0'), node('n1', succeeded('n0'))] }, { additions });
      const [first] = (await workflowStores(db).nodes.whole(id, 1).next()).value ?? [];
      const job = first?.job;
      if (!job) throw new Error('no node was stored');
      const nodes = inner.nodes.map(({ label, total, needed, depth }, at) => ({
        ...{ name: `n0/${at}`, label, total, needed, depth: depth + 1, job },
        state: waitingState({ total, needed, met: 0, lost: 0 }),
      }));
      const stored = { workflowId: id, by: 0, run: 1, attempt: 1, digest: 'd' };
      await added.insert(stored, nodes, blocksOf(inner.edges), systemClock.now());
      const live = ({ finish }: StepProcess): Promise<unknown> => finish(id, () => 'SUCCEEDED');
      const wasKilled = await isKilled(() => live(stepProcess(db, finished, killAt)));
      if (wasKilled) await live(stepProcess(db, finished));
      const workflow = await workflowStores(db).workflows.find(id);
      expect(workflow).toMatchObject({
        ...{ state: 'SUCCEEDED', nodes: 4, layers: 3, bytes: 2 },
        groups: [{ counts: { ...noNodes, SUCCEEDED: 4 } }],
      });
      expect(await nodesWithJobs(id)).toEqual([0, 1, 2, 3]);
      expect(await added.count(stored)).toBe(0);
      return wasKilled;
    });
    expect(kills).toBeGreaterThan(15);
  });

  it('changes nothing when it comes back after others went on', async () => {
    const id = await storeWorkflow(db, graph);
    const { stores, next, advance, finish } = stepProcess(db, jobs);
    const before = await stores.workflows.find(id);
    const change = before && (await next.of(before));
    const recorded =
      before && (await stores.workflows.record(before, change?.step, change?.patch ?? {}, new Date(0)));
    if (!recorded?.open) throw new Error('no step was recorded');
    await finish(id, firstFails);
    const ended = await stores.nodes.page(id, {}, { first: 100, after: null });
    const jobsBefore = await db.collection(jobsCollection.name).countDocuments();
    const { nodes, edges: stored, steps, added, templates } = stores;
    await new StepWriter({ nodes, edges: stored, steps, added, templates, jobs, clock: systemClock }).apply(
      recorded,
      recorded.open,
    );
    expect((await stores.nodes.page(id, {}, { first: 100, after: null })).nodes).toEqual(ended.nodes);
    expect(await db.collection(jobsCollection.name).countDocuments()).toBe(jobsBefore);
    await advance(id);
  });
});

describe('a process that is killed while it submits', () => {
  /** Its jobs have real requirement classes, as those of the other tests do not. */
  let own: TestDatabase;

  beforeAll(async () => {
    own = await testDatabase('core');
    await ensureCollections(own, coreCollections);
  });

  const payload = { command: 'true' };
  const labelled = (name: string, label: string, ...parents: readonly string[]): NodeSpec => ({
    ...{ name, label, payload },
    dependsOn: parents.map((parent) => ({ node: parent })),
  });
  const parts = [
    [labelled('a', 'early', 'c'), labelled('b', 'early')],
    [labelled('c', 'early'), labelled('d', 'late', 'a', 'b')],
    [{ name: 'end', payload, isFinal: true }],
  ];
  const head = (key: string) => ({
    ...{ experiment: 'alpha', name: 'test', idempotencyKey: key },
    nodeLabels: [{ label: 'late', maxSubmitted: 1 }],
    groupEdges: [{ from: 'early', to: 'late' }],
  });
  const ways: readonly (readonly [string, (process: SubmitProcess, key: string) => Promise<string>])[] = [
    [
      'whole',
      async ({ submits }, key) => {
        const { workflow } = await submits.submit(submitter, { ...head(key), nodes: parts.flat() });
        return workflow?._id ?? '';
      },
    ],
    [
      'in parts',
      async ({ submits, parts: appending, seals }, key) => {
        const [first = [], ...others] = parts;
        const spec = { ...head(key), nodes: first, isSealed: false };
        const workflowId = (await submits.submit(submitter, spec)).workflow?._id ?? '';
        for (const [at, nodes] of others.entries())
          await appending.append(submitter, { workflowId, part: at + 1, nodes });
        await seals.seal(submitter, { workflowId });
        return workflowId;
      },
    ],
  ];
  const sealed = async (id: string) => {
    const stores = workflowStores(own);
    const workflow = await stores.workflows.find(id);
    const { nodes } = await stores.nodes.page(id, {}, { first: 100, after: null });
    const edges = joinBlocks(5, workflow ? await stores.edges.all(workflow) : []);
    return {
      ...{ state: workflow?.state, layers: workflow?.layers, groups: workflow?.groups },
      groupEdges: workflow?.groupEdges,
      nodes: nodes.map(({ name, depth, total, needed, state }) => [name, depth, total, needed, state]),
      edges: nodes.map((_, at) => [...edgesFrom(edges, at)].map(childOf)),
      pieces: await own.collection(partsCollection.name).countDocuments({ workflowId: id }),
    };
  };

  it.each(ways)('leaves what a repetition completes: %s', async (way, submit) => {
    const clean = await sealed(await submit(submitProcess(own), `${way} clean`));
    expect(clean).toMatchObject({
      ...{ state: 'RUNNING', layers: 4, pieces: 0 },
      nodes: [
        ['a', 1, 1, 1, 'WAITING'],
        ['b', 0, 0, 0, 'READY'],
        ['c', 0, 0, 0, 'READY'],
        ['d', 2, 3, 3, 'WAITING'],
        ['end', 3, 1, 1, 'WAITING'],
      ],
      edges: [[3], [3], [0], [], []],
    });
    const kills = await atEachWrite(async (killAt) => {
      const key = `${way} ${killAt}`;
      const wasKilled = await isKilled(() => submit(submitProcess(own, killAt), key));
      const id = await submit(submitProcess(own), key);
      expect(await sealed(id)).toEqual(clean);
      expect(await own.collection(workflowsCollection.name).countDocuments({ _id: id as never })).toBe(1);
      return wasKilled;
    });
    expect(kills).toBeGreaterThan(4);
  });

  it('ends with one workflow if two processes do it at once', async () => {
    const [, both] = ways;
    const submit = both?.[1] ?? (async () => '');
    const ids = await Promise.all(
      Array.from({ length: 2 }, () => submit(submitProcess(own), 'two processes')),
    );
    expect(new Set(ids).size).toBe(1);
    expect(await sealed(ids[0] ?? '')).toEqual(await sealed(await submit(submitProcess(own), 'one process')));
  });

  /** A workflow with all of its parts. */
  const unsealed = async (key: string, { submits, parts: appending } = submitProcess(own)) => {
    const [nodes = [], ...others] = parts;
    const { workflow } = await submits.submit(submitter, { ...head(key), nodes, isSealed: false });
    const workflowId = workflow?._id ?? '';
    for (const [at, some] of others.entries())
      await appending.append(submitter, { workflowId, part: at + 1, nodes: some });
    return workflowId;
  };
  const codesOf = ({ userErrors }: { readonly userErrors: readonly { readonly code: string }[] }) =>
    userErrors.map(({ code }) => code);

  it.each(['NODES', 'EDGES'])('seals again what another process seals while %s are read', async (kind) => {
    const workflowId = await unsealed(`sealed at ${kind}`);
    expect(await isKilled(() => submitProcess(own, 2).seals.seal(submitter, { workflowId }))).toBe(true);
    let seals = 0;
    const meanwhile = (store: PartsRepository): Partial<PartsRepository> => {
      const pieces = async function* (...args: Parameters<PartsRepository['pieces']>) {
        if (args[1] === kind && (seals += 1) === 1)
          await submitProcess(own).seals.seal(submitter, { workflowId });
        yield* store.pieces(...args);
      };
      return { pieces: pieces as PartsRepository['pieces'] };
    };
    const late = submitProcess(own, Infinity, { pieces: meanwhile });
    const { workflow, userErrors } = await late.seals.seal(submitter, { workflowId });
    expect([workflow?.state, userErrors, seals]).toEqual(['RUNNING', [], 1]);
    const clean = await sealed(await unsealedAndSealed(`clean at ${kind}`));
    expect(await sealed(workflowId)).toEqual(clean);
  });

  const unsealedAndSealed = async (key: string): Promise<string> => {
    const workflowId = await unsealed(key);
    await submitProcess(own).seals.seal(submitter, { workflowId });
    return workflowId;
  };

  it.each([false, true])(
    'marks what it wrote into a cancelled workflow for deletion, whole: %s',
    async (isSealed) => {
      const { workflows } = workflowStores(own);
      const key = `cancelled, ${isSealed}`;
      let cancelled: WorkflowDocument | null = null;
      const cancel = async (): Promise<void> => {
        const found = await own
          .collection<WorkflowDocument>(workflowsCollection.name)
          .findOne({ state: 'OPEN', name: key });
        const at = systemClock.now();
        const patch = cancelledOpen({ by: 'ada', at, withFinal: true });
        cancelled = found && (await workflows.record(found, undefined, patch, at));
      };
      const process = submitProcess(own, Infinity, {
        pieces: (store) => ({ insert: (...args) => store.insert(...args).then(cancel) }),
        edges: (store) => ({ insert: (...args) => store.insert(...args).then(cancel) }),
      });
      const spec = { ...head(key), name: key, nodes: parts.flat(), isSealed };
      expect(codesOf(await process.submits.submit(submitter, spec))).toEqual(['IDEMPOTENCY_KEY_REUSED']);
      const { _id = '', step = 0 } = (cancelled ?? {}) as Partial<WorkflowDocument>;
      expect(await workflows.find(_id)).toMatchObject({ isEmptied: false, step: step + 1 });
    },
  );

  it('refuses parts and the seal of a workflow that is seven days old', async () => {
    const workflowId = await unsealed('old');
    await own
      .collection<WorkflowDocument>(workflowsCollection.name)
      .updateOne({ _id: workflowId }, { $set: { createdAt: new Date(Date.now() - longestUnsealedMs) } });
    const { parts: appending, seals } = submitProcess(own);
    const part = { workflowId, part: parts.length, nodes: [labelled('late', 'late')] };
    expect(codesOf(await appending.append(submitter, part))).toEqual(['WORKFLOW_STATE_CONFLICT']);
    expect(codesOf(await seals.seal(submitter, { workflowId }))).toEqual(['WORKFLOW_STATE_CONFLICT']);
  });

  it('counts what is stored until the seal for the owner, and at most 100 unsealed workflows', async () => {
    const { workflows } = workflowStores(own);
    const bob = testPrincipal({ subject: 'bob' });
    const { submits } = submitProcess(own);
    const begin = (key: string) =>
      submits.submit(bob, {
        ...{ ...head(key), nodes: [], isSealed: false },
        nodeLabels: [{ label: 'late', payload: { command: 'x'.repeat(1000) } }],
      });
    await begin('bob');
    const used = await workflows.waiting('alpha', 5000);
    expect(used.get('bob')).toMatchObject({ jobs: 0, bytes: expect.any(Number) });
    expect(used.get('bob')?.bytes).toBeGreaterThan(1000);
    await Promise.all(Array.from({ length: 99 }, (_, at) => begin(`bob ${at}`)));
    await expect(begin('one too many')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await begin('bob')).userErrors).toEqual([]);
  });
});
