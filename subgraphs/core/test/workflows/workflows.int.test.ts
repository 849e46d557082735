/** Workflows of two processes of core. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type Answer, lastingLeases, seed, startCore, type TestCore } from '../support/core.fixture.js';
import { after, Crew, minute, node, submitWorkflow, TestWorkflow } from '../support/workflows.fixture.js';

let core: TestCore;
let second: TestCore;
let crew: Crew;

beforeAll(async () => {
  const first = await startCore();
  core = first;
  await seed(core, lastingLeases);
  second = await startCore({ db: first.db });
  crew = await Crew.join([core, second], 'crew');
});

const submit = (name: string, nodes: readonly object[], rest: object = {}): Promise<TestWorkflow> =>
  TestWorkflow.submit(second, name, { nodes, ...rest });

describe('submitWorkflow', () => {
  it('runs nodes in the order of their edges, and final nodes at the end', async () => {
    const workflow = await submit('order', [
      node('order-c', after('order-a', 'order-b')),
      node('order-b', after('order-a')),
      node('order-a'),
      node('order-end', { isFinal: true }),
    ]);
    await crew.work(workflow, 'SUCCEEDED');
    expect(crew.ran.filter((name) => name.startsWith('order-'))).toEqual([
      ...['order-a', 'order-b', 'order-c', 'order-end'],
    ]);
  });

  it('gives the same workflow for the same key, and an error for other content', async () => {
    const nodes = [node('again-a')];
    const first = await submitWorkflow(core, 'again', { nodes });
    const repeated = await submitWorkflow(second, 'again', { nodes });
    expect(repeated['workflow']?.['id']).toBe(first['workflow']?.['id']);
    const other = await submitWorkflow(core, 'again', { nodes: [node('other')] });
    expect(other['userErrors']?.[0]?.['code']).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  it('stores nothing of a workflow with an error, which names the node', async () => {
    const answer = await submitWorkflow(core, 'bad', {
      nodes: [node('bad-a', after('nobody')), node('bad-b')],
    });
    expect(answer).toMatchObject({
      workflow: null,
      userErrors: [{ code: 'NODE_NOT_FOUND', path: ['nodes', '0', 'dependsOn', '0', 'node'] }],
    });
    expect(answer['userErrors']?.[0]?.['message']).toContain('Node "bad-a"');
    const { workflows } = await core.ask('{ workflows(filter: { names: ["bad"] }) { nodes { id } } }');
    expect(workflows?.['nodes']).toEqual([]);
  });

  it('refuses what the limits of a queue forbid, and warns of what no worker offers', async () => {
    await core.ask(
      'mutation { createQueue(input: { name: "small", site: "Pole", limits: { maxCores: 2 } }) { userErrors { message } } }',
    );
    const tooBig = { requirements: { queue: 'small', cores: 3 } };
    const refused = await submitWorkflow(core, 'limit', { nodes: [node('limit-a', tooBig)] });
    expect(refused['userErrors']?.[0]).toMatchObject({ code: 'QUEUE_LIMIT_EXCEEDED' });
    expect(refused['userErrors']?.[0]?.['message']).toContain('Node "limit-a" requires cores 3');
    const huge = { requirements: { memoryMiB: 16_000_000 } };
    const warned = await submitWorkflow(core, 'warned', { nodes: [node('warned-a', huge)] });
    expect(warned['userErrors']).toEqual([]);
    expect(warned['warnings']).toHaveLength(1);
  });

  it('shows the node of a job, and the job of a node', async () => {
    const workflow = await submit('shown', [node('shown-a'), node('shown-b', after('shown-a'))]);
    await crew.work(workflow, 'SUCCEEDED');
    const { workflow: shown } = await core.ask(
      `query ($id: ID!) { workflow(id: $id) {
        counts { total succeeded } layers { depth counts { succeeded } } criticalPathNodes endedFraction
        nodes(filter: { names: ["shown-a"] }) { nodes {
          job { state workflowNode { name workflow { id } } }
          dependents { totalCount nodes { condition node { name } } }
        } }
      } }`,
      { id: workflow.id },
    );
    expect(shown).toEqual({
      counts: { total: 2, succeeded: 2 },
      layers: [0, 1].map((depth) => ({ depth, counts: { succeeded: 1 } })),
      criticalPathNodes: 2,
      endedFraction: 1,
      nodes: {
        nodes: [
          {
            job: { state: 'FINISHED', workflowNode: { name: 'shown-a', workflow: { id: workflow.id } } },
            dependents: { totalCount: 1, nodes: [{ condition: 'SUCCEEDED', node: { name: 'shown-b' } }] },
          },
        ],
      },
    });
  });
});

describe('labelLayers', () => {
  it('counts nodes by label and depth, and names the sets that edges lead to', async () => {
    const workflow = await submit(
      'sets',
      [
        node('sets-a1', { label: 'a' }),
        node('sets-a2', { label: 'a' }),
        node('sets-a3', { label: 'a', ...after('sets-a1') }),
        node('sets-b', { label: 'b' }),
        node('sets-none', after('sets-a3')),
        node('sets-end', { isFinal: true }),
      ],
      { groupEdges: [{ from: 'a', to: 'b' }] },
    );
    await crew.work(workflow, 'SUCCEEDED');
    const { workflow: shown } = await core.ask(
      `query ($id: ID!) { workflow(id: $id) {
        labelLayers { label isFinal depth counts { total succeeded } dependents }
        nodes(filter: { labels: ["a", ""], minDepth: 1, maxDepth: 2 }) { nodes { name } }
      } }`,
      { id: workflow.id },
    );
    const set = (label: string | null, depth: number, total: number, dependents: readonly number[]) => ({
      ...{ label, isFinal: depth === 3, depth, counts: { total, succeeded: total }, dependents },
    });
    // Final nodes come after all others.
    expect(shown).toEqual({
      labelLayers: [
        set('a', 0, 2, [1, 3, 4]),
        set('a', 1, 1, [2, 3, 4]),
        set(null, 2, 1, [4]),
        set('b', 2, 1, [4]),
        set(null, 3, 1, []),
      ],
      nodes: { nodes: [{ name: 'sets-a3' }, { name: 'sets-none' }] },
    });
  });

  it('refuses a beginning of names that is longer than a name', async () => {
    const workflow = await submit('prefix', [node('prefix-a')]);
    const answer = core.ask(
      'query ($id: ID!, $prefix: String!) { workflow(id: $id) { nodes(filter: { namePrefix: $prefix }) { totalCount } } }',
      { id: workflow.id, prefix: 'a'.repeat(201) },
    );
    await expect(answer).rejects.toThrow('filter.namePrefix: 201');
  });

  it('refuses a negative depth', async () => {
    const workflow = await submit('depth', [node('depth-a')]);
    const answer = core.ask(
      'query ($id: ID!) { workflow(id: $id) { nodes(filter: { minDepth: -1 }) { totalCount } } }',
      { id: workflow.id },
    );
    await expect(answer).rejects.toThrow('filter.minDepth: -1');
  });
});

describe('failures', () => {
  it('skips what can no longer run, with the reason, and retries it', async () => {
    const workflow = await submit('fail', [
      node('fail-a'),
      node('fail-b', after('fail-a')),
      node('fail-c', after('fail-b')),
      node('fail-other'),
      node('fail-any', { ...after('fail-a', 'fail-other'), needed: 1 }),
      node('fail-handler', { dependsOn: [{ node: 'fail-a', condition: 'FAILED' }] }),
      node('fail-end', { isFinal: true }),
    ]);
    await crew.work(workflow, 'FAILED', ['fail-a']);
    expect(await workflow.nodes()).toEqual({
      'fail-a': 'FAILED',
      'fail-b': 'SKIPPED',
      'fail-c': 'SKIPPED',
      'fail-other': 'SUCCEEDED',
      'fail-any': 'SUCCEEDED',
      'fail-handler': 'SUCCEEDED',
      'fail-end': 'SUCCEEDED',
    });
    const { workflow: shown } = await core.ask(
      'query ($id: ID!) { workflow(id: $id) { nodes(filter: { states: [SKIPPED] }) { nodes { reason } } } }',
      { id: workflow.id },
    );
    expect(shown?.['nodes']?.['nodes']).toEqual([
      { reason: 'Node "fail-a", on which it depends, ended as FAILED' },
      { reason: 'Node "fail-b", on which it depends, ended as SKIPPED' },
    ]);
    const before = crew.ran.length;
    expect(await workflow.command('retryWorkflow')).toMatchObject({ workflow: { state: 'RUNNING' } });
    await crew.work(workflow, 'SUCCEEDED');
    expect(crew.ran.slice(before)).toEqual(['fail-a', 'fail-b', 'fail-c', 'fail-end']);
  });

  it('counts nodes with a label as one edge', async () => {
    const labelled = (label: string, count: number): object[] =>
      Array.from({ length: count }, (_, at) => node(`group-${label}${at}`, { label }));
    const workflow = await TestWorkflow.submit(second, 'group', {
      nodes: [...labelled('a', 30), ...labelled('b', 30), node('group-handler', { label: 'late' })],
      groupEdges: [
        { from: 'a', to: 'b', needed: 29 },
        { from: 'b', to: 'late', condition: 'FAILED' },
      ],
    });
    await crew.work(workflow, 'FAILED', ['group-a3']);
    const states = Object.values(await workflow.nodes());
    expect(states.filter((state) => state === 'SUCCEEDED')).toHaveLength(59);
    expect((await workflow.nodes())['group-handler']).toBe('SKIPPED');
  });

  it('pauses at the limit of failures of a label, and goes on when it is resumed', async () => {
    const nodes = ['x', 'y', 'z'].map((at) => node(`limit-${at}`, { label: 'work' }));
    const workflow = await TestWorkflow.submit(second, 'failure-limit', {
      nodes,
      nodeLabels: [{ label: 'work', failureLimit: 1, maxSubmitted: 1 }],
    });
    await crew.work(workflow, 'PAUSED', ['limit-x']);
    expect((await workflow.nodes())['limit-y']).toBe('WAITING');
    expect(await workflow.command('resumeWorkflow')).toMatchObject({ workflow: { state: 'RUNNING' } });
    await crew.work(workflow, 'FAILED');
  });
});

describe('commands', () => {
  it('cancels the jobs of a workflow, and runs its final node', async () => {
    const workflow = await submit('cancel', [
      node('cancel-a', { requirements: { selector: 'worker.name == "nobody"' } }),
      node('cancel-b', after('cancel-a')),
      node('cancel-end', { isFinal: true }),
    ]);
    await waitFor('a job', async () => (await workflow.nodes())['cancel-a'] === 'SUBMITTED', minute);
    const cancelled = await workflow.command('cancelWorkflow', { reason: 'enough' });
    expect(cancelled).toMatchObject({ workflow: { state: 'CANCELLING' }, userErrors: [] });
    await crew.work(workflow, 'CANCELLED');
    expect(await workflow.nodes()).toEqual({
      'cancel-a': 'CANCELLED',
      'cancel-b': 'CANCELLED',
      'cancel-end': 'SUCCEEDED',
    });
  });

  it('cancels nodes, and skips what depends on them', async () => {
    const workflow = await submit('branch', [
      node('branch-a'),
      node('branch-b', after('branch-a')),
      node('branch-c', after('branch-b')),
      node('branch-d', after('branch-a')),
    ]);
    await workflow.command('cancelWorkflow', { nodes: ['branch-b'] });
    await crew.work(workflow, 'FAILED');
    expect(await workflow.nodes()).toEqual({
      'branch-a': 'SUCCEEDED',
      'branch-b': 'CANCELLED',
      'branch-c': 'SKIPPED',
      'branch-d': 'SUCCEEDED',
    });
  });

  it('takes a failed node as done, and runs a node again with everything behind it', async () => {
    const workflow = await submit('mark', [node('mark-a'), node('mark-b', after('mark-a'))]);
    await crew.work(workflow, 'FAILED', ['mark-a']);
    const input = { nodes: ['mark-a'], state: 'SUCCEEDED', reason: 'checked by hand' };
    expect(await workflow.command('markWorkflowNodes', input)).toMatchObject({ userErrors: [] });
    await crew.work(workflow, 'SUCCEEDED');
    const before = crew.ran.length;
    await workflow.command('retryWorkflow', { nodes: ['mark-a'] });
    await crew.work(workflow, 'SUCCEEDED');
    expect(crew.ran.slice(before)).toEqual(['mark-a', 'mark-b']);
  });

  it('retries once for each key, and says which node was cancelled', async () => {
    const workflow = await submit('key', [node('key-a'), node('key-b', after('key-a'))]);
    await crew.work(workflow, 'FAILED', ['key-a']);
    const retry = async (input: object): Promise<Answer> => {
      const text =
        'mutation ($input: RetryWorkflowInput!) { retryWorkflow(input: $input) { workflow { state } userErrors { code } } }';
      const variables = { input: { workflowId: workflow.id, ...input } };
      return (await second.ask(text, variables))['retryWorkflow'] as Answer;
    };
    expect(await retry({ idempotencyKey: 'k' })).toMatchObject({ workflow: { state: 'RUNNING' } });
    await waitFor('a job', async () => (await workflow.nodes())['key-a'] === 'SUBMITTED', minute);
    await workflow.command('cancelWorkflow', { nodes: ['key-a'], reason: 'enough' });
    await crew.work(workflow, 'FAILED');
    expect(await retry({ idempotencyKey: 'k' })).toMatchObject({ workflow: { state: 'FAILED' } });
    const other = { idempotencyKey: 'k', nodes: ['key-b'] };
    expect(await retry(other)).toMatchObject({ userErrors: [{ code: 'IDEMPOTENCY_KEY_REUSED' }] });
    const { workflow: found } = await core.ask(
      `query ($id: ID!) { workflow(id: $id) { nodes(filter: { names: ["key-a"] }) { nodes {
        run job { transitions { to reason } }
      } } } }`,
      { id: workflow.id },
    );
    expect(found?.['nodes']?.['nodes']).toMatchObject([
      {
        run: 2,
        job: {
          transitions: [{ to: 'CANCELLED', reason: 'Node "key-a" of workflow "key" was cancelled: enough' }],
        },
      },
    ]);
  });

  it('runs failed nodes again with other requirements, and those behind them as they were', async () => {
    const small = { requirements: { memoryMiB: 1000, cores: 2 } };
    const large = { requirements: { memoryMiB: 2000, cores: 2 } };
    const workflow = await submit('more', [
      node('more-a', small),
      node('more-b', large),
      node('more-c', { ...after('more-a'), ...small }),
    ]);
    await crew.work(workflow, 'FAILED', ['more-a', 'more-b']);
    const refusals = [
      [{ requirements: { cores: 0 } }, 'INVALID_VALUE'],
      [{ requirements: { queue: 'nowhere' } }, 'QUEUE_NOT_FOUND'],
    ] as const;
    for (const [input, code] of refusals)
      expect(await workflow.command('retryWorkflow', input)).toMatchObject({ userErrors: [{ code }] });
    const input = { requirements: { memory: { factor: 2 } } };
    expect(await workflow.command('retryWorkflow', input)).toMatchObject({ userErrors: [] });
    await crew.work(workflow, 'SUCCEEDED');
    const { workflow: found } = await core.ask(
      'query ($id: ID!) { workflow(id: $id) { nodes { nodes { run job { requirements { memoryMiB cores } } } } } }',
      { id: workflow.id },
    );
    expect(found?.['nodes']?.['nodes']).toEqual([
      { run: 2, job: { requirements: { memoryMiB: 2000, cores: 2 } } },
      { run: 2, job: { requirements: { memoryMiB: 4000, cores: 2 } } },
      { run: 1, job: { requirements: { memoryMiB: 1000, cores: 2 } } },
    ]);
  });

  it('refuses to run nodes again while a final node runs', async () => {
    const workflow = await submit('busy', [
      node('busy-a'),
      node('busy-end', { isFinal: true, requirements: { selector: 'worker.name == "nobody"' } }),
    ]);
    await waitFor(
      'the final node',
      async () => {
        await crew.turn(['busy-a']);
        return (await workflow.nodes())['busy-end'] === 'SUBMITTED';
      },
      minute,
    );
    const conflict = { workflow: null, userErrors: [{ code: 'NODE_STATE_CONFLICT' }] };
    expect(await workflow.command('retryWorkflow')).toMatchObject(conflict);
    const mark = { nodes: ['busy-a'], state: 'SUCCEEDED', reason: 'checked by hand' };
    expect(await workflow.command('markWorkflowNodes', mark)).toMatchObject(conflict);
    await workflow.command('cancelWorkflow', { isFinalIncluded: true });
    await crew.work(workflow, 'CANCELLED');
  });

  it('names what a command cannot do', async () => {
    const workflow = await submit('refused', [node('refused-a')]);
    await crew.work(workflow, 'SUCCEEDED');
    expect((await workflow.command('pauseWorkflow'))['userErrors']).toEqual([
      {
        code: 'WORKFLOW_STATE_CONFLICT',
        message: `workflowId: workflow "${workflow.id}" is SUCCEEDED; to pause it, it must be RUNNING`,
      },
    ]);
    const unknown = await workflow.command('retryWorkflow', { nodes: ['nobody'] });
    expect(unknown['userErrors']?.[0]?.['code']).toBe('NODE_NOT_FOUND');
  });
});

describe('workflowChanged', () => {
  it('shows the workflow until it has ended', async () => {
    const workflow = await submit('watched', [node('watched-a')]);
    const stream = core.subscribe(
      'subscription ($id: ID!) { workflowChanged(id: $id) { workflow { state counts { succeeded } } } }',
      { id: workflow.id },
    );
    await crew.work(workflow, 'SUCCEEDED');
    await stream.ended;
    expect(stream.results.at(-1)?.data).toEqual({
      workflowChanged: { workflow: { state: 'SUCCEEDED', counts: { succeeded: 1 } } },
    });
  });
});

describe('change of the leader', () => {
  it('continues in the other process', async () => {
    const workflow = await submit('leader', [
      node('leader-a'),
      node('leader-b', after('leader-a')),
      node('leader-c', after('leader-b')),
    ]);
    await waitFor('a job', async () => (await workflow.nodes())['leader-a'] === 'SUBMITTED', minute);
    await core.stop();
    crew.moveTo(second);
    await crew.work(workflow, 'SUCCEEDED');
    expect(crew.ran.filter((name) => name.startsWith('leader-'))).toEqual([
      'leader-a',
      'leader-b',
      'leader-c',
    ]);
  });
});
