import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor, type TestDatabase } from '@rhizome/testkit';
import { seed, startCore, type Answer, type TestCore } from '../support/core.fixture.js';

let core: TestCore & { readonly db: TestDatabase };
let serial = 0;

beforeAll(async () => {
  core = await startCore();
  await seed(core);
  await core.ask(
    'mutation { registerExperiment(input: { name: "beta", title: "Beta" }) { userErrors { message } } }',
  );
});

const submitJobs = `mutation ($input: SubmitJobsInput!) {
  submitJobs(input: $input) { jobs { id state owner { subject } priority experiment { name } } userErrors { code path message } }
}`;

async function submit(jobs: readonly object[], over: object = {}): Promise<Answer> {
  const plain = { name: 'a job', payload: { command: 'true' } };
  const input = {
    experiment: 'alpha',
    idempotencyKey: `key ${(serial += 1)}`,
    jobs: jobs.map((job) => ({ ...plain, ...job })),
    ...over,
  };
  return (await core.ask(submitJobs, { input }))['submitJobs'] as Answer;
}

const idsOf = (answer: Answer): string[] =>
  (answer['jobs'] as unknown as ({ id: string } | null)[]).map((job) => job?.id ?? '');

describe('submitting', () => {
  it('returns an entry per job in order, with null and the path of the error for a refused one', async () => {
    const answer = await submit([
      { priority: 3 },
      { requirements: { cores: 0 } },
      { requirements: { selector: 'worker.cores >' } },
      { dependsOn: ['#0'] },
    ]);
    expect(answer).toMatchObject({
      jobs: [
        {
          state: 'ACTIVATED',
          owner: { subject: 'admin@example' },
          priority: 3,
          experiment: { name: 'alpha' },
        },
        null,
        null,
        { state: 'PENDING' },
      ],
      userErrors: [
        { code: 'INVALID_VALUE', path: ['jobs', '1', 'requirements', 'cores'] },
        { code: 'SELECTOR_INVALID', path: ['jobs', '2', 'requirements', 'selector'] },
      ],
    });
  });

  it('returns the same answer for the same key, also with more selected fields', async () => {
    const input = {
      experiment: 'alpha',
      idempotencyKey: `key ${(serial += 1)}`,
      jobs: [{ name: 'once', payload: { command: 'true' } }],
    };
    const first = (await core.ask(submitJobs, { input }))['submitJobs'] as Answer;
    const again = await core.ask(
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id name payload { command } } } }',
      { input },
    );
    expect(again['submitJobs']).toEqual({
      jobs: [{ id: idsOf(first)[0], name: 'once', payload: { command: 'true' } }],
    });
  });
});

