/** Nodes that payloads add to their workflows, by two processes of core. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { type Answer, lastingLeases, seed, startCore, type TestCore } from '../support/core.fixture.js';
import { holder } from '../support/job-fleets.fixture.js';
import { attemptOf } from '../support/units.fixture.js';
import { type StartedJob, WorkerCalls } from '../support/worker-calls.fixture.js';
import { after, minute, node, TestWorkflow } from '../support/workflows.fixture.js';

let core: TestCore;
let second: TestCore;
let worker: WorkerCalls;

beforeAll(async () => {
  const first = await startCore();
  core = first;
  await seed(core, lastingLeases);
  second = await startCore({ db: first.db });
  worker = await WorkerCalls.register([core], 'grower', holder, { isolation: ['NAMESPACES'] });
});

const growing = (name: string, change: object = {}): object => ({
  ...node(name, { payload: { command: 'true', isTokenRequired: true }, ...change }),
  maxAddedNodes: 10,
});

const submit = (name: string, nodes: readonly object[], rest: object = {}): Promise<TestWorkflow> =>
  TestWorkflow.submit(second, name, { nodes, ...rest });

/** Jobs that run. */
const running: StartedJob[] = [];

/** Starts the job of a node once it is ready. */
async function started(name: string): Promise<StartedJob> {
  const at = (): number => running.findIndex((job) => job.name === name);
  await waitFor(
    `job of ${name}`,
    async () => {
      running.push(...(await worker.start(100)));
      return at() >= 0;
    },
    minute,
  );
  const [found] = running.splice(at(), 1);
  return found as StartedJob;
}

async function add(
  { id, fence }: StartedJob,
  key: string,
  nodes: readonly object[],
  by = core,
): Promise<Answer> {
  const text =
    'mutation ($i: AddWorkflowNodesInput!) { addWorkflowNodes(input: $i) { nodeCount userErrors { code path message } } }';
  const variables = { i: { idempotencyKey: key, nodes } };
  return (await by.ask(text, variables, attemptOf(id, fence)))['addWorkflowNodes'] as Answer;
}

const codesOf = (answer: Answer): readonly string[] =>
  (answer['userErrors'] as unknown as readonly Answer[]).map(({ code }) => String(code));

async function work(workflow: TestWorkflow, state: string, fails: readonly string[] = []): Promise<string[]> {
  const ran: string[] = [];
  await waitFor(
    `state ${state} of ${workflow.id}`,
    async () => {
      const jobs = [...running.splice(0), ...(await worker.start(100))];
      ran.push(...jobs.map(({ name }) => name));
      await worker.finish(jobs.filter(({ name }) => !fails.includes(name)));
      await worker.fail(jobs.filter(({ name }) => fails.includes(name)));
      return (await workflow.state()) === state;
    },
    minute,
  );
  return ran;
}

