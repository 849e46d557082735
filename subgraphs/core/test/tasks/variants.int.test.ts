import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { seed, startCore, type TestCore } from '../support/core.fixture.js';

interface Submitted {
  readonly submitTask: {
    readonly task: { readonly id: string } | null;
    readonly userErrors: readonly { readonly code: string }[];
  };
}
interface JobOfTask {
  readonly name: string;
  readonly requirements: { readonly cores: number; readonly classId: string };
  readonly payload: {
    readonly command: string;
    readonly arguments: readonly string[];
    readonly outputs: readonly string[];
  };
  readonly dependsOn: readonly { readonly name: string }[];
}
interface TaskFound {
  readonly task: { readonly state: string; readonly jobs: { readonly nodes: readonly JobOfTask[] } };
}

const submit = `mutation ($input: SubmitTaskInput!) {
  submitTask(input: $input) { task { id } userErrors { code path message } }
}`;
const jobsOf = `query ($id: ID!) {
  task(id: $id) {
    state
    jobs { nodes { name taskIndex requirements { cores classId } payload { command arguments outputs } dependsOn { name } } }
  }
}`;

describe('a task with variants', () => {
  let core: TestCore;
  const submitted = async (input: object) =>
    ((await core.ask(submit, { input })) as unknown as Submitted).submitTask;
  beforeAll(async () => {
    core = await startCore();
    await seed(core);
  });

  it('creates each job in the shape that its parameter set names', async () => {
    const input = {
      experiment: 'alpha',
      idempotencyKey: 'chain',
      name: 'chain',
      template: {
        name: 'make {{n}}',
        requirements: { cores: 2 },
        payload: { command: 'make', arguments: ['{{n}}'], outputs: ['o.{{n}}'] },
      },
      variants: [
        { name: 'read {{n}}', payload: { command: 'read', arguments: ['-x', '{{n}}'] } },
        { name: 'merge', requirements: { cores: 1 }, payload: { command: 'merge' } },
      ],
      jobs: {
        parameterSets: [
          { parameters: [{ name: 'n', value: '7' }] },
          { parameters: [{ name: 'n', value: '8' }], dependsOn: ['#0'], variant: 0 },
          { parameters: [], dependsOn: ['#1'], variant: 1 },
        ],
      },
    };
    const { task: made, userErrors } = await submitted(input);
    expect(userErrors).toEqual([]);
    const nodes = await waitFor(
      'all jobs of the task',
      async () => {
        const { task } = (await core.ask(jobsOf, { id: made?.id })) as unknown as TaskFound;
        return task.state === 'RUNNING' && task.jobs.nodes;
      },
      { deadlineMs: 60_000 },
    );
    expect(
      nodes.map(({ name, payload, requirements, dependsOn }) => [
        name,
        payload.command,
        payload.arguments,
        payload.outputs,
        requirements.cores,
        dependsOn.map((parent) => parent.name),
      ]),
    ).toEqual([
      ['make 7 0', 'make', ['7'], ['o.7'], 2, []],
      ['read 8 1', 'read', ['-x', '8'], [], 2, ['make 7 0']],
      ['merge 2', 'merge', [], [], 1, ['read 8 1']],
    ]);
    const [first, second, third] = nodes.map(({ requirements }) => requirements.classId);
    expect(first).toBe(second);
    expect(third).not.toBe(first);
  });

  it('is the same task for the same key, and refused if a variant differs', async () => {
    const input = {
      experiment: 'alpha',
      idempotencyKey: 'once',
      name: 'once',
      template: { name: 'a', payload: { command: 'a' } },
      variants: [{ name: 'b' }],
      jobs: { parameterSets: [{ parameters: [], variant: 0 }] },
    };
    const first = await submitted(input);
    expect(first.task?.id).toMatch(/^task_/);
    expect(await submitted(input)).toEqual(first);
    const other = await submitted({ ...input, variants: [{ name: 'c' }] });
    expect(other.userErrors.map(({ code }) => code)).toEqual(['IDEMPOTENCY_KEY_REUSED']);
  });
});
