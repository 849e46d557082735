/** Templates: what is checked of another workflow, and what counts for limits of live jobs. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { collection, ensureCollections } from '@rhizome/mongo';
import { testDatabase, type TestDatabase } from '@rhizome/testkit';
import { coreCollections } from '../../src/composition/migrations.js';
import { workflowStores } from '../../src/composition/workflows/workflow-stores.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { LiveUsage } from '../../src/jobs/model/job.types.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { templateNodesCollection } from '../../src/workflows/model/added-node.document.js';
import { type NodeDocument, nodesCollection } from '../../src/workflows/model/node.document.js';
import { type WorkflowDocument, workflowsCollection } from '../../src/workflows/model/workflow.document.js';
import type { WorkflowSpec } from '../../src/workflows/submit/workflow-spec.types.js';
import { head, node, unit } from '../support/sub-graphs.fixture.js';
import { commandProcess } from '../support/workflow-commands.fixture.js';
import { stepProcess } from '../support/workflow-steps.fixture.js';
import { submitProcess, submitter } from '../support/workflow-submits.fixture.js';

let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, coreCollections);
});

const submit = (name: string, rest: Pick<WorkflowSpec, 'nodes'> & Partial<WorkflowSpec>) =>
  submitProcess(db).submits.submit(submitter, { ...head(name), ...rest });

async function submitted(name: string, rest: Parameters<typeof submit>[1]): Promise<string> {
  const { workflow, userErrors } = await submit(name, rest);
  expect(userErrors).toEqual([]);
  return workflow?._id ?? '';
}

const pair = { name: 'pair', nodes: [node('x'), node('y', 'x')] };

describe('submitWorkflow, with the nodes of another workflow as a template', () => {
  const secret = { id: 'secret_1', name: 'token', scope: 'USER', as: 'FILE', target: 'token' };
  const output = { output: 'a.root', datasetId: 'dataset_1' };

  it.each([
    ['a secret that the caller may not use', { 'payload.secrets': [secret] }, 'SECRET_NOT_FOUND', '"token"'],
    ['a queue that is gone', { 'requirements.queue': 'old' }, 'QUEUE_NOT_FOUND', '"old"'],
    ['a closed dataset', { 'payload.outputDatasets': [output] }, 'INVALID_VALUE', 'not open any more'],
  ])('refuses %s', async (name, values, code, text) => {
    const workflowId = await submitted(`source of ${name}`, { nodes: [node('x')] });
    const $set = Object.fromEntries(Object.entries(values).map(([field, value]) => [`job.${field}`, value]));
    await db.collection<NodeDocument>(nodesCollection.name).updateOne({ workflowId }, { $set });
    const { userErrors } = await submit(name, {
      ...{ nodes: [unit('a', 'src')], templates: [{ name: 'src', workflowId }] },
    });
    expect(userErrors).toMatchObject([{ code, message: expect.stringContaining(text) }]);
  });

  it('refuses a label of an edge, names that become too long, and more bytes than a workflow may have', async () => {
    const label = await submitted('labelled', { nodes: [{ ...node('x'), label: 'L' }] });
    const nodes = [unit('a', 'src'), { ...node('l'), label: 'L' }, { ...node('m'), label: 'M' }];
    const joined = { nodes, groupEdges: [{ from: 'L', to: 'M' }] };
    const templates = [{ name: 'src', workflowId: label }];
    expect((await submit('joined', { ...joined, templates })).userErrors).toMatchObject([
      { code: 'INVALID_VALUE', message: expect.stringContaining('label "L"') },
    ]);
    const long = await submitted('long', { nodes: [node('x'.repeat(150))] });
    const within = { nodes: [unit('a'.repeat(60), 'src')], templates: [{ name: 'src', workflowId: long }] };
    expect((await submit('too long', within)).userErrors).toMatchObject([
      { code: 'WORKFLOW_TOO_LARGE', message: expect.stringContaining('211 characters') },
    ]);
    await db.collection<WorkflowDocument>(workflowsCollection.name).updateOne(
      { _id: long },
      {
        $set: { bytes: 200 * 1_048_576 },
      },
    );
    const copies = ['one', 'two'].map((name) => ({ name, workflowId: long }));
    const units = copies.map(({ name }) => unit(name, name));
    expect((await submit('too many', { nodes: units, templates: copies })).userErrors).toMatchObject([
      { code: 'WORKFLOW_TOO_LARGE', message: expect.stringContaining('bytes of payloads') },
    ]);
  });

  it('reads the node of a condition by its name', async () => {
    const workflowId = await submitted('of two', { nodes: pair.nodes });
    const loop = (resultNode: string) => ({
      nodes: [unit('a', 'src', {}, { maxIterations: 2, until: 'result.exitCode == 0', resultNode })],
      templates: [{ name: 'src', workflowId }],
    });
    const id = await submitted('condition', loop('y'));
    const [a] = (await workflowStores(db).nodes.page(id, {}, { first: 1, after: null })).nodes;
    expect(a?.subgraph?.result).toBe(1);
    expect((await submit('no such node', loop('z'))).userErrors).toMatchObject([{ code: 'INVALID_VALUE' }]);
  });
});

describe('the use of live jobs', () => {
  it('counts what sub-graphs may still add, also of clones', async () => {
    const { workflows } = workflowStores(db);
    const waiting = async (): Promise<number> =>
      (await workflows.waiting('alpha', 10_000)).get('ada')?.jobs ?? 0;
    const before = await waiting();
    const loop = unit('a', 'pair', {}, { maxIterations: 3 });
    const id = await submitted('counted', { nodes: [loop], templates: [pair] });
    expect((await waiting()) - before).toBe(7);
    await stepProcess(db, new JobsRepository(collection(db, jobsCollection))).advance(id);
    // One waits for the other, which is a job, and two iterations may follow.
    expect((await waiting()) - before).toBe(5);
    const charged: LiveUsage[] = [];
    const { clones } = commandProcess(db, { charged });
    await clones.clone(submitter, { workflowId: id, idempotencyKey: 'counted' });
    expect(charged).toMatchObject([{ jobs: 7 }]);
  });
});

describe('cloneWorkflow', () => {
  it('refuses nodes of templates that no queue admits any more', async () => {
    const id = await submitted('limited', { nodes: [unit('a', 'pair')], templates: [pair] });
    await db
      .collection(templateNodesCollection.name)
      .updateMany(
        { workflowId: id, node: { $exists: true } },
        { $set: { 'node.job.requirements.queue': 'q' } },
      );
    const { clones } = commandProcess(db, { bounds: { maxMemoryMiB: 1 } });
    const { userErrors } = await clones.clone(submitter, { workflowId: id, idempotencyKey: 'limited' });
    expect(userErrors).toMatchObject([
      { code: 'QUEUE_LIMIT_EXCEEDED', message: expect.stringContaining('Node "') },
    ]);
  });
});
