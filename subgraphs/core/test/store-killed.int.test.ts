import { describe, expect, it } from '@jest/globals';
import { connectMongo } from '@rhizome/mongo';
import { leftovers, ownMongod, waitFor } from '@rhizome/testkit';
import { admin, pilotOf, seed, startCore } from './support/core.fixture.js';

const hardware = { architecture: 'x86_64', cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
const free = { cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
const limit = { deadlineMs: 60_000 };

const mutation = (field: string): string => {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  return `mutation ($input: ${type}!) { ${field}(input: $input) { userErrors { code message } } }`;
};
const jobInput = (key: string, count: number) => ({
  experiment: 'alpha',
  idempotencyKey: key,
  jobs: Array.from({ length: count }, (_, at) => ({ name: `job ${at}`, payload: { command: 'true' } })),
});

describe('a mongod that is killed', () => {
  it('makes submitJobs, acquireJobs and appendJobLog answer SERVICE_UNAVAILABLE', async () => {
    const mongod = await ownMongod();
    const mongo = await connectMongo({ uri: mongod.uri, appName: 'tests', serverSelectionTimeoutMs: 1000 });
    leftovers.defer('its client', () => mongo.close());
    // The leadership outlasts the test, so that acquireJobs reaches the store.
    const core = await startCore({
      db: mongo.db('core'),
      config: { broker: { leaseMs: 600_000, renewMs: 600_000 } },
    });
    await seed(core);
    const { registerWorker } = await core.ask(
      'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } } }',
      { input: { queue: 'north', host: 'h', name: 'w', hardware, version: '1', idempotencyKey: 'w' } },
      pilotOf('north'),
    );
    const workerId = String(registerWorker?.['worker']?.['id']);
    await core.ask(mutation('submitJobs'), { input: jobInput('before', 2) });
    const { acquireJobs } = await core.ask(
      'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { fence job { id } } } }',
      { input: { workerId, count: 1, free, waitSeconds: 60 } },
      pilotOf('north'),
    );
    const held = acquireJobs?.['assignments']?.[0];
    await waitFor(
      'the other job',
      async () =>
        (await core.ask('{ jobCounts(filter: { states: [ACTIVATED] }) { count } }'))['jobCounts']?.[0]?.[
          'count'
        ] === 1,
      limit,
    );
    const [member] = mongod.members;
    await member?.kill('SIGKILL');
    // Connections that are open at the end of the test are closed by calls to the store.
    leftovers.defer('the mongod that was killed', () => member?.restart());
    const codeOf = async (field: string, input: object, principal = pilotOf('north')): Promise<unknown> => {
      const { errors, data } = await waitFor(field, core.run(mutation(field), { input }, principal), limit);
      return errors?.map(({ extensions }) => extensions?.['code']) ?? data;
    };
    const chunk = { sequence: 0, stream: 'STDOUT', text: 'x', at: '2030-01-01T00:00:00Z' };
    const log = { workerId, jobId: held?.['job']?.['id'], fence: held?.['fence'], chunks: [chunk] };
    expect(await codeOf('acquireJobs', { workerId, count: 1, free, waitSeconds: 60 })).toEqual([
      'SERVICE_UNAVAILABLE',
    ]);
    expect(await codeOf('submitJobs', jobInput('after', 1), admin)).toEqual(['SERVICE_UNAVAILABLE']);
    expect(await codeOf('appendJobLog', log)).toEqual(['SERVICE_UNAVAILABLE']);
  });
});
