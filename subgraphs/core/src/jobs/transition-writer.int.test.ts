import { beforeAll, describe, expect, test } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { collection, ensureCollections, systemClock } from '@rhizome/mongo';
import { leftovers, testDatabase, waitFor } from '@rhizome/testkit';
import type { Collection } from 'mongodb';
import { aJob } from './job.fixture.js';
import { jobsCollection } from './job.document.js';
import type { JobDocument } from './job.types.js';
import { GroupingTransitionWriter } from './transition-writer.js';
import type { AppliedTransition, TransitionRequest } from './transition.types.js';
import { transitionStore, type TransitionStore } from './transitions.repository.js';

let jobs: Collection<JobDocument>;
let serial = 0;
/** What every job of {@link aJob} is found by. */
const own = ['o:alpha:someone@example', 's:alpha/default'];

beforeAll(async () => {
  const db = await testDatabase('writer');
  await ensureCollections(db, [jobsCollection]);
  jobs = collection(db, jobsCollection);
});

function writerOn(store: TransitionStore = transitionStore(jobs), maxGroup = 500): GroupingTransitionWriter {
  return leftovers.use(
    new GroupingTransitionWriter({ store, clock: systemClock, log: silentLogger(), maxGroup }),
    'a transition writer',
  );
}

async function insert(count: number, over: Parameters<typeof aJob>[1] = {}): Promise<string[]> {
  const ids = Array.from({ length: count }, () => `job_${String((serial += 1)).padStart(8, '0')}`);
  await jobs.insertMany(ids.map((id) => aJob(id, over)));
  return ids;
}

async function read(id: string): Promise<JobDocument> {
  const found = await jobs.findOne({ _id: id });
  if (!found) throw new Error(`no job ${id}`);
  return found;
}

function grant(jobId: string, fence: number): TransitionRequest {
  return {
    jobId,
    from: 'ACTIVATED',
    to: 'SENT',
    by: 'broker',
    actor: 'system:broker',
    change: {
      grant: {
        workerId: `worker_${fence}`,
        queueId: 'queue_1',
        queue: 'main',
        fence,
        attemptId: `attempt_${fence}`,
        deviceIds: [],
      },
    },
  };
}

function step(
  jobId: string,
  from: JobDocument['state'],
  to: JobDocument['state'],
  fence: number,
  change: TransitionRequest['change'] = {},
): TransitionRequest {
  return { jobId, from, to, by: 'worker', actor: 'pilot:main', fence, change };
}

function cancel(jobId: string, from: JobDocument['state'], reason = 'no longer wanted'): TransitionRequest {
  return { jobId, from, to: 'CANCELLED', by: 'principal', actor: 'someone@example', reason };
}

