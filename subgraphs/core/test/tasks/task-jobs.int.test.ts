import { beforeAll, expect, it } from '@jest/globals';
import { commandsDuring, waitFor } from '@rhizome/testkit';
import { seed, startCore, type Answer } from '../support/core.fixture.js';

const submitTask = `mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id } userErrors { message } } }`;
const list = `query ($ids: [ID!]) {
  tasks(filter: { ids: $ids }) { nodes { id jobs(first: 2) { nodes { id name } pageInfo { endCursor hasNextPage } } } }
}`;

let core: Awaited<ReturnType<typeof startCore>>;
let ids: readonly string[];

beforeAll(async () => {
  core = await startCore();
  await seed(core);
  const answers = await Promise.all(
    [1, 2, 3].map((count) =>
      core.ask(submitTask, {
        input: {
          experiment: 'alpha',
          idempotencyKey: `task ${count}`,
          name: `task ${count}`,
          template: { name: `of ${count}`, payload: { command: 'true' } },
          jobs: { count },
        },
      }),
    ),
  );
  ids = answers.map(({ submitTask: made }) => String(made?.['task']?.['id']));
  await untilExpanded();
});

/** Waits until all jobs of the tasks exist. */
async function untilExpanded(): Promise<void> {
  const areExpanded = async (): Promise<boolean> => {
    const { tasks } = await core.ask(
      'query ($ids: [ID!]) { tasks(filter: { ids: $ids }) { nodes { state } } }',
      { ids },
    );
    const nodes = tasks?.['nodes'] as unknown as readonly Answer[];
    return nodes.every((node) => String(node['state']) !== 'EXPANDING');
  };
  await waitFor('the tasks to be expanded', areExpanded, { deadlineMs: 60_000 });
}

/** Commands of this core that read pages of two jobs, while something runs. Core also runs other reads. */
async function pageReads(run: () => Promise<unknown>): Promise<number> {
  const commands = await commandsDuring(run);
  return commands.filter(({ databaseName, commandName, command }) => {
    if (databaseName !== core.db.databaseName || command[commandName] !== 'jobs') return false;
    const text = JSON.stringify([command['limit'], command['pipeline']]);
    return text.startsWith('[3') || text.includes('"$limit":3');
  }).length;
}

it('reads pages of jobs below a list of tasks at once, equal to those of each task', async () => {
  let all: Answer | undefined;
  expect(await pageReads(() => core.ask(list, { ids: ids.slice(0, 1) }))).toBe(1);
  const reads = await pageReads(async () => {
    all = (await core.ask(list, { ids }))['tasks']?.['nodes'] as Answer;
  });
  expect(reads).toBe(1);
  const nodes = all as unknown as readonly {
    id: string;
    jobs: { nodes: { name: string }[]; pageInfo: { hasNextPage: boolean } };
  }[];
  const seen = Object.fromEntries(
    nodes.map(({ id, jobs: { nodes: jobs, pageInfo } }) => [
      id,
      [jobs.map(({ name }) => name), pageInfo.hasNextPage],
    ]),
  );
  expect(seen).toEqual({
    [String(ids[0])]: [['of 1 0'], false],
    [String(ids[1])]: [['of 2 0', 'of 2 1'], false],
    [String(ids[2])]: [['of 3 0', 'of 3 1'], true],
  });
});

it('fails only for an incorrect request of a page', async () => {
  const text = `query ($id: ID!) { task(id: $id) { good: jobs(first: 1) { nodes { id } } bad: jobs(first: 1, after: "junk") { nodes { id } } } }`;
  const { data, errors } = await core.run(text, { id: ids[0] });
  expect(errors?.map(({ path, extensions }) => [path, extensions?.['code']])).toEqual([
    [['task', 'bad'], 'CURSOR_INVALID'],
  ]);
  expect(data).toMatchObject({ task: null });
});

/** Commands that read tasks of this core by id, while something runs. */
async function taskReads(run: () => Promise<unknown>): Promise<number> {
  const commands = await commandsDuring(run);
  return commands.filter(({ databaseName, commandName, command }) => {
    if (databaseName !== core.db.databaseName || command[commandName] !== 'tasks') return false;
    return ids.some((id) => JSON.stringify(command['filter'])?.includes(id));
  }).length;
}

it('reads the task of a job only for fields that the job does not have', async () => {
  const jobs = (of: string) =>
    core.ask(`query ($id: ID!) { jobs(filter: { taskIds: [$id] }) { nodes { task { ${of} } } } }`, {
      id: ids[1],
    });
  let known: Answer | undefined;
  expect(await taskReads(async () => (known = await jobs('__typename id experiment { name }')))).toBe(0);
  const task = { __typename: 'Task', id: ids[1], experiment: { name: 'alpha' } };
  expect(known?.['jobs']?.['nodes']).toEqual([{ task }, { task }]);
  let whole: Answer | undefined;
  expect(await taskReads(async () => (whole = await jobs('id name')))).toBe(1);
  expect(whole?.['jobs']?.['nodes']?.[0]?.['task']).toEqual({ id: ids[1], name: 'task 2' });
});