describe('addWorkflowNodes', () => {
  it('adds nodes when the attempt succeeds, before the nodes that wait for all of their label', async () => {
    const workflow = await submit(
      'grow',
      [
        growing('grow', {
          label: 'fit',
          payload: { command: 'true', outputs: ['list'], isTokenRequired: true },
        }),
        node('merge', { label: 'merge' }),
        node('grow-end', { isFinal: true }),
      ],
      { groupEdges: [{ from: 'fit', to: 'merge' }] },
    );
    const job = await started('grow');
    const nodes = [
      node('a', { label: 'fit', inputs: [{ node: 'grow', output: 'list' }] }),
      node('b', { label: 'fit', ...after('a') }),
    ];
    expect(await add(job, 'k', nodes)).toEqual({ nodeCount: 2, userErrors: [] });
    expect(await add(job, 'k', nodes, second)).toEqual({ nodeCount: 2, userErrors: [] });
    expect(codesOf(await add(job, 'k', [node('c')]))).toEqual(['IDEMPOTENCY_KEY_REUSED']);
    expect(await add(job, 'other', [node('c', { dependsOn: [{ node: 'grow' }] })], second)).toMatchObject({
      nodeCount: 1,
    });
    expect(await workflow.nodes()).toEqual({ grow: 'SUBMITTED', merge: 'WAITING', 'grow-end': 'WAITING' });
    await worker.finish(
      [job],
      [{ name: 'list', location: 'grow/list', sizeBytes: 1, sha256: 'ab'.repeat(32) }],
    );
    const ran = await work(workflow, 'SUCCEEDED');
    expect(ran.slice(-2)).toEqual(['merge', 'grow-end']);
    expect([...ran].sort()).toEqual(['grow-end', 'grow/a', 'grow/b', 'grow/c', 'merge']);
    expect(ran.indexOf('grow/a')).toBeLessThan(ran.indexOf('grow/b'));
    const text =
      'query ($id: ID!) { workflow(id: $id) { counts { total } criticalPathNodes labelLayers { label depth dependents } nodes { nodes { name depth addedBy { name } dependents { nodes { node { name } } } } } } }';
    const { workflow: shown } = await core.ask(text, { id: workflow.id });
    expect(shown).toMatchObject({ counts: { total: 6 }, criticalPathNodes: 3 });
    expect(shown?.['labelLayers']).toEqual([
      { label: 'fit', depth: 0, dependents: [3, 4] },
      { label: null, depth: 1, dependents: [4] },
      { label: 'fit', depth: 1, dependents: [3, 4, 5] },
      { label: 'merge', depth: 1, dependents: [4] },
      { label: null, depth: 2, dependents: [] },
      { label: 'fit', depth: 2, dependents: [3, 4] },
    ]);
    const found = shown?.['nodes']?.['nodes'] as unknown as readonly Answer[];
    expect(found.find(({ name }) => String(name) === 'grow/a')).toEqual({
      ...{ name: 'grow/a', depth: 1, addedBy: { name: 'grow' } },
      dependents: { nodes: [{ node: { name: 'grow/b' } }] },
    });
  });

  it('counts what the attempt added that succeeded, and forgets what others added', async () => {
    const workflow = await submit('twice', [
      growing('twice', { retry: { maxAttempts: 2, backoffSeconds: 0 } }),
    ]);
    const first = await started('twice');
    expect(await add(first, 'k', [node('old')])).toMatchObject({ nodeCount: 1 });
    await worker.fail([first], true);
    const next = await started('twice');
    expect(codesOf(await add(first, 'late', [node('late')]))).toEqual(['FENCE_STALE']);
    expect(await add({ ...next }, 'k', [node('new')])).toMatchObject({ nodeCount: 1 });
    await worker.finish([next]);
    await work(workflow, 'SUCCEEDED');
    expect(Object.keys(await workflow.nodes())).toEqual(['twice', 'twice/new']);
  });

  it('refuses a name that another call of the attempt adds, also of one that comes at the same time', async () => {
    const workflow = await submit('names', [growing('names')]);
    const job = await started('names');
    expect(await add(job, 'k', [node('a')])).toMatchObject({ nodeCount: 1 });
    for (const nodes of [[node('a')], [node('b'), node('a')]]) {
      const { userErrors } = await add(job, 'other', nodes, second);
      expect(userErrors).toMatchObject([
        { code: 'NODE_NAME_TAKEN', message: expect.stringContaining('"names/a"') },
      ]);
    }
    const twice = await Promise.all([
      add(job, 'one', [node('c'), node('d')]),
      add(job, 'two', [node('c')], second),
    ]);
    expect(twice.map(codesOf).sort()).toEqual([[], ['NODE_NAME_TAKEN']]);
    await worker.finish([job]);
    await work(workflow, 'SUCCEEDED');
    expect(Object.keys(await workflow.nodes()).slice(0, 3)).toEqual(['names', 'names/a', 'names/c']);
  });

  it('adds nothing if the node fails, and the workflow goes on without', async () => {
    const workflow = await submit('lost', [growing('lost'), node('lost-end', { isFinal: true })]);
    const job = await started('lost');
    await add(job, 'k', [node('a')]);
    await worker.fail([job]);
    await work(workflow, 'FAILED');
    expect(await workflow.nodes()).toEqual({ lost: 'FAILED', 'lost-end': 'SUCCEEDED' });
    expect(codesOf(await workflow.command('retryWorkflow'))).toEqual([]);
    const again = await started('lost');
    await add(again, 'k', [node('b')]);
    await worker.finish([again]);
    await work(workflow, 'SUCCEEDED');
    expect(Object.keys(await workflow.nodes())).toEqual(['lost', 'lost-end', 'lost/b']);
  });

  it('retries added nodes, but no node that has added some; a clone has only submitted ones', async () => {
    const workflow = await submit('redo', [growing('redo')]);
    const job = await started('redo');
    await add(job, 'k', [node('a', { label: 'only-added' }), node('b', after('a'))]);
    await worker.finish([job]);
    await work(workflow, 'FAILED', ['redo/a']);
    expect(await workflow.nodes()).toEqual({ redo: 'SUCCEEDED', 'redo/a': 'FAILED', 'redo/b': 'SKIPPED' });
    const refused = await workflow.command('retryWorkflow', { nodes: ['redo'] });
    expect(refused['userErrors']).toMatchObject([
      { code: 'NODE_STATE_CONFLICT', message: expect.stringContaining('"redo" has added nodes') },
    ]);
    expect(codesOf(await workflow.command('retryWorkflow'))).toEqual([]);
    await work(workflow, 'SUCCEEDED');
    const ofAdded = {
      workflowId: workflow.id,
      idempotencyKey: 'added',
      nodeLabels: [{ label: 'only-added' }],
    };
    const unknown = await core.ask(
      'mutation ($i: CloneWorkflowInput!) { cloneWorkflow(input: $i) { userErrors { code } } }',
      { i: ofAdded },
    );
    expect(codesOf(unknown['cloneWorkflow'] as Answer)).toEqual(['LABEL_NOT_FOUND']);
    const { cloneWorkflow } = await core.ask(
      'mutation ($i: CloneWorkflowInput!) { cloneWorkflow(input: $i) { workflow { id counts { total } } userErrors { message } } }',
      { i: { workflowId: workflow.id, idempotencyKey: 'redo' } },
    );
    expect(cloneWorkflow).toMatchObject({ workflow: { counts: { total: 1 } }, userErrors: [] });
    const clone = new TestWorkflow(core, String(cloneWorkflow?.['workflow']?.['id']));
    await work(clone, 'SUCCEEDED');
    expect(Object.keys(await clone.nodes())).toEqual(['redo']);
  });

  it('refuses nodes by name that cannot be added, and callers other than attempts of nodes', async () => {
    const workflow = await submit(
      'odd',
      [
        growing('odd'),
        node('odd/taken'),
        node('one', { label: 'one', ...after('odd') }),
        node('two', { label: 'two' }),
        node('plain', { payload: { command: 'true', isTokenRequired: true } }),
      ],
      { groupEdges: [{ from: 'one', to: 'two' }] },
    );
    const job = await started('odd');
    const cases: readonly (readonly [object, string, string])[] = [
      [node('a/b'), 'INVALID_VALUE', 'name with "/"'],
      [node('taken'), 'NODE_NAME_TAKEN', '"odd/taken"'],
      [node('a', { isFinal: true }), 'INVALID_VALUE', 'is final'],
      [node('a', { label: 'two' }), 'INVALID_VALUE', 'an open edge leads from "one"'],
      [node('a', after('plain')), 'NODE_NOT_FOUND', '"plain"'],
      [node('a', after('a')), 'CYCLE', 'odd/a'],
      [
        node('a', { dependsOn: [{ node: 'odd', condition: 'FAILED' }] }),
        'NODE_UNREACHABLE',
        'a failure of "odd"',
      ],
      [node('a', { inputs: [{ node: 'odd', output: 'x' }] }), 'FILE_NOT_DECLARED', '"x"'],
      [
        node('a', { payload: { command: 'true', secrets: [{ name: 'x' }] } }),
        'INVALID_VALUE',
        'added nodes receive none',
      ],
    ];
    for (const [given, code, text] of cases)
      expect(await add(job, 'k', [given])).toMatchObject({
        nodeCount: null,
        userErrors: [{ code, message: expect.stringContaining(text) }],
      });
    const many = Array.from({ length: 11 }, (_, at) => node(`n${at}`));
    expect(codesOf(await add(job, 'k', many))).toEqual(['NODE_LIMIT_EXCEEDED']);
    const plain = { ...(await started('plain')) };
    expect(codesOf(await add(plain, 'k', [node('a')]))).toEqual(['NODE_LIMIT_EXCEEDED']);
    const text = 'mutation ($i: AddWorkflowNodesInput!) { addWorkflowNodes(input: $i) { nodeCount } }';
    const variables = { i: { idempotencyKey: 'k', nodes: [node('a')] } };
    const caller = testPrincipal({ subject: 'ada', grants: { alpha: 'USER' } });
    await expect(core.ask(text, variables, caller)).rejects.toThrow('FORBIDDEN');
    await workflow.command('cancelWorkflow', { reason: 'enough' });
  });
});