describe('a life', () => {
  test('each step writes state, times, attempt, history and event, and each event comes entire over the change stream', async () => {
    const [id = ''] = await insert(1, { labels: [{ key: 'run', value: '7' }], priority: 3 });
    const stream = jobs.watch([{ $match: { operationType: 'update' } }]);
    leftovers.use(stream, 'a change stream');
    const events: unknown[] = [];
    let isOpen = false;
    stream.on('change', (change) => {
      const { updateDescription } = change as { updateDescription?: { updatedFields?: { last?: unknown } } };
      isOpen = true;
      if (updateDescription?.updatedFields && !('name' in updateDescription.updatedFields)) {
        events.push(updateDescription.updatedFields.last);
      }
    });
    await waitFor(
      'the stream to be open',
      async () => {
        await jobs.updateOne({ _id: id }, { $set: { name: `renamed ${serial++}` } });
        return isOpen;
      },
      { deadlineMs: 5000 },
    );
    const writer = writerOn();
    await writer.apply([grant(id, 8)]);
    await writer.apply([step(id, 'SENT', 'STARTING', 8)]);
    await writer.apply([step(id, 'STARTING', 'RUNNING', 8)]);
    const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'exit code 3', retryable: true } as const;
    await writer.apply([step(id, 'RUNNING', 'ACTIVATED', 8, { attemptEnd: { exitCode: 3, error } })]);
    await writer.apply([grant(id, 16)]);
    await writer.apply([step(id, 'SENT', 'RUNNING', 16)]);
    const metrics = { cpuSeconds: 1.5, isPartial: false };
    const outputs = [{ name: 'out', location: '/store/out', sizeBytes: 5, sha256: 'ab' }];
    await writer.apply([
      step(id, 'RUNNING', 'FINISHED', 16, { attemptEnd: { exitCode: 0, metrics }, outputs }),
    ]);
    const job = await read(id);
    expect(job).toMatchObject({
      state: 'FINISHED',
      revision: 8,
      attempt: 2,
      fence: 16,
      workerId: 'worker_16',
      exitCode: 0,
      metrics,
      outputs,
    });
    expect(job.error).toBeUndefined();
    expect(job.attempts).toMatchObject([
      { number: 1, fence: 8, outcome: 'FAILED', exitCode: 3, error: { code: 'EXIT_CODE' } },
      { number: 2, fence: 16, outcome: 'FINISHED', exitCode: 0, metrics },
    ]);
    expect(job.attempts[0]?.endedAt).toBeInstanceOf(Date);
    expect(job.transitions.map(({ from, to, attempt, revision }) => [revision, from, to, attempt])).toEqual([
      [2, 'ACTIVATED', 'SENT', 1],
      [3, 'SENT', 'STARTING', 1],
      [4, 'STARTING', 'RUNNING', 1],
      [5, 'RUNNING', 'ACTIVATED', 1],
      [6, 'ACTIVATED', 'SENT', 2],
      [7, 'SENT', 'RUNNING', 2],
      [8, 'RUNNING', 'FINISHED', 2],
    ]);
    expect(Object.keys(job.stateTimes).sort()).toEqual([
      'ACTIVATED',
      'FINISHED',
      'RUNNING',
      'SENT',
      'STARTING',
    ]);
    await waitFor('seven events', () => events.length >= 7, { deadlineMs: 5000 });
    expect(events).toHaveLength(7);
    for (const [position, event] of events.entries()) {
      expect(event).toMatchObject({
        revision: position + 2,
        experiment: 'alpha',
        share: 'alpha/default',
        owner: 'someone@example',
        labels: ['run=7'],
        classId: 'class_test',
        priority: 3,
        queue: 'main',
      });
    }
    expect(events[0]).not.toHaveProperty('previousQueue');
  });

  test('a backoff is found by its time until it ends, and by nothing while the job is held', async () => {
    const [id = ''] = await insert(1);
    const writer = writerOn();
    await writer.apply([grant(id, 24)]);
    const notBefore = new Date(Date.now() - 1000);
    await writer.apply([step(id, 'SENT', 'PENDING', 24, { notBefore })]);
    const key = `b:${notBefore.toISOString()}`;
    expect((await read(id)).lookup).toEqual([...own, key]);
    const hold = {
      jobId: id,
      from: 'PENDING',
      to: 'PENDING',
      by: 'principal',
      actor: 'someone@example',
    } as const;
    await writer.apply([{ ...hold, change: { hold: { by: 'someone@example', reason: 'wait' } } }]);
    expect((await read(id)).lookup).toEqual(own);
    expect((await read(id)).hold).toMatchObject({ by: 'someone@example', reason: 'wait' });
    const due = {
      jobId: id,
      from: 'PENDING',
      to: 'ACTIVATED',
      by: 'backoff',
      actor: 'system:backoff',
      change: { notBefore: null },
    } as const;
    expect(await writer.apply([due])).toMatchObject([{ applied: false, current: { state: 'PENDING' } }]);
    // Nothing but the hold is in the way: staying PENDING without it would be for ever.
    expect(await writer.apply([{ ...hold, change: { hold: null } }])).toMatchObject([{ applied: false }]);
    expect(await writer.apply([{ ...hold, to: 'ACTIVATED', change: { hold: null } }])).toMatchObject([
      { applied: true },
    ]);
    const job = await read(id);
    expect(job).toMatchObject({ state: 'ACTIVATED', lookup: own });
    expect(job.hold ?? job.notBefore).toBeUndefined();
  });

  test('a released job that is still in its backoff is found by its time again', async () => {
    const [id = ''] = await insert(1);
    const writer = writerOn();
    const notBefore = new Date(Date.now() + 60_000);
    await writer.apply([grant(id, 32)]);
    await writer.apply([step(id, 'SENT', 'PENDING', 32, { notBefore })]);
    const hold = { jobId: id, from: 'PENDING', to: 'PENDING', by: 'principal', actor: 'a' } as const;
    await writer.apply([{ ...hold, change: { hold: { by: 'a', reason: 'r' } } }]);
    expect(await writer.apply([{ ...hold, change: { hold: null } }])).toMatchObject([{ applied: true }]);
    expect(await read(id)).toMatchObject({
      state: 'PENDING',
      lookup: [...own, `b:${notBefore.toISOString()}`],
    });
  });

  test('the history keeps the newest 64 with their revisions', async () => {
    const [id = ''] = await insert(1);
    const writer = writerOn();
    for (let round = 0; round < 70; round += 1) {
      await writer.apply([
        {
          jobId: id,
          from: 'ACTIVATED',
          to: 'ACTIVATED',
          by: 'principal',
          actor: 'a',
          change: { priority: round },
        },
      ]);
    }
    const job = await read(id);
    expect(job.transitions).toHaveLength(64);
    expect(job.transitions.map(({ revision }) => revision)).toEqual(
      Array.from({ length: 64 }, (_, at) => at + 8),
    );
    expect(job).toMatchObject({ revision: 71, priority: 69, last: { priority: 69, previousPriority: 68 } });
  });
});