describe('reading', () => {
  it('shows every field of a new job', async () => {
    const answer = await submit([
      {},
      {
        name: 'full',
        priority: 2,
        labels: [{ key: 'run', value: '1' }],
        dependsOn: ['#0'],
        requirements: { cores: 2, gpu: { count: 1, models: ['L40S'] } },
        payload: {
          command: 'run',
          arguments: ['-v'],
          environment: [{ name: 'A', value: '1' }],
          inputs: [{ name: 'i', location: '/i' }],
          outputs: ['o'],
        },
        retry: { maxAttempts: 2, backoffSeconds: 5 },
      },
    ]);
    const [parent, id] = idsOf(answer);
    const { job } = await core.ask(
      `query ($id: ID!) { job(id: $id) {
      id experiment { name title } name owner { id subject } submittedBy { subject } task { id } taskId taskIndex sharePath share { id path nominalCores experiment { name } } priority labels { key value }
      requirements { cores memoryMiB diskMiB walltimeSeconds architecture isNetworkRequired queue { name site { name } } queueName selector classId gpu { count models vendor isOptional } }
      payload { command arguments environment { name value } image inputs { name location } outputs }
      retry { maxAttempts backoffSeconds backoffFactor retryOn } dependsOn { id state } state hold { by { subject } } notBefore attempt
      attempts { number worker { id } queue { name } } worker { id } queue { name } exitCode error { code } metrics { cpuSeconds } outputs { name }
      log { chunks { text } endCursor hasNextPage isComplete } transitions { from to } createdAt updatedAt stateTimes { state at } revision
      retryOf { id } pending { summary workersConsidered } viewerCanCancel
    } }`,
      { id },
    );
    expect(job).toMatchObject({
      id,
      experiment: { name: 'alpha', title: 'Alpha' },
      name: 'full',
      task: null,
      owner: { id: 'principal_admin@example', subject: 'admin@example' },
      submittedBy: { subject: 'admin@example' },
      sharePath: 'alpha/default',
      share: { id: 'share_alpha/default', path: 'alpha/default', experiment: { name: 'alpha' } },
      labels: [{ key: 'run', value: '1' }],
      requirements: {
        cores: 2,
        memoryMiB: 1024,
        gpu: { count: 1, models: ['L40S'], vendor: null, isOptional: false },
      },
      payload: { command: 'run', inputs: [{ name: 'i', location: '/i' }], image: null },
      retry: { maxAttempts: 2, backoffSeconds: 5 },
      dependsOn: [{ id: parent, state: 'ACTIVATED' }],
      state: 'PENDING',
      attempt: 0,
      attempts: [],
      worker: null,
      queue: null,
      log: { chunks: [], endCursor: expect.any(String), hasNextPage: false, isComplete: false },
      transitions: [],
      stateTimes: [{ state: 'PENDING' }],
      revision: 1,
      retryOf: null,
      viewerCanCancel: true,
    });
    expect(job?.['pending']).toMatchObject({ workersConsidered: 0 });
  });

  it('reads many jobs and what they refer to in a few queries, with only the selected fields', async () => {
    const answer = await submit([
      {},
      {},
      ...Array.from({ length: 30 }, (_, at) => ({
        dependsOn: ['#0', `#${(at % 2) + 1}`.replace('#2', '#0')].filter(
          (id, position, all) => all.indexOf(id) === position,
        ),
      })),
    ]);
    await core.db.command({ profile: 2 });
    const found = await core.ask(
      'query ($ids: [ID!]) { jobs(filter: { ids: $ids }, first: 100) { nodes { id state dependsOn { id experiment { name } } } } }',
      { ids: idsOf(answer) },
    );
    await core.db.command({ profile: 0 });
    expect((found['jobs'] as Answer)['nodes']).toHaveLength(32);
    const finds = await core.db
      .collection('system.profile')
      .find({ 'command.find': 'jobs', 'command.filter._id.$in': { $exists: true } })
      .toArray();
    expect(finds.length).toBeLessThanOrEqual(2);
    for (const { command } of finds) {
      const fields = Object.keys((command as { projection: object }).projection);
      expect(
        fields.filter((field) => ['payload', 'transitions', 'attempts', 'requirements'].includes(field)),
      ).toEqual([]);
    }
  });

  it('returns consecutive pages in both orders', async () => {
    const label = { key: 'page', value: 'x' };
    const ids = idsOf(await submit(Array.from({ length: 7 }, () => ({ labels: [label] }))));
    for (const [order, expected] of [
      ['OLDEST', ids],
      ['NEWEST', [...ids].reverse()],
    ] as const) {
      const found: string[] = [];
      let after: string | null = null;
      do {
        const answer: Answer = await core.ask(
          'query ($label: LabelInput!, $order: JobOrder, $after: String) { jobs(filter: { labels: [$label] }, order: $order, first: 3, after: $after) { edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }',
          { label, order, after },
        );
        const page = answer['jobs'] as unknown as {
          edges: { node: { id: string } }[];
          pageInfo: { hasNextPage: boolean; endCursor: string };
        };
        found.push(...page.edges.map(({ node }) => node.id));
        after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      } while (after);
      expect(found).toEqual(expected);
    }
  });

  it('shows nothing to a reader of another experiment, on all paths', async () => {
    const [id] = idsOf(await submit([{}]));
    const stranger = testPrincipal({ subject: 'stranger@example', grants: { beta: 'READER' } });
    const query = `query ($id: ID!, $entities: [_Any!]!) {
      job(id: $id) { id } jobs(filter: { ids: [$id] }) { nodes { id } } _entities(representations: $entities) { ... on Job { id name } }
    }`;
    const entities = [{ __typename: 'Job', id }];
    expect(await core.ask(query, { id, entities }, stranger)).toEqual({
      job: null,
      jobs: { nodes: [] },
      _entities: [null],
    });
    const reader = testPrincipal({ grants: { alpha: 'READER' }, subject: 'reader@example' });
    expect(await core.ask(query, { id, entities }, reader)).toMatchObject({
      job: { id },
      jobs: { nodes: [{ id }] },
      _entities: [{ id, name: 'a job' }],
    });
    expect(await core.ask('query ($id: ID!) { job(id: $id) { viewerCanCancel } }', { id }, reader)).toEqual({
      job: { viewerCanCancel: false },
    });
  });
});

