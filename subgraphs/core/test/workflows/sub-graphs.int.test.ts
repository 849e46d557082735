/** Sub-graphs and loops, by processes that take steps, some of which are killed at a write. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { testDatabase, type TestDatabase } from '@rhizome/testkit';
import { coreCollections } from '../../src/composition/migrations.js';
import { workflowStores } from '../../src/composition/workflows/workflow-stores.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { templateNodesCollection } from '../../src/workflows/model/added-node.document.js';
import { type NodeDocument, nodesCollection } from '../../src/workflows/model/node.document.js';
import type { EndedNodeState } from '../../src/workflows/model/workflow.types.js';
import type { TemplateSpec, WorkflowSpec } from '../../src/workflows/submit/workflow-spec.types.js';
import { NodeFiles } from '../../src/workflows/views/node-files.js';
import { atEachWrite, isKilled } from '../support/killed.fixture.js';
import { head, node, unit } from '../support/sub-graphs.fixture.js';
import { commandProcess } from '../support/workflow-commands.fixture.js';
import { stepProcess } from '../support/workflow-steps.fixture.js';
import { submitProcess, submitter } from '../support/workflow-submits.fixture.js';

let db: TestDatabase;
let jobs: JobsRepository;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, coreCollections);
  jobs = new JobsRepository(collection(db, jobsCollection));
});

async function submit(
  name: string,
  rest: Pick<WorkflowSpec, 'nodes' | 'templates' | 'nodeLabels' | 'groupEdges'>,
): Promise<string> {
  const { workflow, userErrors } = await submitProcess(db).submits.submit(submitter, {
    ...head(name),
    ...rest,
  });
  expect(userErrors).toEqual([]);
  return workflow?._id ?? '';
}

/** States of nodes by name. */
async function states(id: string): Promise<Readonly<Record<string, string>>> {
  const { nodes } = await workflowStores(db).nodes.page(id, {}, { first: 100, after: null });
  return Object.fromEntries(nodes.map(({ name, state }) => [name, state]));
}

/** Names of the jobs of a workflow, in order. */
async function jobNames(id: string): Promise<readonly string[]> {
  const made = await db.collection<JobDocument>(jobsCollection.name).find({ 'workflow.id': id }).toArray();
  return made.map(({ name }) => name).sort();
}

/** Ends of nodes by name; others succeed. */
function ends(id: string, failing: (name: string) => boolean) {
  const names = new Map<number, string>();
  return {
    names,
    async read(): Promise<void> {
      const { nodes } = await workflowStores(db).nodes.page(id, {}, { first: 100, after: null });
      for (const { index, name } of nodes) names.set(index, name);
    },
    outcomeOf: (index: number): EndedNodeState => (failing(names.get(index) ?? '') ? 'FAILED' : 'SUCCEEDED'),
  };
}

/** Runs a workflow to its end. */
async function run(
  id: string,
  failing: (name: string) => boolean = () => false,
  process = stepProcess(db, jobs),
): Promise<string> {
  const outcome = ends(id, failing);
  const advance = async (): Promise<void> => {
    await process.advance(id);
    await outcome.read();
  };
  await advance();
  for (;;) {
    const workflow = await workflowStores(db).workflows.find(id);
    if (workflow?.endedAt) return workflow.state;
    const { value: submitted } = await workflowStores(db).nodes.submitted(id, true).next();
    if (!submitted) throw new Error(`nothing is left to do: ${JSON.stringify(await states(id))}`);
    const at = systemClock.now();
    await workflowStores(db).nodes.jobsEnded(
      submitted.map(({ _id, index, run: of }) => ({
        ...{ nodeId: _id, run: of, at, outcome: outcome.outcomeOf(index) },
      })),
    );
    await advance();
  }
}

const pair: TemplateSpec = { name: 'pair', nodes: [node('x'), node('y', 'x')] };