describe('groups', () => {
  test('each caller is answered for its own jobs, with the present state where a request is refused', async () => {
    const ids = await insert(40);
    const writer = writerOn();
    await writer.apply(ids.slice(0, 10).map((id, at) => grant(id, 1000 + at * 8)));
    const [a, b] = await Promise.all([
      writer.apply(ids.slice(0, 20).map((id) => cancel(id, 'ACTIVATED'))),
      writer.apply([...ids.slice(20, 40), 'job_missing'].map((id) => cancel(id, 'ACTIVATED'))),
    ]);
    expect(a.slice(0, 10)).toEqual(
      ids.slice(0, 10).map((jobId, at) => ({
        applied: false,
        jobId,
        current: { state: 'SENT', fence: 1000 + at * 8, revision: 2, workerId: `worker_${1000 + at * 8}` },
      })),
    );
    expect(a.slice(10).every(({ applied }) => applied)).toBe(true);
    expect(b.slice(0, 20).every(({ applied }) => applied)).toBe(true);
    expect(b[20]).toEqual({ applied: false, jobId: 'job_missing', current: null });
  });

  test('values of each job are its own, also where the guard is the fence', async () => {
    const ids = await insert(30);
    const writer = writerOn();
    await writer.apply(ids.map((id, at) => grant(id, 5000 + at * 8)));
    await writer.apply(ids.map((id, at) => step(id, 'SENT', 'RUNNING', 5000 + at * 8)));
    const outcomes = await writer.apply(
      ids.map((id, at) =>
        step(id, 'RUNNING', 'FINISHED', 5000 + at * 8 + (at % 3 === 0 ? 1 : 0), {
          attemptEnd: { exitCode: at },
        }),
      ),
    );
    for (const [at, id] of ids.entries()) {
      const job = await read(id);
      expect(outcomes[at]?.applied).toBe(at % 3 !== 0);
      if (at % 3 === 0) expect(job).toMatchObject({ state: 'RUNNING', fence: 5000 + at * 8 });
      else
        expect(job).toMatchObject({ state: 'FINISHED', exitCode: at, workerId: `worker_${5000 + at * 8}` });
    }
  });

  test('requests for one job go one after the other, in the order in which they came', async () => {
    const ids = await insert(50);
    const writer = writerOn();
    const calls = ids.map((id, at) => {
      const fence = 9000 + at * 8;
      return [
        grant(id, fence),
        step(id, 'SENT', 'STARTING', fence),
        step(id, 'STARTING', 'RUNNING', fence),
        step(id, 'RUNNING', 'FINISHED', fence),
      ];
    });
    const answers = await Promise.all(calls.flat().map((request) => writer.apply([request])));
    expect(answers.flat().every(({ applied }) => applied)).toBe(true);
    expect(await jobs.countDocuments({ _id: { $in: ids }, state: 'FINISHED', revision: 5 })).toBe(50);
  });

  test('more requests than a group holds are written in several', async () => {
    const ids = await insert(120);
    const sizes: number[] = [];
    const store = transitionStore(jobs);
    const writer = writerOn(
      {
        read: (all) => store.read(all),
        write: (group) => (sizes.push(group.requests.length), store.write(group)),
      },
      50,
    );
    await writer.apply(ids.map((id) => cancel(id, 'ACTIVATED')));
    expect(sizes.sort((a, b) => a - b)).toEqual([20, 50, 50]);
  });
});

