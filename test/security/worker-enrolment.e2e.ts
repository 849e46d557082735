// Two real pilots of one queue, each enrolled with a key of its own, behind a real gateway and a real core.
import { stat } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type AnyData, type Answer, type Api, apiOf } from '../e2e/system/api.js';
import { prepareWork, startIdentitySystem } from '../e2e/system/identity-system.js';
import type { RunningPilot } from '../e2e/system/pilots.js';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';
import type { WorkerPlace } from '../e2e/system/worker-credentials.js';
import { credentialOf, enrol, invitationFile, startPilot, stolen } from './enrolled-pilots.js';

let system: WorkerPlace;
let admin: Api;

beforeAll(async () => {
  const data = await temporaryFolder('enrolment');
  const { url, admin: token } = await startIdentitySystem({ folder: data });
  system = { url, data, token };
  admin = apiOf(url, token);
  await prepareWork(admin);
});

function ask(query: string, variables?: object, api = admin): Promise<Answer<AnyData>> {
  return api.post(query, variables);
}

const stateOf = async (id: string): Promise<string> =>
  (await ask('query ($id: ID!) { job(id: $id) { state } }', { id })).data.job.state;

/** Submits a long job for the worker of this name. @returns its id, when it runs */
async function runningOn(name: string): Promise<string> {
  const job = {
    name: 'long',
    payload: { command: 'sleep', arguments: ['600'] },
    retry: { maxAttempts: 3 },
    continuity: { onDisconnect: 'STOP' },
    requirements: { queue: 'north', memoryMiB: 64, diskMiB: 1, selector: `worker.name == "${name}"` },
  };
  const { data } = await ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }',
    { input: { experiment: 'alpha', idempotencyKey: 'long', jobs: [job] } },
  );
  const [{ id }] = data.submitJobs.jobs;
  await waitFor('the running job', async () => (await stateOf(id)) === 'RUNNING', { deadlineMs: 60_000 });
  return id;
}

const heartbeat = 'mutation ($id: ID!) { heartbeat(input: { workerId: $id }) { userErrors { code } } }';

describe('an enrolled pilot', () => {
  let first: RunningPilot;
  let second: RunningPilot;

  it('enrols by an invitation, and keeps its key for itself', async () => {
    for (const name of ['first', 'second']) {
      const enrolled = await enrol(system, name, ['--code-file', await invitationFile(system)]).exited;
      expect(enrolled).toMatchObject({ code: 0 });
      expect((await stat(credentialOf(system, name))).mode & 0o777).toBe(0o600);
    }
    const again = await enrol(system, 'third', ['--code', 'rhi_guess']).exited;
    expect(again).toMatchObject({ code: 2 });
  });

  it('registers the worker of its credential, and runs jobs', async () => {
    first = await startPilot(system, 'first');
    second = await startPilot(system, 'second');
    const { data } = await ask('{ workers { nodes { id name } } }');
    expect(data.workers.nodes.map(({ name }: { name: string }) => name).sort()).toEqual(['first', 'second']);
    const submit = `mutation { submitJobs(input: { experiment: "alpha", idempotencyKey: "one", jobs: [
      { name: "one", payload: { command: "true" }, requirements: { queue: "north", memoryMiB: 64, diskMiB: 1 } }
    ] }) { jobs { id } userErrors { message } } }`;
    const { data: submitted } = await ask(submit);
    const [{ id }] = submitted.submitJobs.jobs;
    await waitFor('the end of the job', async () => (await stateOf(id)) === 'FINISHED', {
      deadlineMs: 60_000,
    });
  });

  it('acts for its own worker only, and only with its key', async () => {
    const thief = stolen(system, 'second');
    const api = thief.apiAt(system.url);
    expect((await ask(heartbeat, { id: second.workerId }, api)).data.heartbeat.userErrors).toEqual([]);
    expect((await ask(heartbeat, { id: first.workerId }, api)).data.heartbeat.userErrors).toEqual([
      { code: 'WORKER_NOT_FOUND' },
    ]);
    const bare = await ask(heartbeat, { id: second.workerId }, apiOf(system.url, await thief.token()));
    expect(bare.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    const held = await ask('{ jobs(first: 10) { nodes { id } } }', {}, api);
    expect(held.data.jobs.nodes).toEqual([]);
  });

  it('is listed with its queue, its experiments and its worker', async () => {
    const { data } = await ask(`{ workerEnrolments { nodes {
      queueName queue { name site { name } } experimentNames experiments { title }
      workerId worker { id queue { name } } decidedBy { id }
    } } }`);
    const own = data.workerEnrolments.nodes.find(
      ({ workerId }: { workerId: string }) => workerId === first.workerId,
    );
    expect(own).toEqual({
      queueName: 'north',
      queue: { name: 'north', site: { name: 'Pole' } },
      experimentNames: ['*'],
      experiments: [],
      workerId: first.workerId,
      worker: { id: first.workerId, queue: { name: 'north' } },
      decidedBy: { id: 'principal_test:admin@example' },
    });
  });

  it('ends when its enrolment is ended, while another one goes on', async () => {
    const { data } = await ask('{ workerEnrolments { nodes { id workerId state } } }');
    const own = data.workerEnrolments.nodes.find(
      ({ workerId }: { workerId: string }) => workerId === first.workerId,
    );
    const id = await runningOn('first');
    await ask('mutation ($id: ID!) { endEnrolment(input: { id: $id }) { userErrors { code } } }', {
      id: own.id,
    });
    expect(await first.process.exited).toMatchObject({ code: 2 });
    // By the answer of the gateway, and not because its lease ran out.
    const lost = first.process.lines.filter((line) => line.includes('"msg":"worker lost"'));
    expect(lost).toEqual([expect.stringContaining('ENDED')]);
    // Core gives its jobs to others when the lease has ended.
    await waitFor('the job to be free', async () => (await stateOf(id)) === 'ACTIVATED', {
      deadlineMs: 60_000,
    });
    const api = stolen(system, 'second').apiAt(system.url);
    expect((await ask(heartbeat, { id: second.workerId }, api)).data.heartbeat.userErrors).toEqual([]);
    second.process.signal('SIGTERM');
    expect(await second.process.exited).toMatchObject({ code: 0 });
  });
});
