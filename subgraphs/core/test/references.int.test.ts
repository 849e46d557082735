/** References between objects: the object with its identifier alongside, read once for a whole list. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { commandsDuring } from '@rhizome/testkit';
import type { CommandStartedEvent } from 'mongodb';
import { type Answer, seed, startCore } from './support/core.fixture.js';

let core: Awaited<ReturnType<typeof startCore>>;

beforeAll(async () => {
  core = await startCore();
  await seed(core);
  for (const [name, site] of [
    ['site-b', 'Lab'],
    ['site-a', 'Lab'],
    ['elsewhere', 'Other'],
  ])
    await core.ask(
      'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
      { input: { name, site } },
    );
  const jobs = Array.from({ length: 12 }, (_, index) => ({
    name: `job ${index}`,
    payload: { command: 'true' },
  }));
  await core.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { userErrors { message } } }',
    { input: { experiment: 'alpha', idempotencyKey: 'jobs', jobs } },
  );
});

/** Collections that a query reads, once for each read. */
async function readsOf(text: string): Promise<readonly string[]> {
  const commands = await commandsDuring(() => core.ask(text));
  return commands
    .filter(({ databaseName, commandName, command }) => {
      const isRead = commandName === 'find' || (commandName === 'aggregate' && !isStream(command));
      return isRead && databaseName === core.db.databaseName && !isSchedulersRead(command);
    })
    .map(({ commandName, command }) => String(command[commandName]));
}

/** True for reads of ready jobs, which the scheduler makes at any time. */
const isSchedulersRead = ({ filter }: CommandStartedEvent['command']): boolean =>
  (filter as { state?: unknown } | undefined)?.state === 'ACTIVATED';

const isStream = ({ pipeline }: CommandStartedEvent['command']): boolean =>
  JSON.stringify(pipeline ?? '').includes('$changeStream');

describe('references of a list of jobs', () => {
  it('costs at most one read per kind', async () => {
    const reads = await readsOf(
      `{ jobs(first: 12) { nodes { id owner { id subject } submittedBy { subject } experiment { id title } queue { site { name } }
        share { id path nominalCores experiment { id } } sharePath } } }`,
    );
    expect(reads.filter((name) => name === 'jobs')).toHaveLength(1);
    const others = ['experiments', 'shares', 'queues', 'tasks', 'workers'];
    for (const name of others) expect(reads.filter((read) => read === name).length).toBeLessThanOrEqual(1);
  });

  it('leads to a removed share by its path alone', async () => {
    await core.db
      .collection<{ _id: string }>('jobs')
      .updateOne({ name: 'job 3' }, { $set: { share: 'alpha/gone' } });
    const { jobs } = await core.ask('{ jobs(first: 100) { nodes { name sharePath share { path } } } }');
    const found = (jobs?.['nodes'] as unknown as readonly Answer[]).find(
      ({ name }) => String(name) === 'job 3',
    );
    expect(found).toEqual({ name: 'job 3', sharePath: 'alpha/gone', share: null });
  });
});

describe('Site', () => {
  it('lists its queues by name, page by page', async () => {
    const text = `query ($after: String) { queue(name: "site-b") { site { id name queues(first: 1, after: $after) {
      totalCount nodes { name } pageInfo { hasNextPage endCursor } } } } }`;
    const first = (await core.ask(text))['queue']?.['site'] as unknown as Answer;
    expect(first).toMatchObject({
      id: 'site_Lab',
      name: 'Lab',
      queues: { totalCount: 2, nodes: [{ name: 'site-a' }], pageInfo: { hasNextPage: true } },
    });
    const after = (first['queues'] as unknown as { pageInfo: { endCursor: string } }).pageInfo.endCursor;
    const second = (await core.ask(text, { after }))['queue']?.['site'] as unknown as Answer;
    expect(second).toMatchObject({
      queues: { nodes: [{ name: 'site-b' }], pageInfo: { hasNextPage: false } },
    });
  });
});

describe('Query.experiment', () => {
  it('finds an experiment by name', async () => {
    expect(
      await core.ask('{ experiment(name: "alpha") { id name } other: experiment(name: "none") { name } }'),
    ).toEqual({
      experiment: { id: 'experiment_alpha', name: 'alpha' },
      other: null,
    });
  });
});
