/** Steps of workflows in the store. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { collection, ensureCollections } from '@rhizome/mongo';
import { waitFor, testDatabase, type TestDatabase } from '@rhizome/testkit';
import { coreCollections } from '../../src/composition/migrations.js';
import { jobStores } from '../../src/composition/job-stores.repository.js';
import { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import type { NodeSpec } from '../../src/workflows/submit/workflow-spec.types.js';
import { type NodeDocument, nodesCollection } from '../../src/workflows/model/node.document.js';
import { bitsOfNodes } from '../../src/workflows/model/node-bits.js';
import { recount, resetNodes } from '../../src/workflows/model/reset.js';
import { type WorkflowDocument, workflowsCollection } from '../../src/workflows/model/workflow.document.js';
import { Journal } from '../../src/workflows/run/journal.js';
import { NodeStops } from '../../src/workflows/run/node-stops.js';
import { cancelledOpen, longestOpenMs, OpenWorkflows } from '../../src/workflows/run/open-workflows.js';
import { WorkflowWork } from '../../src/workflows/run/workflow-work.js';
import { instead } from '../support/instead.fixture.js';
import { stepProcess, storeWorkflow } from '../support/workflow-steps.fixture.js';

let db: TestDatabase;
let jobs: JobsRepository;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, coreCollections);
  jobs = new JobsRepository(collection(db, jobsCollection));
});

const never = new AbortController().signal;

const labelled = (label: string, count: number): readonly NodeSpec[] =>
  Array.from({ length: count }, (_, at) => ({ name: `${label}${at}`, label }));

describe('a limit of a label', () => {
  it('leaves labels without one unlimited', async () => {
    const id = await storeWorkflow(db, {
      nodes: [...labelled('a', 3), ...labelled('b', 1500)],
      nodeLabels: [{ label: 'a', maxSubmitted: 1 }],
    });
    const { stores, advance } = stepProcess(db, jobs);
    await advance(id);
    const groups = (await stores.workflows.find(id))?.groups ?? [];
    expect(groups.map(({ counts }) => counts.SUBMITTED)).toEqual([1, 1500]);
  });
});

describe('a node that has succeeded', () => {
  /** Workflow whose node 0 adds two nodes, of which some are stored. */
  async function grown(
    stored: number,
  ): Promise<{ readonly id: string; readonly advance: () => Promise<void> }> {
    const calls = [
      { key: 'k', digest: 'd', nodes: 2, bytes: 0, edges: 0, layers: 2, groups: [{ label: '', nodes: 2 }] },
    ];
    const by = { by: 0, run: 1, attempt: 1 };
    const id = await storeWorkflow(db, { nodes: [{ name: 'grow' }] }, { additions: [{ ...by, calls }] });
    const job = { attempt: 1, state: 'FINISHED' } as JobDocument;
    const { stores, advance } = stepProcess(db, instead(jobs, { find: async () => [job] }));
    await advance(id);
    const [first] = await stores.nodes.page(id, {}, { first: 1, after: null }).then(({ nodes }) => nodes);
    if (!first) throw new Error('the workflow has no node');
    const adder = await db.collection<NodeDocument>(nodesCollection.name).findOne({ _id: first._id });
    const place = { label: '', total: 0, needed: 0, depth: 1, state: 'READY' as const };
    const nodes = ['grow/a', 'grow/b'].flatMap((name) => (adder ? [{ name, ...place, job: adder.job }] : []));
    const edges = { first: 0, offsets: new Uint32Array(3), targets: new Uint32Array(0) };
    await stores.added.insert(
      { workflowId: id, ...by, digest: 'd' },
      nodes.slice(0, stored),
      [edges],
      systemClock.now(),
    );
    await stores.nodes.jobsEnded([
      { nodeId: first._id, run: 1, outcome: 'SUCCEEDED', at: systemClock.now() },
    ]);
    return { id, advance: () => advance(id) };
  }

  it('adds its nodes to a workflow that is cancelled then, which cancels them', async () => {
    const { id, advance } = await grown(2);
    const cancel = { by: 'ada', at: systemClock.now(), withFinal: false };
    await db
      .collection<WorkflowDocument>(workflowsCollection.name)
      .updateOne({ _id: id }, { $set: { state: 'CANCELLING', cancel } });
    await advance();
    const { nodes } = await stepProcess(db, jobs).stores.nodes.page(id, {}, { first: 9, after: null });
    expect(nodes.map(({ name, state }) => [name, state])).toEqual([
      ['grow', 'SUCCEEDED'],
      ['grow/a', 'CANCELLED'],
      ['grow/b', 'CANCELLED'],
    ]);
    const found = await stepProcess(db, jobs).stores.workflows.find(id);
    expect(found?.state).toBe('CANCELLED');
  });

  it('fails if nodes that it has added are no longer stored', async () => {
    const { id, advance } = await grown(1);
    await advance();
    const { stores } = stepProcess(db, jobs);
    expect((await stores.nodes.page(id, {}, { first: 9, after: null })).nodes).toEqual([
      expect.objectContaining({ state: 'FAILED', reason: expect.stringContaining('no longer stored') }),
    ]);
    expect((await stores.workflows.find(id))?.state).toBe('FAILED');
  });
});

