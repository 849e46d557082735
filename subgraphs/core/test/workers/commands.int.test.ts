import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { aQueue } from '../support/scheduler.fixture.js';
import type { CommandsMessage } from '../../src/workers/commands/command-hub.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { submitJobs } from '../support/fleet-jobs.fixture.js';
import { pilotOf, TestWorker } from '../support/test-worker.fixture.js';

let db: TestDatabase;
let fleet: TestFleet;

beforeAll(async () => {
  db = await fleetDatabase();
  fleet = await startFleet(db, {
    queues: [aQueue({}), aQueue({ id: 'queue_2', name: 'closed', experiments: ['beta'] })],
  });
  await waitFor('the broker leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
});

async function listen(worker: TestWorker): Promise<AsyncIterableIterator<CommandsMessage>> {
  const commands = await fleet.services.workers.commands(pilotOf('main'), worker.id);
  expect((await commands.next()).value).toEqual({ sequence: 0, commands: [] });
  return commands;
}

const next = (name: string, commands: AsyncIterable<CommandsMessage>) =>
  waitFor(name, commands, { deadlineMs: 60_000 });

describe('commands to a worker', () => {
  it('sends WORK when jobs that fit became ready, and not for those that do not', async () => {
    const worker = await TestWorker.register(fleet, { cores: 4 });
    const commands = await listen(worker);
    await submitJobs(db, 3, { requirements: { cores: 64 } });
    await submitJobs(db, 1, { requirements: { cores: 2 } });
    const message = await next('the word of work', commands);
    expect(message).toEqual({ sequence: 1, commands: [{ kind: 'WORK', reason: 'jobs became ready' }] });
    await commands.return?.();
    await worker.finish(await worker.acquire(4, { waitSeconds: 60 }));
  });

  it('sends DROP for an unknown job, a job of another worker, and a revoked job', async () => {
    const [worker, other] = [await TestWorker.register(fleet), await TestWorker.register(fleet)];
    await submitJobs(db, 2);
    const [mine] = await worker.acquireInAll(1);
    const [theirs] = await other.acquireInAll(1);
    if (!mine || !theirs) throw new Error('no grants');
    const nowhere = { ...mine, jobId: 'job_nowhere' };
    const old = { ...mine, fence: mine.fence - 8 };
    expect((await worker.heartbeat([mine])).commands).toEqual([]);
    expect(
      (await worker.heartbeat([theirs, nowhere])).commands.map(({ kind, jobId }) => [kind, jobId]),
    ).toEqual([
      ['DROP', theirs.jobId],
      ['DROP', 'job_nowhere'],
    ]);
    expect((await worker.heartbeat([old])).commands).toEqual([
      expect.objectContaining({ kind: 'DROP', fence: old.fence }),
    ]);
    await worker.finish([mine]);
    await other.finish([theirs]);
  });

  it('sends DRAIN when the queue goes offline, at once and with each heartbeat', async () => {
    const worker = await TestWorker.register(fleet);
    const commands = await listen(worker);
    fleet.queues[0] = aQueue({ state: 'OFFLINE', revision: 2 });
    expect((await next('the order', commands)).commands).toEqual([
      { kind: 'DRAIN', reason: 'queue main is OFFLINE' },
    ]);
    expect((await worker.heartbeat()).commands).toEqual([{ kind: 'DRAIN', reason: 'queue main is OFFLINE' }]);
    const again = await fleet.services.workers.commands(pilotOf('main'), worker.id);
    expect((await again.next()).value).toEqual({
      sequence: 0,
      commands: [{ kind: 'DRAIN', reason: 'queue main is OFFLINE' }],
    });
    await Promise.all([commands.return?.(), again.return?.()]);
    fleet.queues[0] = aQueue({ revision: 3 });
  });

  it('accepts the pilots of the queue, and live workers', async () => {
    const worker = await TestWorker.register(fleet);
    const refusal = async (principal: Principal, id: string): Promise<string> => {
      const error: unknown = await fleet.services.workers
        .commands(principal, id)
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'WORKER_NOT_FOUND' });
      return (error as Error).message.replace(id, 'ID');
    };
    // A pilot of another queue, or the credential of another worker, does not learn that the worker exists.
    const missing = await refusal(pilotOf('main'), 'worker_nowhere');
    expect(await refusal(pilotOf('closed'), worker.id)).toBe(missing);
    expect(await refusal({ ...pilotOf('main'), worker: 'worker_other' }, worker.id)).toBe(missing);
  });
});

describe('workers', () => {
  it('shows workers to principals that may see their queues', async () => {
    const [open, closed] = [
      await TestWorker.register(fleet),
      await TestWorker.register(fleet, { queue: 'closed' }),
    ];
    const { workerDirectory: workers } = fleet.services;
    const seenBy = async (experiment: string) => {
      const principal = testPrincipal({ grants: { [experiment]: 'READER' } });
      const page = await workers.page(principal, { ids: [open.id, closed.id] }, { first: 10, after: null });
      return page.nodes.map(({ _id }) => _id).sort();
    };
    expect(await seenBy('alpha')).toEqual([open.id]);
    expect(await seenBy('beta')).toEqual([open.id, closed.id].sort());
    expect(
      (await workers.page(testPrincipal(), { queues: ['closed'] }, { first: 10, after: null })).nodes.map(
        ({ _id }) => _id,
      ),
    ).toEqual([closed.id]);
    expect(
      (await workers.page(testPrincipal(), { queues: ['nowhere'] }, { first: 10, after: null })).nodes,
    ).toEqual([]);
    const ids = [open.id, closed.id];
    const found = async (experiment: string) =>
      (await workers.findMany(ids, testPrincipal({ grants: { [experiment]: 'READER' } }))).map(
        (worker) => worker?._id,
      );
    expect(await found('alpha')).toEqual([open.id, undefined]);
    expect(await found('beta')).toEqual(ids);
    await expect(
      workers.page(
        testPrincipal(),
        { ids: Array.from({ length: 1001 }, (_, i) => `worker_${i}`) },
        { first: 10, after: null },
      ),
    ).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});
