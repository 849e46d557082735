/** For tests of live streams: a core with a queue, and messages of its subscriptions. */
import { beforeEach, expect } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { waitFor, type TestDatabase } from '@rhizome/testkit';
import {
  admin,
  type Answer,
  pilotOf,
  seed,
  startCore,
  type TestCore,
  type TestStream,
} from './core.fixture.js';

/** A core of each test, with a queue "north" whose creation its streams have delivered. */
export interface LiveCore {
  /** The current core. */
  readonly core: TestCore;
  /** Stops the core, and starts another one on its database. */
  readonly restart: () => Promise<void>;
  /** Subscribes. Resolves after the opening message. */
  readonly opened: (text: string, variables?: object, principal?: Principal) => Promise<TestStream>;
}

/** Creates the core for each test of the file. */
export function liveCore(): LiveCore {
  let core: TestCore & { readonly db: TestDatabase };
  beforeEach(async () => {
    core = await startCore();
    const stream = core.subscribe('subscription { queueChanged { event { queue { name } } } }');
    await untilReceived(stream, 1);
    await seed(core);
    // The stream has delivered the existing state: tests start after it.
    await untilReceived(stream, 2);
    await stream.close();
  });
  return {
    get core() {
      return core;
    },
    restart: async () => {
      await core.stop();
      core = await startCore({ db: core.db });
    },
    opened: async (text, variables = {}, principal = admin) => {
      const stream = core.subscribe(text, variables, principal);
      await untilReceived(stream, 1);
      return stream;
    },
  };
}

/** Messages of the subscription's only field; fails the test if one has errors. */
export function messagesOf(stream: TestStream): readonly Answer[] {
  return stream.results.map(({ data, errors }) => {
    if (errors) throw new Error(JSON.stringify(errors));
    return Object.values(data as Record<string, Answer>)[0] as Answer;
  });
}

/** Events of a stream's messages; null for the opening one. */
export function eventsOf(stream: TestStream): readonly (Answer | null)[] {
  return messagesOf(stream).map(({ event }) => event ?? null);
}

/** Waits until a stream has received this number of messages. @returns all its messages */
export async function untilReceived(stream: TestStream, count: number): Promise<readonly Answer[]> {
  await waitFor(`${count} messages`, () => stream.results.length >= count, { deadlineMs: 60_000 });
  return messagesOf(stream);
}

/** Registers a worker with eight cores. @returns its id */
export async function registerWorker(
  core: TestCore,
  name: string,
  devices: readonly object[] = [],
  queue = 'north',
): Promise<string> {
  const hardware = { architecture: 'x86_64', cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
  const input = { queue, host: 'host-1', name, hardware, devices, version: '1', idempotencyKey: name };
  const { registerWorker: answer } = await core.ask(
    'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
    { input },
    pilotOf(queue),
  );
  return String(answer?.['worker']?.['id']);
}

/** Submits jobs and acquires them one after the other for a worker. */
export async function runningJobs(
  core: TestCore,
  workerId: string,
  jobs: readonly object[],
  freeDeviceIds: readonly string[] = [],
  queue = 'north',
): Promise<readonly { readonly id: string; readonly fence: number }[]> {
  const key = JSON.stringify([workerId, jobs]);
  const { submitJobs } = await core.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }',
    {
      input: {
        experiment: 'alpha',
        idempotencyKey: key,
        jobs: jobs.map((job, at) => ({ name: `job ${at}`, payload: { command: 'true' }, ...job })),
      },
    },
  );
  expect(submitJobs?.['userErrors']).toEqual([]);
  return acquired(core, workerId, jobs.length, freeDeviceIds, queue);
}

/** Acquires jobs for a worker, one after the other. */
export async function acquired(
  core: TestCore,
  workerId: string,
  wanted: number,
  freeDeviceIds: readonly string[] = [],
  queue = 'north',
): Promise<readonly { readonly id: string; readonly fence: number }[]> {
  const free = { cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
  const held: { id: string; fence: number }[] = [];
  while (held.length < wanted) {
    const input = { workerId, count: wanted - held.length, free, freeDeviceIds, waitSeconds: 60 };
    const { acquireJobs } = await core.ask(
      'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { fence job { id } } userErrors { message } } }',
      { input },
      pilotOf(queue),
    );
    const got = acquireJobs?.['assignments'] as unknown as readonly Answer[];
    if (got.length === 0) throw new Error(JSON.stringify(acquireJobs));
    held.push(...got.map((one) => ({ id: String(one['job']?.['id']), fence: Number(one['fence']) })));
  }
  return held;
}

/** Reports a job of a worker. */
export async function report(
  core: TestCore,
  field: 'startJobs' | 'finishJobs' | 'failJobs',
  workerId: string,
  job: object,
  queue = 'north',
): Promise<void> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const answer = await core.ask(
    `mutation ($input: ${type}!) { ${field}(input: $input) { acceptedIds userErrors { message } } }`,
    { input: { workerId, jobs: [job] } },
    pilotOf(queue),
  );
  expect(answer[field]?.['userErrors']).toEqual([]);
}