describe('a sub-graph', () => {
  it('runs its nodes between the nodes before and behind it, also inside another', async () => {
    const id = await submit('nested', {
      nodes: [node('a'), unit('fit', 'outer', { dependsOn: [{ node: 'a' }] }), node('b', 'fit')],
      templates: [
        pair,
        { name: 'outer', nodes: [node('first'), unit('in', 'pair', { dependsOn: [{ node: 'first' }] })] },
      ],
    });
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await states(id)).toEqual({
      ...{ a: 'SUCCEEDED', fit: 'SUCCEEDED', b: 'SUCCEEDED', 'fit/first': 'SUCCEEDED' },
      ...{ 'fit/in': 'SUCCEEDED', 'fit/in/x': 'SUCCEEDED', 'fit/in/y': 'SUCCEEDED' },
    });
    expect(await jobNames(id)).toEqual(['a', 'b', 'fit/first', 'fit/in/x', 'fit/in/y']);
    const { nodes } = await workflowStores(db).nodes.page(id, {}, { first: 100, after: null });
    expect(nodes.map(({ name, depth }) => [name, depth])).toEqual([
      ...[
        ['a', 0],
        ['fit', 1],
        ['b', 2],
        ['fit/first', 2],
        ['fit/in', 3],
        ['fit/in/x', 4],
        ['fit/in/y', 5],
      ],
    ]);
  });

  it('fails with a node in it, and goes on with what a retry repeats', async () => {
    const id = await submit('failing', {
      nodes: [unit('fit', 'pair'), node('b', 'fit')],
      templates: [pair],
    });
    expect(await run(id, (name) => name === 'fit/x')).toBe('FAILED');
    expect(await states(id)).toEqual({ fit: 'FAILED', b: 'SKIPPED', 'fit/x': 'FAILED', 'fit/y': 'SKIPPED' });
    const { retries } = commandProcess(db);
    expect((await retries.retry(submitter, { workflowId: id })).userErrors).toEqual([]);
    expect(await states(id)).toEqual({
      fit: 'SUBMITTED',
      b: 'WAITING',
      'fit/x': 'READY',
      'fit/y': 'WAITING',
    });
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await jobNames(id)).toEqual(['b', 'fit/x', 'fit/x', 'fit/y']);
    expect((await retries.retry(submitter, { workflowId: id, nodes: ['fit'] })).userErrors).toEqual([]);
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await jobNames(id)).toEqual(['b', 'b', 'fit/x', 'fit/x', 'fit/x', 'fit/y', 'fit/y']);
  });

  it('goes on if a node in it is ended by hand, and what follows it if that is', async () => {
    const id = await submit('marked', { nodes: [unit('fit', 'pair'), node('b', 'fit')], templates: [pair] });
    expect(await run(id, (name) => name === 'fit/x')).toBe('FAILED');
    const { retries } = commandProcess(db);
    const mark = (name: string) =>
      retries.mark(submitter, { workflowId: id, nodes: [name], state: 'SUCCEEDED', reason: 'checked' });
    expect((await mark('fit/x')).userErrors).toEqual([]);
    expect(await states(id)).toEqual({
      fit: 'SUBMITTED',
      b: 'WAITING',
      'fit/x': 'SUCCEEDED',
      'fit/y': 'READY',
    });
    expect(await run(id, (name) => name === 'fit/y')).toBe('FAILED');
    expect((await mark('fit')).userErrors).toEqual([]);
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await states(id)).toEqual({
      ...{ fit: 'SUCCEEDED', b: 'SUCCEEDED', 'fit/x': 'SUCCEEDED', 'fit/y': 'FAILED' },
    });
  });

  it('is cancelled as a whole', async () => {
    const id = await submit('cancelled', {
      nodes: [unit('fit', 'outer'), node('b', 'fit')],
      templates: [pair, { name: 'outer', nodes: [unit('in', 'pair'), node('after', 'in')] }],
    });
    await stepProcess(db, jobs).advance(id);
    const { commands, stopped } = commandProcess(db);
    const command = { workflowId: id, nodes: ['fit'], reason: 'wrong input' };
    expect((await commands.cancelNodes(submitter, command)).userErrors).toEqual([]);
    expect(stopped.length).toBe(1);
    expect(await run(id, () => true)).toBe('FAILED');
    expect(await states(id)).toEqual({
      ...{ fit: 'CANCELLED', b: 'SKIPPED', 'fit/in': 'CANCELLED', 'fit/after': 'CANCELLED' },
      ...{ 'fit/in/x': 'FAILED', 'fit/in/y': 'CANCELLED' },
    });
  });

  it('passes inputs to its nodes, and their outputs to the nodes behind it', async () => {
    const payload = (...outputs: readonly string[]) => ({ payload: { command: 'true', outputs } });
    const id = await submit('files', {
      nodes: [
        { name: 'list', ...payload('events') },
        unit('fit', 'fit', { inputs: [{ node: 'list', output: 'events', as: 'in' }] }, { maxIterations: 2 }),
        { ...node('plot'), inputs: [{ node: 'fit', output: 'model' }] },
      ],
      templates: [
        {
          name: 'fit',
          nodes: [
            {
              ...{ name: 'one', ...payload('model') },
              inputs: [
                { input: 'in', output: 'in', as: 'data' },
                { node: 'one', output: 'model', as: 'before', isPrevious: true },
              ],
            },
          ],
          outputs: [{ node: 'one', output: 'model' }],
        },
      ],
    });
    expect(await run(id)).toBe('SUCCEEDED');
    const { workflows, nodes } = workflowStores(db);
    const files = new NodeFiles({ workflows, nodes, jobs });
    const filesOf = async (name: string) => {
      const job = await db.collection<JobDocument>(jobsCollection.name).findOne({ 'workflow.id': id, name });
      const page = await files.of(job as JobDocument, { first: 10 });
      return page.nodes.map(({ path, node: source, name: output }) => [path, source, output]);
    };
    expect(await filesOf('fit/1/one')).toEqual([['data', 'list', 'events']]);
    expect(await filesOf('fit/2/one')).toEqual([
      ['data', 'list', 'events'],
      ['before', 'fit/1/one', 'model'],
    ]);
    expect(await filesOf('plot')).toEqual([['model', 'fit/2/one', 'model']]);
  });
});