describe('a final node', () => {
  it('waits for all others, however few edges it needs', async () => {
    const id = await storeWorkflow(db, {
      nodes: [
        ...[{ name: 'a' }, { name: 'b' }, { name: 'c' }],
        {
          name: 'end',
          isFinal: true,
          dependsOn: [{ node: 'a' }, { node: 'b' }, { node: 'c' }],
          needed: 1,
        },
      ],
    });
    const { stores, advance, finish } = stepProcess(db, jobs);
    await advance(id);
    const endJob = (index: number) =>
      stores.nodes.jobsEnded([
        { nodeId: `${id}/000000${index}`, run: 1, outcome: 'SUCCEEDED', at: systemClock.now() },
      ]);
    await endJob(0);
    await endJob(1);
    await advance(id);
    const { value: submitted } = await stores.nodes.submitted(id, true).next();
    expect(submitted?.map(({ index }) => index)).toEqual([2]);
    const workflow = await finish(id, () => 'FAILED');
    const [end] = await stores.nodes.named(id, ['end']);
    expect(end?.state).toBe('FAILED');
    expect(workflow.state).toBe('FAILED');
  });
});

describe('a command that loses against a step of the leader', () => {
  it('keeps the leader from the next until it is recorded', async () => {
    const id = await storeWorkflow(db, { nodes: [...labelled('a', 2)] });
    const leader = stepProcess(db, jobs);
    const { stores, writer } = stepProcess(db, jobs);
    const commands = new Journal({ workflows: stores.workflows, writer, clock: systemClock });
    let rounds = 0;
    const changed = await commands.change(id, async () => {
      rounds += 1;
      // It would lose every time otherwise.
      for (let step = 0; step < 2; step += 1)
        await leader.journal.changeAll(id, (workflow) => leader.next.of(workflow), never, 1);
      return { patch: { state: 'PAUSED' } };
    });
    expect(rounds).toBe(2);
    expect(changed?.workflow.state).toBe('PAUSED');
    expect((await stores.workflows.find(id))?.claimedUntil).toBeUndefined();
  });
});

describe('a node that is retried', () => {
  it('gets a job in the name of the principal who asked for it', async () => {
    const id = await storeWorkflow(db, { nodes: [...labelled('a', 2)] });
    const { journal, writer, advance, finish } = stepProcess(db, jobs);
    await finish(id, (at) => (at === 0 ? 'FAILED' : 'SUCCEEDED'));
    await journal.change(id, async (workflow) => {
      const graph = await writer.graphOf(workflow);
      const reset = resetNodes(graph, [0], 'UNDONE');
      const { groups, groupEdges } = recount(graph, reset, []);
      const step = { kind: 'RESET', nodes: bitsOfNodes(reset), marks: [], by: 'bob' } as const;
      return { step, patch: { state: 'RUNNING', endedAt: null, groups, groupEdges } };
    });
    await advance(id);
    const made = await db.collection<JobDocument>(jobsCollection.name).find({ 'workflow.id': id }).toArray();
    expect(made.map(({ workflow, last }) => [workflow?.node, workflow?.run, last.actor]).sort()).toEqual([
      [0, 1, 'ada'],
      [0, 2, 'bob'],
      [1, 1, 'ada'],
    ]);
  });
});

