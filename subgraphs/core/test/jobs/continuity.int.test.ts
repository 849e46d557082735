import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, pilotOf, seed, startCore, type TestCore } from '../support/core.fixture.js';

let core: TestCore;

beforeAll(async () => {
  core = await startCore();
  await seed(core);
  const experiment = {
    name: 'bounded',
    title: 'Bounded',
    continuity: { defaultContinueSeconds: 3600, maxContinueSeconds: 7200, minReassignAfterSeconds: 60 },
  };
  const { registerExperiment } = await core.ask(
    `mutation ($input: RegisterExperimentInput!) {
      registerExperiment(input: $input) { experiment { continuity { maxContinueSeconds } } userErrors { message } }
    }`,
    { input: experiment },
  );
  expect(registerExperiment).toEqual({
    experiment: { continuity: { maxContinueSeconds: 7200 } },
    userErrors: [],
  });
});

afterAll(() => core.stop());

const times = '{ onDisconnect continueSeconds reassignAfterSeconds }';

async function submitted(name: string, continuity?: object): Promise<Answer> {
  const job = { name, payload: { command: 'true' }, ...(continuity ? { continuity } : {}) };
  const { submitJobs } = await core.ask(
    `mutation ($input: SubmitJobsInput!) {
      submitJobs(input: $input) { jobs { id continuity ${times} } userErrors { path code message } }
    }`,
    { input: { experiment: 'bounded', idempotencyKey: name, jobs: [job] } },
  );
  return submitJobs as unknown as Answer;
}

describe('submitJobs', () => {
  it('applies the defaults of the experiment', async () => {
    expect(await submitted('plain')).toMatchObject({
      jobs: [{ continuity: { onDisconnect: 'CONTINUE', continueSeconds: 3600, reassignAfterSeconds: 600 } }],
    });
    expect(await submitted('stops', { onDisconnect: 'STOP' })).toMatchObject({
      jobs: [{ continuity: { onDisconnect: 'STOP', continueSeconds: 0, reassignAfterSeconds: 0 } }],
    });
  });

  it('refuses times beyond the bounds of the experiment', async () => {
    expect(await submitted('long', { continueSeconds: 7201 })).toMatchObject({
      jobs: [null],
      userErrors: [
        {
          path: ['jobs', '0', 'continuity', 'continueSeconds'],
          code: 'INVALID_VALUE',
          message: 'jobs.0.continuity.continueSeconds: 7201 is too large; must be at most 7200',
        },
      ],
    });
    expect(await submitted('hasty', { reassignAfterSeconds: 59 })).toMatchObject({
      userErrors: [{ message: expect.stringContaining('59 is too small; must be at least 60') }],
    });
  });
});

describe('updateExperiment', () => {
  const update = (continuity: object) =>
    core.ask(
      'mutation ($input: UpdateExperimentInput!) { updateExperiment(input: $input) { userErrors { message } } }',
      { input: { name: 'bounded', continuity } },
    );

  it('applies new defaults and bounds to jobs that are submitted from then on', async () => {
    const before = await submitted('before');
    await update({ defaultContinueSeconds: 7000, minReassignAfterSeconds: null });
    expect(await submitted('after')).toMatchObject({ jobs: [{ continuity: { continueSeconds: 7000 } }] });
    expect(await submitted('no longer hasty', { reassignAfterSeconds: 1 })).toMatchObject({ userErrors: [] });
    expect(await submitted('before')).toEqual(before);
    await update({ defaultContinueSeconds: 3600, minReassignAfterSeconds: 60 });
  });
});

describe('acquireJobs', () => {
  it('applies the bounds of the queue, and sends the time to the worker', async () => {
    const { createQueue } = await core.ask(
      `mutation ($input: CreateQueueInput!) {
        createQueue(input: $input) { queue { continuity { maxContinueSeconds } } userErrors { message } }
      }`,
      {
        input: {
          name: 'brief',
          site: 'home',
          experiments: ['bounded'],
          continuity: { maxContinueSeconds: 1000 },
        },
      },
    );
    expect(createQueue).toEqual({ queue: { continuity: { maxContinueSeconds: 1000 } }, userErrors: [] });
    const { jobs } = await submitted('granted', { continueSeconds: 5000, reassignAfterSeconds: 2000 });
    const hardware = { architecture: 'x86_64', cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
    const input = { queue: 'brief', host: 'h', name: 'w', hardware, version: '1', idempotencyKey: 'w' };
    const { registerWorker } = await core.ask(
      'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } commands { kind } } }',
      { input },
      pilotOf('brief'),
    );
    expect(registerWorker?.['commands']).toEqual([]);
    const workerId = registerWorker?.['worker']?.['id'];
    const free = { cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
    const seen: Record<string, unknown>[] = [];
    const id = (jobs as unknown as { id: string }[])[0]?.id;
    while (!seen.some((one) => one['id'] === id)) {
      const { acquireJobs } = await core.ask(
        `mutation ($input: AcquireJobsInput!) {
          acquireJobs(input: $input) { assignments { continueSeconds job { id attempts { continuity ${times} } } } }
        }`,
        { input: { workerId, count: 10, free, waitSeconds: 60 } },
        pilotOf('brief'),
      );
      const granted = acquireJobs?.['assignments'] as unknown as { continueSeconds: number; job: object }[];
      seen.push(...granted.map(({ continueSeconds, job }) => ({ continueSeconds, ...job })));
    }
    expect(seen.find((one) => one['id'] === id)).toEqual({
      id,
      continueSeconds: 1000,
      attempts: [
        { continuity: { onDisconnect: 'CONTINUE', continueSeconds: 1000, reassignAfterSeconds: 1000 } },
      ],
    });
  });
});