describe('races', () => {
  test('of two processes that want different ends for a job, exactly one has it, and terminal is final', async () => {
    const ids = await insert(200);
    const left = writerOn();
    const right = writerOn();
    const [a, b] = await Promise.all([
      left.apply(ids.map((id) => cancel(id, 'ACTIVATED', 'left'))),
      right.apply(
        ids.map((id): TransitionRequest => ({
          jobId: id,
          from: 'ACTIVATED',
          to: 'CLOSED',
          by: 'system',
          actor: 'system:expiry',
          reason: 'right',
        })),
      ),
    ]);
    for (const [at, id] of ids.entries()) {
      expect(Number(a[at]?.applied) + Number(b[at]?.applied)).toBe(1);
      const job = await read(id);
      expect(job.state).toBe(a[at]?.applied ? 'CANCELLED' : 'CLOSED');
      expect(job.transitions).toHaveLength(1);
    }
    const again = await left.apply(ids.map((id) => cancel(id, 'ACTIVATED')));
    expect(again.some(({ applied }) => applied)).toBe(false);
  });

  test('of two leaders that grant the same jobs at the same time, one has each job, and its fence stands in the document', async () => {
    const ids = await insert(200);
    const [a, b] = await Promise.all([
      writerOn().apply(ids.map((id, at) => grant(id, 100_000 + at * 8))),
      writerOn().apply(ids.map((id, at) => grant(id, 200_000 + at * 8))),
    ]);
    for (const [at, id] of ids.entries()) {
      expect(Number(a[at]?.applied) + Number(b[at]?.applied)).toBe(1);
      const job = await read(id);
      expect(job.fence).toBe((a[at]?.applied ? 100_000 : 200_000) + at * 8);
      expect(job.attempts).toHaveLength(1);
    }
  });

  test('a cancel raises the fence: the word of the worker that comes later is void', async () => {
    const [id = ''] = await insert(1);
    const writer = writerOn();
    await writer.apply([grant(id, 300_000)]);
    await writer.apply([cancel(id, 'SENT')]);
    expect(await read(id)).toMatchObject({
      state: 'CANCELLED',
      fence: 300_001,
      attempts: [{ outcome: 'CANCELLED' }],
    });
    expect(await writer.apply([step(id, 'SENT', 'RUNNING', 300_000)])).toMatchObject([
      { applied: false, current: { state: 'CANCELLED' } },
    ]);
  });

  test('the word of an older attempt is refused although the state fits', async () => {
    const [id = ''] = await insert(1);
    const writer = writerOn();
    await writer.apply([grant(id, 400_000)]);
    await writer.apply([
      { jobId: id, from: 'SENT', to: 'ACTIVATED', by: 'lease', actor: 'system:lease', fence: 400_000 },
    ]);
    await writer.apply([grant(id, 400_008)]);
    expect(await writer.apply([step(id, 'SENT', 'RUNNING', 400_000)])).toMatchObject([
      { applied: false, current: { state: 'SENT', fence: 400_008 } },
    ]);
    expect(await writer.apply([step(id, 'SENT', 'RUNNING', 400_008)])).toMatchObject([{ applied: true }]);
  });
});

describe('faults', () => {
  test('a write whose answer was lost counts once, whether or not it had happened', async () => {
    const ids = await insert(20);
    const store = transitionStore(jobs);
    let calls = 0;
    const lossy: TransitionStore = {
      read: (all) => store.read(all),
      async write(group) {
        calls += 1;
        if (calls > 2) return store.write(group);
        if (calls === 2) await store.write(group);
        return null;
      },
    };
    const writer = writerOn(lossy);
    const told: AppliedTransition[] = [];
    writer.onApplied((applied) => told.push(...applied));
    // The first write is lost before the store has it, its repetition after.
    await expect(writer.apply(ids.slice(0, 10).map((id) => cancel(id, 'ACTIVATED')))).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
    calls = 1;
    const outcomes = await writer.apply(ids.slice(10).map((id) => cancel(id, 'ACTIVATED')));
    expect(outcomes.every(({ applied }) => applied)).toBe(true);
    expect(await jobs.countDocuments({ _id: { $in: ids }, state: 'CANCELLED', revision: 2 })).toBe(20);
    expect(told).toHaveLength(10);
  });

  test('an edge that the machine does not have is refused before anything is written', async () => {
    const ids = await insert(2);
    const writer = writerOn();
    const wrong = { ...cancel(ids[1] ?? '', 'ACTIVATED'), to: 'RUNNING' } as const;
    await expect(writer.apply([cancel(ids[0] ?? '', 'ACTIVATED'), wrong])).rejects.toThrow(
      'no edge from ACTIVATED to RUNNING',
    );
    expect(await read(ids[0] ?? '')).toMatchObject({ state: 'ACTIVATED', revision: 1 });
    await expect(writer.apply([{ ...cancel(ids[0] ?? '', 'ACTIVATED'), by: 'worker' }])).rejects.toThrow(
      'worker may not take',
    );
  });

  test('closing writes what waits and takes no more', async () => {
    const ids = await insert(30);
    const writer = writerOn();
    const answers = writer.apply(ids.map((id) => cancel(id, 'ACTIVATED')));
    await writer.close();
    expect((await answers).every(({ applied }) => applied)).toBe(true);
    await expect(writer.apply([cancel(ids[0] ?? '', 'ACTIVATED')])).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
    });
  });
});