describe('a loop', () => {
  const loop = { maxIterations: 3, until: 'result.state == "SUCCEEDED"' };
  const one: TemplateSpec = { name: 'one', nodes: [node('x')] };

  it('repeats its nodes until its condition is met; earlier failures do not count', async () => {
    const id = await submit('loop', {
      nodes: [unit('fit', 'one', {}, loop), node('b', 'fit')],
      templates: [one],
    });
    expect(await run(id, (name) => name === 'fit/1/x')).toBe('SUCCEEDED');
    expect(await states(id)).toEqual({
      ...{ fit: 'SUCCEEDED', b: 'SUCCEEDED', 'fit/1/x': 'FAILED', 'fit/2/x': 'SUCCEEDED' },
    });
  });

  it('fails if its last iteration does, and begins again with a retry of its node', async () => {
    const id = await submit('loop again', { nodes: [unit('fit', 'one', {}, loop)], templates: [one] });
    expect(await run(id, () => true)).toBe('FAILED');
    expect(await jobNames(id)).toEqual(['fit/1/x', 'fit/2/x', 'fit/3/x']);
    const { retries } = commandProcess(db);
    const past = await retries.retry(submitter, { workflowId: id, nodes: ['fit/1/x'] });
    expect(past.userErrors).toMatchObject([{ code: 'NODE_STATE_CONFLICT' }]);
    expect((await retries.retry(submitter, { workflowId: id, nodes: ['fit'] })).userErrors).toEqual([]);
    expect(await run(id, (name) => name === 'fit/1/x')).toBe('SUCCEEDED');
    expect(await states(id)).toEqual({
      ...{ fit: 'SUCCEEDED', 'fit/1/x': 'FAILED', 'fit/2/x': 'SUCCEEDED', 'fit/3/x': 'SKIPPED' },
    });
  });

  it('ends with a failure if it has no condition, and with the workflow if that is cancelled', async () => {
    const id = await submit('fixed', {
      nodes: [unit('fit', 'one', {}, { maxIterations: 3 })],
      templates: [one],
    });
    expect(await run(id, (name) => name === 'fit/2/x')).toBe('FAILED');
    expect(await jobNames(id)).toEqual(['fit/1/x', 'fit/2/x']);
    const other = await submit('stopped', { nodes: [unit('fit', 'one', {}, loop)], templates: [one] });
    await stepProcess(db, jobs).advance(other);
    await commandProcess(db).commands.cancel(submitter, { workflowId: other });
    expect(await run(other, () => true)).toBe('CANCELLED');
    expect(await states(other)).toEqual({ fit: 'CANCELLED', 'fit/1/x': 'FAILED' });
  });
});

