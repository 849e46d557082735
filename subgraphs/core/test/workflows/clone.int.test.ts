/** Clones of workflows, and retries with another program, by two processes of core. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { type WorkflowDocument, workflowsCollection } from '../../src/workflows/model/workflow.document.js';
import { type Answer, lastingLeases, seed, startCore, type TestCore } from '../support/core.fixture.js';
import { after, Crew, minute, node, TestWorkflow } from '../support/workflows.fixture.js';

let core: TestCore;
let second: TestCore;
let crew: Crew;
let db: TestDatabase;

beforeAll(async () => {
  const first = await startCore();
  core = first;
  db = first.db;
  await seed(core, lastingLeases);
  second = await startCore({ db: first.db });
  crew = await Crew.join([core, second], 'crew');
});

const submit = (name: string, nodes: readonly object[], rest: object = {}): Promise<TestWorkflow> =>
  TestWorkflow.submit(second, name, { nodes, ...rest });

const cloneText =
  'mutation ($input: CloneWorkflowInput!) { cloneWorkflow(input: $input) { workflow { id } warnings userErrors { code path message } } }';

async function clone(workflow: TestWorkflow, input: object, by = core): Promise<Answer> {
  const variables = { input: { workflowId: workflow.id, ...input } };
  return (await by.ask(cloneText, variables))['cloneWorkflow'] as Answer;
}

const cloneOf = (answer: Answer): TestWorkflow => {
  expect(answer['userErrors']).toEqual([]);
  return new TestWorkflow(core, String(answer['workflow']?.['id']));
};

const codesOf = (answer: Answer): readonly string[] =>
  (answer['userErrors'] as unknown as readonly Answer[]).map(({ code }) => String(code));

async function nodesOf({ id }: TestWorkflow): Promise<unknown> {
  const text =
    'query ($id: ID!) { workflow(id: $id) { nodes { nodes { run job { name priority labels { value } requirements { memoryMiB } payload { command arguments image environment { name value } } } } } } }';
  return (await core.ask(text, { id }))['workflow']?.['nodes']?.['nodes'];
}

describe('cloneWorkflow', () => {
  it('runs the whole graph again from the start, with changes by label', async () => {
    const fit = { label: 'fit', requirements: { memoryMiB: 1000 } };
    const source = await submit(
      'old',
      [
        node('old-c', after('old-b')),
        node('old-b', fit),
        node('old-a', { ...fit, priority: 7 }),
        node('old-end', { isFinal: true }),
      ],
      { priority: 1, labels: [{ key: 'run', value: '1' }] },
    );
    await crew.work(source, 'FAILED', ['old-b']);
    const input = {
      ...{ idempotencyKey: 'new', name: 'new', priority: 3, labels: [{ key: 'run', value: '2' }] },
      nodeLabels: [{ label: 'fit', requirements: { memory: { factor: 2 } } }],
    };
    const cloned = cloneOf(await clone(source, input));
    expect(cloned.id).not.toBe(source.id);
    const before = crew.ran.length;
    await crew.work(cloned, 'SUCCEEDED');
    expect(crew.ran.slice(before).slice(-2)).toEqual(['old-c', 'old-end']);
    expect(await nodesOf(cloned)).toMatchObject([
      { run: 1, job: { name: 'old-c', priority: 3, labels: [{ value: '2' }] } },
      { run: 1, job: { name: 'old-b', priority: 3, requirements: { memoryMiB: 2000 } } },
      { run: 1, job: { name: 'old-a', priority: 7, requirements: { memoryMiB: 2000 } } },
      { run: 1, job: { name: 'old-end', priority: 3 } },
    ]);
    const text =
      'query ($id: ID!) { workflow(id: $id) { name clonedFrom { id } counts { total succeeded } } }';
    expect((await core.ask(text, { id: cloned.id }))['workflow']).toEqual({
      ...{ name: 'new', clonedFrom: { id: source.id } },
      counts: { total: 4, succeeded: 4 },
    });
    expect(await source.state()).toBe('FAILED');
  });

  it('makes one clone for a key, also if both processes are asked at once', async () => {
    const nodes = Array.from({ length: 1001 }, (_, at) => node(`many-${at}`, { label: 'many' }));
    const held = { requirements: { queue: 'north', selector: 'worker.name == "nobody"' } };
    const nodeLabels = [{ label: 'many', ...held }];
    const last = node('last', { ...held, label: 'end' });
    const groupEdges = [{ from: 'many', to: 'end' }];
    const source = await submit('many', [...nodes, last], { nodeLabels, groupEdges });
    const key = { idempotencyKey: 'many' };
    const answers = await Promise.all([clone(source, key), clone(source, key, second)]);
    const [one, other] = answers.map(cloneOf);
    expect(one?.id).toBe(other?.id);
    const again = cloneOf(await clone(source, key));
    expect(again.id).toBe(one?.id);
    const text =
      'query ($id: ID!) { workflow(id: $id) { state counts { total } criticalPathNodes groupEdges { needed isMet } } }';
    expect((await core.ask(text, { id: again.id }))['workflow']).toEqual({
      ...{ state: 'RUNNING', counts: { total: 1002 }, criticalPathNodes: 2 },
      groupEdges: [{ needed: 1001, isMet: null }],
    });
    expect(codesOf(await clone(source, { ...key, priority: 5 }))).toEqual(['IDEMPOTENCY_KEY_REUSED']);
    for (const workflow of [source, again]) await workflow.command('cancelWorkflow', { reason: 'enough' });
  });

  it('refuses a workflow that is not sealed, unknown labels and queues, and what limits forbid', async () => {
    const open = await TestWorkflow.submit(core, 'open', { nodes: [], isSealed: false });
    expect(codesOf(await clone(open, { idempotencyKey: 'open' }))).toEqual(['WORKFLOW_STATE_CONFLICT']);
    const source = await submit('odd', [node('odd-a', { label: 'odd' })]);
    const changed = (label: string, requirements: object): Promise<Answer> =>
      clone(source, { idempotencyKey: 'odd', nodeLabels: [{ label, requirements }] });
    expect(await changed('even', {})).toMatchObject({
      userErrors: [{ code: 'LABEL_NOT_FOUND', path: ['nodeLabels', '0', 'label'] }],
    });
    expect(await changed('odd', { queue: 'nowhere' })).toMatchObject({
      userErrors: [{ code: 'QUEUE_NOT_FOUND', path: ['nodeLabels', '0', 'requirements', 'queue'] }],
    });
    await core.ask(
      'mutation { createQueue(input: { name: "small", site: "Pole", limits: { maxCores: 2 } }) { userErrors { message } } }',
    );
    expect(await changed('odd', { queue: 'small', cores: 3 })).toMatchObject({
      userErrors: [{ code: 'QUEUE_LIMIT_EXCEEDED', message: expect.stringContaining('Node "odd-a"') }],
    });
  });

  it('refuses nodes, also of templates, that add outputs to a dataset which is closed', async () => {
    const change = (field: string, input: object): Promise<Answer> =>
      core
        .ask(
          `mutation ($i: ${field[0]?.toUpperCase()}${field.slice(1)}Input!) { ${field}(input: $i) { dataset { id } userErrors { message } } }`,
          { i: input },
        )
        .then((answer) => answer[field] as Answer);
    const writing = async (name: string): Promise<{ readonly id: string; readonly node: object }> => {
      const { dataset } = await change('createDataset', { experiment: 'alpha', name: `clone.${name}` });
      const id = String(dataset?.['id']);
      const outputs = { outputs: ['o'], outputDatasets: [{ output: 'o', datasetId: id }] };
      const requirements = { queue: 'north', selector: 'worker.name == "nobody"' };
      return { id, node: node(name, { requirements, payload: { command: 'true', ...outputs } }) };
    };
    const [own, inner] = [await writing('own'), await writing('inner')];
    const template = { name: 'unit', nodes: [inner.node] };
    const unit = { name: 'unit', subgraph: { template: 'unit' } };
    const source = await submit('writing', [own.node, unit], { templates: [template] });
    const open = cloneOf(await clone(source, { idempotencyKey: 'writing open' }));
    for (const workflow of [source, open]) await workflow.command('cancelWorkflow', { reason: 'enough' });
    const close = async (id: string): Promise<boolean> =>
      (await change('closeDataset', { datasetId: id }))['dataset'] !== null;
    for (const { id } of [own, inner]) await waitFor('a closed dataset', () => close(id), minute);
    const refused = await clone(source, { idempotencyKey: 'writing closed' });
    const errors = ['own', 'inner'].map((name) => ({
      ...{ code: 'INVALID_VALUE', path: ['workflowId'] },
      message: expect.stringMatching(
        new RegExp(`^Node "${name}" adds outputs to dataset .* not open any more`),
      ),
    }));
    expect(refused).toMatchObject({ workflow: null, userErrors: errors });
  });

  it('belongs to an owner who clones what a service submitted for her, without her consent for it', async () => {
    const source = await submit('served', [node('served-a')]);
    await crew.work(source, 'SUCCEEDED');
    const stored = db.collection<WorkflowDocument>(workflowsCollection.name);
    await stored.updateOne({ _id: source.id }, { $set: { submittedBy: 'experiment:alpha' } });
    const cloned = cloneOf(await clone(source, { idempotencyKey: 'served' }));
    expect(await stored.findOne({ _id: cloned.id })).not.toHaveProperty('submittedBy');
    await crew.work(cloned, 'SUCCEEDED');
  });

  it('counts the live jobs of all identities of the owner, as a submit does', async () => {
    const limited = await startCore({ db, config: { quotas: { liveJobsPerOwner: 2 } } });
    const as = (subject: string, linked: readonly string[] = []): TestCore => {
      const caller = createPrincipal({ ...testPrincipal({ subject, grants: { alpha: 'USER' } }), linked });
      return { ...limited, ask: (text, variables) => limited.ask(text, variables, caller) };
    };
    const source = await TestWorkflow.submit(as('lynx'), 'lynx', { nodes: [node('lynx-a')] });
    await TestWorkflow.submit(as('cat'), 'cat', { nodes: [node('cat-a'), node('cat-b')] });
    const key = { idempotencyKey: 'lynx' };
    await expect(clone(source, key, as('cat', ['lynx']))).rejects.toThrow('LIMIT_EXCEEDED');
    const cloned = cloneOf(await clone(source, key, as('lynx')));
    for (const one of [source, cloned]) await one.command('cancelWorkflow', { reason: 'enough' });
  });

  it('refuses those who may not run jobs of the owner', async () => {
    const source = await submit('hers', [node('hers-a')]);
    const variables = { input: { workflowId: source.id, idempotencyKey: 'theirs' } };
    const bob = testPrincipal({ subject: 'bob', grants: { alpha: 'USER' } });
    const answer = (await core.ask(cloneText, variables, bob))['cloneWorkflow'] as Answer;
    expect(codesOf(answer)).toEqual(['FORBIDDEN']);
  });
});

describe('retryWorkflow', () => {
  it('runs failed nodes with another program, and those behind them as they were', async () => {
    const payload = {
      ...{ command: 'old', arguments: ['1'] },
      environment: ['A', 'B'].map((name) => ({ name, value: 'old' })),
    };
    const workflow = await submit('program', [
      node('program-a', { payload }),
      node('program-b', { ...after('program-a'), payload }),
    ]);
    await crew.work(workflow, 'FAILED', ['program-a']);
    const bad = { payload: { environment: [{ name: 'RHIZOME_X', value: 'x' }] } };
    expect(codesOf(await workflow.command('retryWorkflow', bad))).toEqual(['INVALID_VALUE']);
    const changes = {
      ...{ command: 'new', arguments: ['2', '3'] },
      environment: [
        { name: 'A', value: null },
        { name: 'B', value: 'new' },
        { name: 'C', value: 'new' },
      ],
    };
    expect(codesOf(await workflow.command('retryWorkflow', { payload: changes }))).toEqual([]);
    await crew.work(workflow, 'SUCCEEDED');
    const environment = ['B', 'C'].map((name) => ({ name, value: 'new' }));
    expect(await nodesOf(workflow)).toMatchObject([
      { run: 2, job: { payload: { command: 'new', arguments: ['2', '3'], image: null, environment } } },
      { run: 1, job: { payload } },
    ]);
  });
});
