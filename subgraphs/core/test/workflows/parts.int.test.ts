/** Workflows that are submitted in parts to two processes of core. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal } from '@rhizome/testkit';
import { type Answer, lastingLeases, seed, startCore, type TestCore } from '../support/core.fixture.js';
import { after, Crew, node, submitWorkflow, TestWorkflow } from '../support/workflows.fixture.js';

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

const begin = (name: string, input: object = {}): Promise<TestWorkflow> =>
  TestWorkflow.submit(core, name, { nodes: [], isSealed: false, ...input });

const append = (workflow: TestWorkflow, part: number, ...nodes: readonly object[]): Promise<Answer> =>
  workflow.command('appendWorkflowNodes', { part, nodes });

const codesOf = (answer: Answer): readonly string[] =>
  (answer['userErrors'] as unknown as readonly Answer[]).map(({ code }) => String(code));

const shown = async ({ id }: TestWorkflow): Promise<Answer> => {
  const text =
    'query ($id: ID!) { workflow(id: $id) { state partCount sealedAt counts { total waiting } criticalPathNodes } }';
  return (await second.ask(text, { id }))['workflow'] as Answer;
};

describe('a workflow in parts', () => {
  it('runs nothing before the seal, and then nodes in the order of edges between the parts', async () => {
    const workflow = await begin('order', { nodes: [node('order-c', after('order-b'))] });
    const others = new TestWorkflow(second, workflow.id);
    expect(codesOf(await append(others, 1, node('order-b', after('order-a'))))).toEqual([]);
    const last = [node('order-end', { isFinal: true }), node('order-a')];
    expect(codesOf(await append(workflow, 2, ...last))).toEqual([]);
    expect(await crew.turn()).toEqual([]);
    expect(await shown(workflow)).toEqual({
      ...{ state: 'OPEN', partCount: 2, sealedAt: null, criticalPathNodes: 0 },
      counts: { total: 4, waiting: 4 },
    });
    expect(await others.command('sealWorkflow')).toEqual({
      workflow: { state: 'RUNNING' },
      userErrors: [],
    });
    expect((await shown(workflow))['criticalPathNodes']).toBe(4);
    await crew.work(workflow, 'SUCCEEDED');
    expect(crew.ran.filter((name) => name.startsWith('order-'))).toEqual([
      ...['order-a', 'order-b', 'order-c', 'order-end'],
    ]);
    expect(await workflow.command('sealWorkflow')).toMatchObject({ workflow: { state: 'SUCCEEDED' } });
    expect(codesOf(await append(workflow, 2, ...last))).toEqual([]);
    expect(codesOf(await append(workflow, 3, node('order-d')))).toEqual(['WORKFLOW_STATE_CONFLICT']);
  });

  it('takes each part once, and in order', async () => {
    const workflow = await begin('parts');
    const again = await submitWorkflow(second, 'parts', { nodes: [], isSealed: false });
    expect(again['workflow']?.['id']).toBe(workflow.id);
    expect(codesOf(await append(workflow, 2, node('parts-a')))).toEqual(['PART_OUT_OF_ORDER']);
    await append(workflow, 1, node('parts-a'));
    expect(codesOf(await append(new TestWorkflow(second, workflow.id), 1, node('parts-a')))).toEqual([]);
    const conflict = await append(workflow, 1, node('parts-b'));
    expect(codesOf(conflict)).toEqual(['PART_CONFLICT']);
    expect(conflict['userErrors']?.[0]?.['message']).toContain('must be 2 for further nodes');
    const taken = await append(workflow, 2, node('parts-b'), node('parts-a'));
    expect(taken['userErrors']).toMatchObject([
      {
        code: 'NODE_NAME_TAKEN',
        message: expect.stringContaining('Node "parts-a" is at position 0 of the workflow already'),
      },
    ]);
    expect(await shown(workflow)).toMatchObject({ partCount: 1, counts: { total: 1 } });
  });

  it('refuses a part with an error in a node, and takes it when it is corrected', async () => {
    const workflow = await begin('corrected', {
      nodeLabels: [{ label: 'x', payload: { command: 'true' } }],
    });
    expect(codesOf(await append(workflow, 1, { name: 'none' }))).toEqual(['INVALID_VALUE']);
    expect(codesOf(await append(workflow, 1, { name: 'none', label: 'x', needed: 1 }))).toEqual([
      'NODE_UNREACHABLE',
    ]);
    expect(codesOf(await append(workflow, 1, { name: 'none', label: 'x' }))).toEqual([]);
    expect(await workflow.command('sealWorkflow')).toMatchObject({ workflow: { state: 'RUNNING' } });
    await crew.work(workflow, 'SUCCEEDED');
  });

  it('names what is wrong with the graph, and takes further parts afterwards', async () => {
    const workflow = await begin('wrong', {
      nodeLabels: [{ label: 'x', maxSubmitted: 1 }],
      groupEdges: [{ from: 'x', to: 'y' }],
    });
    expect(codesOf(await workflow.command('sealWorkflow'))).toEqual(['INVALID_VALUE']);
    const y = { label: 'y' };
    await append(workflow, 1, node('wrong-a', { ...after('wrong-b'), ...y }), node('wrong-b', y));
    const missing = await workflow.command('sealWorkflow');
    expect(codesOf(missing)).toEqual(['LABEL_NOT_FOUND', 'LABEL_NOT_FOUND']);
    await append(workflow, 2, node('wrong-c', { ...after('wrong-d'), label: 'x' }));
    const unknown = await workflow.command('sealWorkflow');
    expect(unknown['userErrors']).toMatchObject([
      {
        code: 'NODE_NOT_FOUND',
        message: 'Node "wrong-c" depends on "wrong-d", which is not a node of the workflow',
      },
    ]);
    await append(workflow, 3, node('wrong-d', after('wrong-a')));
    const cycle = await workflow.command('sealWorkflow');
    expect(codesOf(cycle)).toEqual(['CYCLE']);
    expect(cycle['userErrors']?.[0]?.['message']).toMatch(
      /wrong-d.*\(label x before y\)|\(label x before y\).*wrong-d/,
    );
    expect(await shown(workflow)).toMatchObject({ state: 'OPEN', partCount: 3 });
    await workflow.command('cancelWorkflow');
  });

  it('refuses what a queue forbids by the time of the seal', async () => {
    const limited = (maxCores: number): string =>
      `mutation { updateQueue(input: { name: "narrow", limits: { maxCores: ${maxCores} } }) { userErrors { message } } }`;
    await core.ask(
      'mutation { createQueue(input: { name: "narrow", site: "Pole", limits: { maxCores: 8 } }) { userErrors { message } } }',
    );
    const workflow = await begin('limit');
    const four = { requirements: { queue: 'narrow', cores: 4 } };
    const five = { requirements: { queue: 'narrow', cores: 9 } };
    expect(codesOf(await append(workflow, 1, node('limit-b', five)))).toEqual(['QUEUE_LIMIT_EXCEEDED']);
    await append(workflow, 1, node('limit-a', four));
    await core.ask(limited(2));
    const refused = await workflow.command('sealWorkflow');
    expect(refused['userErrors']).toMatchObject([
      {
        code: 'QUEUE_LIMIT_EXCEEDED',
        message: 'Node "limit-a" requires cores 4; queue "narrow" permits at most 2',
      },
    ]);
    await workflow.command('cancelWorkflow');
  });

  it('belongs to the submitter, also for those who manage the jobs of others', async () => {
    const workflow = await begin('owned');
    const stranger = testPrincipal({ subject: 'stranger', grants: 'ADMIN' });
    const asked = await second.ask(
      'mutation ($input: AppendWorkflowNodesInput!) { appendWorkflowNodes(input: $input) { workflow { id } userErrors { code message } } }',
      { input: { workflowId: workflow.id, part: 1, nodes: [node('owned-a')] } },
      stranger,
    );
    expect(codesOf(asked['appendWorkflowNodes'] as Answer)).toEqual(['FORBIDDEN']);
    await workflow.command('cancelWorkflow');
  });

  it.each<[string, object, string, string]>([
    ['no label', { from: 'x', to: '-y' }, 'groupEdges.0.to', 'INVALID_VALUE'],
    ['no number of edges', { from: 'x', to: 'y', needed: 0 }, 'groupEdges.0.needed', 'INVALID_VALUE'],
    ['a cycle', { from: 'x', to: 'x' }, 'groupEdges', 'CYCLE'],
  ])(
    'refuses a beginning whose edges between labels can never be right: %s',
    async (what, edge, at, code) => {
      const input = { nodes: [], isSealed: false, groupEdges: [edge] };
      const answer: Answer = await submitWorkflow(core, `beginning with ${what}`, input);
      expect(answer['userErrors']).toMatchObject([{ code, path: at.split('.') }]);
    },
  );

  it('refuses a parent that can be no node', async () => {
    const workflow = await begin('fields', { nodeLabels: [{ label: 'x', payload: { command: 'true' } }] });
    const refused = await append(workflow, 1, node('fields-a', after('fields-b\n')));
    expect(refused['userErrors']).toMatchObject([
      { code: 'INVALID_VALUE', message: expect.stringMatching(/^nodes\.0\.dependsOn\.0\.node: /) },
    ]);
    await workflow.command('cancelWorkflow');
  });

  it('is not one that was submitted whole', async () => {
    const whole = await TestWorkflow.submit(core, 'whole', { nodes: [node('whole-a')] });
    expect(codesOf(await append(whole, 1, node('whole-b')))).toEqual(['WORKFLOW_STATE_CONFLICT']);
    await crew.work(whole, 'SUCCEEDED');
  });
});

describe('cancelWorkflow of one that is not sealed', () => {
  it('ends it, and frees its key for nothing else', async () => {
    const workflow = await begin('cancelled', { nodes: [node('cancelled-a')] });
    await append(workflow, 1, node('cancelled-b'));
    expect(await workflow.command('cancelWorkflow', { reason: 'wrong' })).toMatchObject({
      workflow: { state: 'CANCELLED' },
      userErrors: [],
    });
    for (const command of ['sealWorkflow', 'retryWorkflow'])
      expect(codesOf(await workflow.command(command))).toEqual(['WORKFLOW_STATE_CONFLICT']);
    for (const part of [1, 2])
      expect(codesOf(await append(workflow, part, node('cancelled-b')))).toEqual(['WORKFLOW_STATE_CONFLICT']);
    const again = await submitWorkflow(core, 'cancelled', { nodes: [node('cancelled-a')], isSealed: false });
    expect(again['userErrors']?.[0]?.['message']).toContain('was cancelled before it was sealed');
  });
});