describe('changing', () => {
  const cancel = `mutation ($input: CancelJobsInput!) {
    cancelJobs(input: $input) { result { changedCount refusedCount changedIds refusedByReason { code count } operation { id } } userErrors { code path message } }
  }`;

  it('reports each refused job with its path, and counts reasons', async () => {
    const [a, b] = idsOf(await submit([{}, {}]));
    const first = await core.ask(cancel, { input: { selection: { ids: [a] }, reason: 'no' } });
    expect(first['cancelJobs']).toEqual({
      result: { changedCount: 1, refusedCount: 0, changedIds: [a], refusedByReason: [], operation: null },
      userErrors: [],
    });
    const second = await core.ask(cancel, { input: { selection: { ids: [b, 'job_missing', a] } } });
    expect(second['cancelJobs']).toMatchObject({
      result: {
        changedCount: 1,
        refusedCount: 2,
        changedIds: [b],
        refusedByReason: expect.arrayContaining([
          { code: 'JOB_NOT_FOUND', count: 1 },
          { code: 'JOB_STATE_CONFLICT', count: 1 },
        ]),
      },
      userErrors: [
        { code: 'JOB_NOT_FOUND', path: ['selection', 'ids', '1'] },
        { code: 'JOB_STATE_CONFLICT', path: ['selection', 'ids', '2'] },
      ],
    });
  });

  it('supports hold, priority, release, cancel and retry in sequence', async () => {
    const [id] = idsOf(await submit([{}]));
    const say = async (mutation: string) =>
      core.ask(`mutation ($ids: [ID!]!) { it: ${mutation} }`, { ids: [id] });
    const read = async () =>
      (
        await core.ask(
          'query ($id: ID!) { job(id: $id) { state priority hold { by { subject } reason } revision transitions { from to actor { subject } reason } } }',
          { id },
        )
      )['job'];
    await say(
      'holdJobs(input: { selection: { ids: $ids }, reason: "look first" }) { userErrors { message } }',
    );
    expect(await read()).toMatchObject({
      state: 'PENDING',
      hold: { by: { subject: 'admin@example' }, reason: 'look first' },
    });
    await say('setJobPriority(input: { selection: { ids: $ids }, priority: 9 }) { userErrors { message } }');
    await say('releaseJobs(input: { selection: { ids: $ids } }) { userErrors { message } }');
    expect(await read()).toMatchObject({ state: 'ACTIVATED', priority: 9, hold: null, revision: 4 });
    await say('cancelJobs(input: { selection: { ids: $ids }, reason: "enough" }) { userErrors { message } }');
    const { it } = await say(
      'retryJobs(input: { selection: { ids: $ids }, idempotencyKey: "again" }) { jobs { id state priority retryOf { id state } } result { changedCount } userErrors { message } }',
    );
    expect(it).toMatchObject({
      jobs: [{ state: 'ACTIVATED', priority: 9, retryOf: { id, state: 'CANCELLED' } }],
      result: { changedCount: 1 },
      userErrors: [],
    });
    expect((await read())?.['transitions']).toEqual([
      { from: 'ACTIVATED', to: 'PENDING', actor: { subject: 'admin@example' }, reason: 'look first' },
      { from: 'PENDING', to: 'PENDING', actor: { subject: 'admin@example' }, reason: 'priority 0 to 9' },
      { from: 'PENDING', to: 'ACTIVATED', actor: { subject: 'admin@example' }, reason: null },
      { from: 'ACTIVATED', to: 'CANCELLED', actor: { subject: 'admin@example' }, reason: 'enough' },
    ]);
  });

  it('changes the matching jobs of the caller by filter', async () => {
    const label = { key: 'bulk', value: 'y' };
    const ids = idsOf(await submit(Array.from({ length: 5 }, () => ({ labels: [label] }))));
    const user = testPrincipal({ subject: 'user@example', grants: { alpha: 'USER' } });
    const input = { selection: { filter: { labels: [label] } } };
    expect((await core.ask(cancel, { input }, user))['cancelJobs']).toMatchObject({
      result: {
        changedCount: 0,
        refusedCount: 5,
        changedIds: null,
        refusedByReason: [{ code: 'FORBIDDEN', count: 5 }],
      },
    });
    expect((await core.ask(cancel, { input }))['cancelJobs']).toMatchObject({
      result: { changedCount: 5, changedIds: null },
    });
    const found = await core.ask(
      'query ($ids: [ID!]) { jobs(filter: { ids: $ids, states: [CANCELLED] }) { nodes { id } } }',
      { ids },
    );
    expect((found['jobs'] as Answer)['nodes']).toHaveLength(5);
  });
});