describe('retryWorkflow', () => {
  const one: TemplateSpec = { name: 'one', nodes: [node('x')] };
  const again = async (workflowId: string, ...nodes: readonly string[]) =>
    (
      await commandProcess(db).retries.retry(
        submitter,
        nodes.length > 0 ? { workflowId, nodes } : { workflowId },
      )
    ).userErrors;

  it('runs the iterations of an earlier run again that follow the one which goes on', async () => {
    const nodes = [unit('fit', 'one', {}, { maxIterations: 3 })];
    const id = await submit('left over', { nodes, templates: [one] });
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await again(id, 'fit')).toEqual([]);
    expect(await run(id, (name) => name === 'fit/1/x')).toBe('FAILED');
    expect(await again(id)).toEqual([]);
    expect(await run(id)).toBe('SUCCEEDED');
    expect((await jobNames(id)).filter((name) => name !== 'fit/1/x')).toEqual([
      ...['fit/2/x', 'fit/2/x', 'fit/3/x', 'fit/3/x'],
    ]);
  });

  it('does not end a loop by iterations that were skipped in an earlier run', async () => {
    const nodes = [unit('fit', 'one', {}, { maxIterations: 3, until: 'result.state == "SUCCEEDED"' })];
    const id = await submit('skipped before', { nodes, templates: [one] });
    expect(await run(id, () => true)).toBe('FAILED');
    expect(await again(id, 'fit')).toEqual([]);
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await again(id, 'fit/1/x')).toEqual([]);
    expect(await run(id, () => true)).toBe('FAILED');
    expect(await states(id)).toEqual({
      ...{ fit: 'FAILED', 'fit/1/x': 'FAILED', 'fit/2/x': 'FAILED', 'fit/3/x': 'FAILED' },
    });
  });

  it('opens edges between labels that lead from a sub-graph which goes on', async () => {
    const id = await submit('label behind', {
      nodes: [unit('fit', 'one', { label: 'L' }), { ...node('b'), label: 'M' }],
      ...{ templates: [one], groupEdges: [{ from: 'L', to: 'M' }] },
    });
    expect(await run(id, (name) => name === 'fit/x')).toBe('FAILED');
    expect(await again(id)).toEqual([]);
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await states(id)).toEqual({ fit: 'SUCCEEDED', 'fit/x': 'SUCCEEDED', b: 'SUCCEEDED' });
  });

  it('leaves a sub-graph that was ended by hand', async () => {
    const id = await submit('ended by hand', { nodes: [unit('fit', 'one'), node('b')], templates: [one] });
    expect(await run(id, () => true)).toBe('FAILED');
    const mark = { workflowId: id, nodes: ['fit'], state: 'SUCCEEDED', reason: 'checked' } as const;
    expect((await commandProcess(db).retries.mark(submitter, mark)).userErrors).toEqual([]);
    expect(await again(id)).toEqual([]);
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await jobNames(id)).toEqual(['b', 'b', 'fit/x']);
  });

  it('refuses a node of a sub-graph in an iteration that another has followed', async () => {
    const id = await submit('past', {
      nodes: [unit('U', 'outer', {}, { maxIterations: 2 })],
      templates: [{ name: 'outer', nodes: [unit('V', 'one')] }, one],
    });
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await again(id, 'U/1/V/x')).toMatchObject([{ code: 'NODE_STATE_CONFLICT' }]);
  });

  it('refuses nodes that add outputs to a dataset which is closed', async () => {
    const id = await submit('dataset', { nodes: [node('x')] });
    expect(await run(id, () => true)).toBe('FAILED');
    const output = { output: 'a.root', datasetId: 'dataset_1' };
    await db
      .collection<NodeDocument>(nodesCollection.name)
      .updateOne({ workflowId: id, name: 'x' }, { $set: { 'job.payload.outputDatasets': [output] } });
    const facts = { _id: 'dataset_1', experiment: 'alpha', owner: 'ada' };
    const retry = (state: 'OPEN' | 'CLOSED') =>
      commandProcess(db, { datasets: [{ ...facts, state }] }).retries.retry(submitter, { workflowId: id });
    expect((await retry('CLOSED')).userErrors).toMatchObject([
      {
        code: 'NODE_STATE_CONFLICT',
        message: expect.stringContaining('"x" adds outputs to dataset "dataset_1"'),
      },
    ]);
    expect((await retry('OPEN')).userErrors).toEqual([]);
  });
});