describe('a workflow with sub-graphs', () => {
  it('runs their iterations in its processes, shows them, and is cloned with its templates', async () => {
    // Jobs of the workflow before, which was cancelled.
    running.splice(0);
    const until = 'result.state == "SUCCEEDED"';
    const subgraph = { template: 'round', maxIterations: 3, until, resultNode: 'check' };
    const templates = [{ name: 'round', nodes: [node('work'), node('check', after('work'))] }];
    const workflow = await submit(
      'rounds',
      [{ name: 'rounds', subgraph }, node('rounds-end', after('rounds'))],
      { templates },
    );
    await work(workflow, 'SUCCEEDED', ['rounds/1/check']);
    const states = {
      ...{ rounds: 'SUCCEEDED', 'rounds-end': 'SUCCEEDED', 'rounds/1/work': 'SUCCEEDED' },
      ...{ 'rounds/1/check': 'FAILED', 'rounds/2/work': 'SUCCEEDED', 'rounds/2/check': 'SUCCEEDED' },
    };
    expect(await workflow.nodes()).toEqual(states);
    const text =
      'query ($id: ID!, $filter: WorkflowNodeFilter) { workflow(id: $id) { nodes(filter: $filter) { nodes { name iteration addedBy { name } jobId subgraph { template nodeCount maxIterations iteration iterations { number namePrefix counts { succeeded failed } } } } } } }';
    const shown = async (filter: object): Promise<unknown> =>
      (await core.ask(text, { id: workflow.id, filter }))['workflow']?.['nodes']?.['nodes'];
    const counts = (succeeded: number, failed: number): object => ({ succeeded, failed });
    expect(await shown({ names: ['rounds'] })).toEqual([
      {
        ...{ name: 'rounds', iteration: null, addedBy: null, jobId: null },
        subgraph: {
          ...{ template: 'round', nodeCount: 2, maxIterations: 3, iteration: 2 },
          iterations: [
            { number: 1, namePrefix: 'rounds/1/', counts: counts(1, 1) },
            { number: 2, namePrefix: 'rounds/2/', counts: counts(2, 0) },
          ],
        },
      },
    ]);
    expect(await shown({ namePrefix: 'rounds/2/', states: ['SUCCEEDED'] })).toMatchObject(
      ['work', 'check'].map((name) => ({
        ...{ name: `rounds/2/${name}`, iteration: 2, addedBy: { name: 'rounds' }, subgraph: null },
        jobId: expect.stringContaining('job_'),
      })),
    );
    const { cloneWorkflow } = await second.ask(
      'mutation ($i: CloneWorkflowInput!) { cloneWorkflow(input: $i) { workflow { id counts { total } } userErrors { message } } }',
      { i: { workflowId: workflow.id, idempotencyKey: 'rounds' } },
    );
    expect(cloneWorkflow).toMatchObject({ workflow: { counts: { total: 2 } }, userErrors: [] });
    const clone = new TestWorkflow(core, String(cloneWorkflow?.['workflow']?.['id']));
    await work(clone, 'SUCCEEDED', ['rounds/1/check']);
    expect(await clone.nodes()).toEqual(states);
  });
});