describe('tasks', () => {
  it('answers submits of tasks at once, and shows their progress and their jobs by position', async () => {
    const input = {
      experiment: 'alpha',
      idempotencyKey: `key ${(serial += 1)}`,
      name: 'a task',
      template: { name: 'part', payload: { command: 'run' } },
      jobs: { count: 25 },
    };
    const answer = await core.ask(
      `mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id name state owner { subject } progress { totalJobs } } userErrors { message } } }`,
      { input },
    );
    const task = (answer['submitTask'] as Answer)['task'] as Answer;
    expect(task).toMatchObject({
      name: 'a task',
      owner: { subject: 'admin@example' },
      progress: { totalJobs: 25 },
    });
    const query = `query ($id: ID!) { task(id: $id) {
      state progress { totalJobs createdJobs counts { state count } finishedFraction endedFraction }
      jobs(first: 100, states: [ACTIVATED]) { nodes { taskIndex name task { id } } pageInfo { hasNextPage } }
    } tasks(filter: { experiments: ["alpha"] }) { nodes { id } } }`;
    const found = await waitFor(
      'the task to be expanded',
      async () => {
        const now = await core.ask(query, { id: task['id'] });
        const { state, progress } = now['task'] as unknown as {
          state: string;
          progress: { counts: { count: number }[] };
        };
        return state === 'RUNNING' && progress.counts[0]?.count === 25 && now;
      },
      { deadlineMs: 60_000 },
    );
    expect(found && found['task']).toMatchObject({
      progress: {
        createdJobs: 25,
        counts: [{ state: 'ACTIVATED', count: 25 }],
        finishedFraction: 0,
        endedFraction: 0,
      },
      jobs: {
        nodes: Array.from({ length: 25 }, (_, at) => ({
          taskIndex: at,
          name: `part ${at}`,
          task: { id: task['id'] },
        })),
        pageInfo: { hasNextPage: false },
      },
    });
    expect(found && found['tasks']).toMatchObject({ nodes: expect.arrayContaining([{ id: task['id'] }]) });
  });
});