describe('cloneWorkflow', () => {
  it('refuses secrets of nodes and templates that the caller may not use', async () => {
    const id = await submit('secret', { nodes: [node('x'), unit('fit', 'pair')], templates: [pair] });
    const named = (name: string) => [{ id: `secret_${name}`, name, scope: 'USER', as: 'FILE', target: name }];
    await db
      .collection<NodeDocument>(nodesCollection.name)
      .updateOne({ workflowId: id, name: 'x' }, { $set: { 'job.payload.secrets': named('token') } });
    await db
      .collection(templateNodesCollection.name)
      .updateOne(
        { workflowId: id, 'node.name': 'y' },
        { $set: { 'node.job.payload.secrets': named('key') } },
      );
    const clone = (...secrets: readonly string[]) =>
      commandProcess(db, { secrets }).clones.clone(submitter, { workflowId: id, idempotencyKey: 'secret' });
    expect((await clone('token')).userErrors).toMatchObject([
      { code: 'SECRET_NOT_FOUND', message: expect.stringContaining('Node "y": secret "key"') },
    ]);
    const { workflow, userErrors } = await clone('token', 'key');
    expect([workflow?.nodes, userErrors]).toEqual([2, []]);
  });
});

describe('a process that is killed at a write', () => {
  it('leaves sub-graphs and iterations that the next process completes, with one job for each node', async () => {
    const kills = await atEachWrite(async (killAt) => {
      const id = await submit(`killed ${killAt}`, {
        nodes: [unit('fit', 'outer', {}, { maxIterations: 2 }), unit('other', 'one')],
        templates: [
          { name: 'one', nodes: [node('x')] },
          { name: 'outer', nodes: [unit('in', 'one')] },
        ],
      });
      const wasKilled = await isKilled(() => run(id, () => false, stepProcess(db, jobs, killAt)));
      expect(await run(id)).toBe('SUCCEEDED');
      expect(await jobNames(id)).toEqual(['fit/1/in/x', 'fit/2/in/x', 'other/x']);
      const workflow = await workflowStores(db).workflows.find(id);
      expect(workflow).toMatchObject({ nodes: 7, groups: [{ counts: { SUCCEEDED: 7, WAITING: 0 } }] });
      return wasKilled;
    });
    expect(kills).toBeGreaterThan(30);
  });

  it('leaves a loop that begins again, with one more job for each node that runs again', async () => {
    const kills = await atEachWrite(async (killAt) => {
      const id = await submit(`again ${killAt}`, {
        nodes: [unit('fit', 'one', {}, { maxIterations: 2, until: 'result.state == "SUCCEEDED"' })],
        templates: [{ name: 'one', nodes: [node('x')] }],
      });
      expect(await run(id, () => true)).toBe('FAILED');
      const { retries } = commandProcess(db);
      expect((await retries.retry(submitter, { workflowId: id, nodes: ['fit'] })).userErrors).toEqual([]);
      const wasKilled = await isKilled(() => run(id, () => false, stepProcess(db, jobs, killAt)));
      expect(await run(id)).toBe('SUCCEEDED');
      expect(await jobNames(id)).toEqual(['fit/1/x', 'fit/1/x', 'fit/2/x']);
      expect(await states(id)).toEqual({ fit: 'SUCCEEDED', 'fit/1/x': 'SUCCEEDED', 'fit/2/x': 'SKIPPED' });
      return wasKilled;
    });
    expect(kills).toBeGreaterThan(10);
  });
});