describe('WorkflowWork', () => {
  it('finds the ends of jobs of which it never heard', async () => {
    const id = await storeWorkflow(db, { nodes: [{ name: 'a' }] });
    const { stores, journal, next, advance } = stepProcess(db, jobs);
    await advance(id);
    const writer = new GroupingTransitionWriter({
      ...{ store: jobStores(db).transitions, clock: systemClock, log: silentLogger() },
    });
    const stops = new NodeStops({ ...{ workflows: stores.workflows, nodes: stores.nodes, jobs }, writer });
    const made = await db.collection<JobDocument>(jobsCollection.name).find({ 'workflow.id': id }).toArray();
    const stopped = made.map(({ _id: jobId }) => ({ jobId, reason: 'test' }));
    await stops.cancel(stopped, 'ada');
    let term = new AbortController();
    const work = new WorkflowWork({
      ...{ workflows: stores.workflows, nodes: stores.nodes, jobs, journal, next },
      stops,
      leader: {
        onGained: (begin) => {
          term = new AbortController();
          begin(term.signal);
          return () => undefined;
        },
      },
      onWritten: () => () => undefined,
      ...{ clock: systemClock, log: silentLogger(), recheckMs: 10 },
    });
    work.start();
    await waitFor('the end', async () => (await stores.workflows.find(id))?.state === 'FAILED', {
      deadlineMs: 60_000,
    });
    term.abort();
    await work.stop();
    await writer.close();
  });
});

describe('a half submitted workflow', () => {
  it('loses its nodes, also if the process that cancelled them was killed', async () => {
    const id = await storeWorkflow(db, { nodes: [...labelled('a', 2)] });
    const { workflows, nodes, edges, parts, templates } = stepProcess(db, jobs).stores;
    await db
      .collection<WorkflowDocument>(workflowsCollection.name)
      .updateOne({ _id: id }, { $set: { state: 'OPEN' } });
    let later = 2 * longestOpenMs;
    const now = (): Date => new Date(systemClock.now().getTime() + later);
    const kills = instead(nodes, { drop: async () => Promise.reject(new Error('killed')) });
    const signal = never;
    const open = (store: typeof nodes): OpenWorkflows =>
      new OpenWorkflows({
        ...{ workflows, nodes: store, edges, parts, templates, log: silentLogger() },
        clock: { ...systemClock, now },
        leader: { onGained: () => () => undefined },
      });
    await open(kills).sweep(signal);
    later += 600_000;
    await expect(open(kills).sweep(signal)).rejects.toThrow('killed');
    expect(await nodes.count(id)).toBe(2);
    await open(nodes).sweep(signal);
    expect(await nodes.count(id)).toBe(0);
    expect(await workflows.find(id)).toMatchObject({ state: 'CANCELLED', isEmptied: true });
  });
});

describe('a workflow in parts', () => {
  const day = longestOpenMs;
  const openSince = async (created: number, changed: number): Promise<string> => {
    const id = await storeWorkflow(db, { nodes: [...labelled('a', 2)] });
    const at = (before: number): Date => new Date(systemClock.now().getTime() - before);
    await db
      .collection<WorkflowDocument>(workflowsCollection.name)
      .updateOne({ _id: id }, { $set: { state: 'OPEN', createdAt: at(created), updatedAt: at(changed) } });
    return id;
  };

  it('is cancelled if nothing is added for a day, or if it is not sealed within seven', async () => {
    const { workflows, nodes, edges, parts, templates } = stepProcess(db, jobs).stores;
    const all = await Promise.all([
      ...[openSince(2 * day, day + 1), openSince(7 * day + 1, 1), openSince(6 * day, day / 2)],
    ]);
    let later = 0;
    const now = (): Date => new Date(systemClock.now().getTime() + later);
    const open = new OpenWorkflows({
      ...{ workflows, nodes, edges, parts, templates, log: silentLogger(), clock: { ...systemClock, now } },
      leader: { onGained: () => () => undefined },
    });
    await open.sweep(never);
    later = 600_000;
    await open.sweep(never);
    const found = await Promise.all(all.map((id) => workflows.find(id)));
    expect(found.map((one) => [one?.state, one?.cancel?.reason])).toEqual([
      ['CANCELLED', 'nothing was added for a day'],
      ['CANCELLED', 'not sealed within seven days'],
      ['OPEN', undefined],
    ]);
    expect(await Promise.all(all.map((id) => nodes.count(id)))).toEqual([0, 0, 2]);
  });

  it('keeps its nodes for ten minutes after it was cancelled, for calls that write some', async () => {
    const { workflows, nodes, edges, parts, templates } = stepProcess(db, jobs).stores;
    const id = await openSince(day, 1);
    const opened = await workflows.find(id);
    if (!opened) throw new Error('no workflow');
    const at = systemClock.now();
    await workflows.record(opened, undefined, cancelledOpen({ by: 'ada', at, withFinal: false }), at);
    const sweepAt = (time: number): Promise<void> =>
      new OpenWorkflows({
        ...{ workflows, nodes, edges, parts, templates, log: silentLogger() },
        clock: { ...systemClock, now: () => new Date(time) },
        leader: { onGained: () => () => undefined },
      }).sweep(never);
    await sweepAt(at.getTime() + 500_000);
    expect(await nodes.count(id)).toBe(2);
    await sweepAt(at.getTime() + 600_000);
    expect(await nodes.count(id)).toBe(0);
    expect(await workflows.find(id)).toMatchObject({ isEmptied: true, groups: [] });
  });
});

