import { beforeAll, expect, it } from '@jest/globals';
import { commandsDuring } from '@rhizome/testkit';
import { seed, startCore } from './support/core.fixture.js';
import { chunkId } from '../src/jobs/logs/job-logs.repository.js';

let core: Awaited<ReturnType<typeof startCore>>;
let jobIds: readonly string[];

beforeAll(async () => {
  core = await startCore();
  await seed(core);
  const jobs = ['one', 'two', 'three'].map((name) => ({ name, payload: { command: 'true' } }));
  const { submitJobs } = await core.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } } }',
    { input: { experiment: 'alpha', idempotencyKey: 'jobs', jobs } },
  );
  const made = submitJobs?.['jobs'] as unknown as readonly { id: string }[];
  jobIds = made.map(({ id }) => id);
  for (const queue of ['north', 'south']) {
    await core.ask(
      'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
      {
        input: { name: queue, site: 'SITE', idempotencyKey: queue },
      },
    );
  }
});

/** Number of reads of a collection by this core while something runs. */
async function readsOf(collection: string, run: () => Promise<unknown>): Promise<number> {
  const commands = await commandsDuring(run);
  return commands.filter(({ databaseName, commandName, command }) => {
    const isRead = commandName === 'find' || commandName === 'aggregate';
    if (!isRead || databaseName !== core.db.databaseName || command[commandName] !== collection) return false;
    // Pages read one document more than they show; other reads of core have other limits, or none.
    return /^\[8,|"\$limit":8/.test(JSON.stringify([command['limit'], command['pipeline']]));
  }).length;
}

it('reads workers below a list of queues at once', async () => {
  const text =
    '{ queues(first: 10) { nodes { name workers(first: 7) { nodes { id } pageInfo { hasNextPage } } } } }';
  let names: unknown;
  const reads = await readsOf('workers', async () => {
    const { queues } = await core.ask(text);
    const nodes = queues?.['nodes'] as unknown as readonly { name: string; workers: { nodes: object[] } }[];
    names = nodes.map(({ name, workers }) => [name, workers.nodes]);
  });
  expect(names).toEqual(
    expect.arrayContaining([
      ['north', []],
      ['south', []],
    ]),
  );
  expect(reads).toBe(1);
});

it('fails only for the queue whose workers are requested incorrectly', async () => {
  const text =
    '{ queue(name: "north") { good: workers(first: 7) { nodes { id } } bad: workers(first: 0) { nodes { id } } } }';
  const { errors } = await core.run(text);
  expect(errors?.map(({ path, extensions }) => [path, extensions?.['code']])).toEqual([
    [['queue', 'bad'], 'BAD_USER_INPUT'],
  ]);
});

it('reads logs below a list of jobs at once, and fails only for an incorrect request', async () => {
  const chunks = core.db.collection<{ _id: string }>('jobLogs');
  const jobs = core.db.collection<{ _id: string }>('jobs');
  await jobs.updateMany(
    { _id: { $in: [...jobIds] } },
    { $set: { attempt: 1 } },
    { bypassDocumentValidation: true },
  );
  await chunks.insertMany(
    jobIds.flatMap((jobId, job) =>
      Array.from({ length: job + 7 }, (_, sequence) => ({
        _id: chunkId(jobId, 1, sequence),
        schemaVersion: 1,
        revision: 1,
        jobId,
        attempt: 1,
        sequence,
        stream: 'STDOUT',
        text: `${job}:${sequence}`,
        at: new Date('2030-01-01T00:00:00Z'),
      })),
    ),
  );
  const text =
    'query ($ids: [ID!]) { jobs(filter: { ids: $ids }) { nodes { id log(first: 7) { chunks { text } hasNextPage } } } }';
  let seen: unknown;
  const reads = await readsOf('jobLogs', async () => {
    const answer = await core.ask(text, { ids: jobIds });
    const nodes = answer['jobs']?.['nodes'] as unknown as readonly {
      id: string;
      log: { chunks: { text: string }[]; hasNextPage: boolean };
    }[];
    seen = Object.fromEntries(
      nodes.map(({ id, log }) => [id, [log.chunks.map((one) => one.text).join(' '), log.hasNextPage]]),
    );
  });
  const texts = (job: number) => Array.from({ length: 7 }, (_, sequence) => `${job}:${sequence}`).join(' ');
  expect(seen).toEqual(Object.fromEntries(jobIds.map((id, job) => [id, [texts(job), job > 0]])));
  expect(reads).toBe(1);

  const wrong =
    'query ($id: ID!) { job(id: $id) { good: log(first: 7) { chunks { text } } bad: log(first: 0) { chunks { text } } } }';
  const { errors } = await core.run(wrong, { id: jobIds[0] });
  expect(errors?.map(({ path, extensions }) => [path, extensions?.['code']])).toEqual([
    [['job', 'bad'], 'BAD_USER_INPUT'],
  ]);
});