describe('submitWorkflow, for templates', () => {
  const cases: readonly (readonly [string, Partial<WorkflowSpec>, string, string])[] = [
    ['a template that does not exist', { nodes: [unit('a', 'none')] }, 'TEMPLATE_NOT_FOUND', '"none"'],
    [
      'templates that contain each other',
      {
        nodes: [unit('a', 'one')],
        templates: [
          { name: 'one', nodes: [unit('b', 'two')] },
          { name: 'two', nodes: [unit('c', 'one')] },
        ],
      },
      'CYCLE',
      'one → two → one',
    ],
    [
      'more nodes than a workflow may have',
      {
        nodes: [unit('a', 'many', {}, { maxIterations: 100 })],
        templates: [{ name: 'many', nodes: Array.from({ length: 1001 }, (_, at) => node(`n${at}`)) }],
      },
      'WORKFLOW_TOO_LARGE',
      '100101 nodes',
    ],
    [
      'a condition that reads an unknown value',
      {
        nodes: [unit('a', 'pair', {}, { maxIterations: 2, until: 'result.x > 1', resultNode: 'x' })],
        templates: [pair],
      },
      'INVALID_VALUE',
      'subgraph.until',
    ],
    [
      'a condition on a template of several nodes without the node that it reads',
      { nodes: [unit('a', 'pair', {}, { maxIterations: 2, until: 'iteration == 2' })], templates: [pair] },
      'INVALID_VALUE',
      'resultNode',
    ],
    [
      'a node with a job and a sub-graph',
      { nodes: [{ ...node('a'), ...unit('a', 'pair') }], templates: [pair] },
      'INVALID_VALUE',
      'payload',
    ],
    [
      'a final node in a template',
      { nodes: [unit('a', 'end')], templates: [{ name: 'end', nodes: [{ ...node('x'), isFinal: true }] }] },
      'INVALID_VALUE',
      'is final',
    ],
    [
      'a name that a node of the sub-graph would have',
      { nodes: [unit('a', 'pair'), node('a/x')], templates: [pair] },
      'NODE_NAME_TAKEN',
      '"a/x"',
    ],
    [
      'an input that the node does not give',
      {
        nodes: [unit('a', 'in')],
        templates: [{ name: 'in', nodes: [{ ...node('x'), inputs: [{ input: 'data', output: 'data' }] }] }],
      },
      'FILE_NOT_DECLARED',
      '"data"',
    ],
    [
      'an input of a sub-graph outside of templates',
      { nodes: [{ ...node('x'), inputs: [{ input: 'data', output: 'data' }] }] },
      'INVALID_VALUE',
      'absent outside of templates',
    ],
    [
      'an invalid value in a template, with its path',
      { nodes: [unit('a', 'bad')], templates: [{ name: 'bad', nodes: [{ ...node('x'), priority: 5000 }] }] },
      'INVALID_VALUE',
      'priority',
    ],
  ];

  it.each(cases)('refuses %s', async (name, spec, code, text) => {
    const { userErrors } = await submitProcess(db).submits.submit(submitter, {
      ...head(name),
      nodes: [],
      ...spec,
    });
    expect(userErrors).toMatchObject([{ code, message: expect.stringContaining(text) }]);
    const [error] = userErrors;
    if (name.endsWith('with its path'))
      expect(error?.path.map(String)).toEqual(['templates', '0', 'nodes', '0', 'priority']);
  });

  it('takes the nodes of another workflow of the owner as a template', async () => {
    const source = await submit('source', { nodes: [node('x'), node('y', 'x')] });
    const id = await submit('uses', {
      nodes: [unit('one', 'src'), unit('two', 'src', { dependsOn: [{ node: 'one' }] })],
      templates: [{ name: 'src', workflowId: source }],
    });
    expect(await run(id)).toBe('SUCCEEDED');
    expect(await jobNames(id)).toEqual(['one/x', 'one/y', 'two/x', 'two/y']);
    const templates = [{ name: 'src', workflowId: 'workflow_none' }];
    const unknown = { ...head('unknown'), nodes: [unit('one', 'src')], templates };
    const { userErrors } = await submitProcess(db).submits.submit(submitter, unknown);
    expect(userErrors).toMatchObject([{ code: 'TEMPLATE_NOT_FOUND' }]);
  });
});