describe('a node that waits', () => {
  it('counts for its owner, and uses its share', async () => {
    const id = await storeWorkflow(db, { nodes: [...labelled('a', 4)] }, { experiment: 'beta', bytes: 400 });
    const { workflows } = stepProcess(db, jobs).stores;
    expect(await workflows.waiting('beta', 5000)).toEqual(new Map([['ada', { jobs: 4, bytes: 400 }]]));
    expect(await workflows.usesShare('beta', 'alpha/default')).toBe(true);
    await stepProcess(db, jobs).finish(id, () => 'SUCCEEDED');
    expect(await workflows.waiting('beta', 5000)).toEqual(new Map());
    expect(await workflows.usesShare('beta', 'alpha/default')).toBe(false);
  });
});

describe('a workflow that was submitted for a person', () => {
  it('is paused, with the reason, when the consent is withdrawn', async () => {
    const nodes = [{ name: 'a' }, { name: 'b', dependsOn: [{ node: 'a' }] }];
    const id = await storeWorkflow(db, { nodes }, { submittedBy: 'service' });
    let isAllowed = true;
    const process = stepProcess(db, jobs, Infinity, async () => isAllowed);
    await process.advance(id);
    isAllowed = false;
    await process.stores.nodes.jobsEnded([
      { nodeId: `${id}/0000000`, run: 1, outcome: 'SUCCEEDED', at: systemClock.now() },
    ]);
    await process.advance(id);
    expect(await process.stores.workflows.find(id)).toMatchObject({
      state: 'PAUSED',
      pause: { by: 'system:workflows', reason: expect.stringContaining('ada no longer allows') },
      groups: [{ counts: { WAITING: 1, SUBMITTED: 0, SUCCEEDED: 1 } }],
    });
  });
});

describe('NodesRepository', () => {
  it('examines no more nodes than it returns, and none to count them', async () => {
    const ids = await Promise.all(
      Array.from({ length: 3 }, () =>
        storeWorkflow(db, { nodes: [...labelled('a', 200), ...labelled('b', 5)] }),
      ),
    );
    const { nodes, nodeCounts } = stepProcess(db, jobs).stores;
    const id = ids[1] ?? '';
    await db.command({ profile: 2 });
    const page = await nodes.page(id, {}, { first: 10, after: null });
    await nodes.page(id, {}, { first: 10, after: page.pageInfo.endCursor });
    await nodeCounts.depths(id);
    expect(await nodes.readyLabels(id)).toEqual(['a', 'b']);
    expect(await nodes.ready(id, { label: 'b', isFinal: false }, 100)).toHaveLength(5);
    await db.command({ profile: 0 });
    const profiled = await db
      .collection('system.profile')
      .find({ ns: `${db.databaseName}.workflowNodes` })
      .sort({ ts: 1 })
      .toArray();
    expect(profiled.map(({ docsExamined }) => docsExamined as number)).toEqual([11, 11, 0, 0, 5]);
  });
});
