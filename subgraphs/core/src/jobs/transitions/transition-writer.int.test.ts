import { beforeAll, describe, expect, it } from '@jest/globals';
import { leftovers, waitFor } from '@rhizome/testkit';
import {
  cancel,
  grant,
  step,
  type WriterWorld,
  writerWorld,
} from '../../../test/support/transitions.fixture.js';
import { transitionStore } from './transitions.repository.js';

let world: WriterWorld;
/** Look-up keys of every job of {@link aJob}. */
const own = ['o:alpha:someone@example', 's:alpha/default'];

beforeAll(async () => {
  world = await writerWorld();
});

describe('the transitions of a job', () => {
  it('writes state, times, attempt, history and event in each step, with complete events in the change stream', async () => {
    const [id = ''] = await world.insert(1, { labels: [{ key: 'run', value: '7' }], priority: 3 });
    const stream = world.jobs.watch([{ $match: { operationType: 'update' } }]);
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
    let renamed = 0;
    await waitFor(
      'the stream to be open',
      async () => {
        await world.jobs.updateOne({ _id: id }, { $set: { name: `renamed ${(renamed += 1)}` } });
        return isOpen;
      },
      { deadlineMs: 60_000 },
    );
    const writer = world.writerOn();
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
    const job = await world.read(id);
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
    await waitFor('seven events', () => events.length >= 7, { deadlineMs: 60_000 });
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

  it('finds a backoff by its time until it ends, and not while the job is held', async () => {
    const [id = ''] = await world.insert(1);
    const writer = world.writerOn();
    await writer.apply([grant(id, 24)]);
    const notBefore = new Date(Date.now() - 1000);
    await writer.apply([step(id, 'SENT', 'PENDING', 24, { notBefore })]);
    const key = `b:${notBefore.toISOString()}`;
    expect((await world.read(id)).lookup).toEqual([...own, key]);
    const hold = {
      jobId: id,
      from: 'PENDING',
      to: 'PENDING',
      by: 'principal',
      actor: 'someone@example',
    } as const;
    await writer.apply([{ ...hold, change: { hold: { by: 'someone@example', reason: 'wait' } } }]);
    expect((await world.read(id)).lookup).toEqual(own);
    expect((await world.read(id)).hold).toMatchObject({ by: 'someone@example', reason: 'wait' });
    const due = {
      jobId: id,
      from: 'PENDING',
      to: 'ACTIVATED',
      by: 'backoff',
      actor: 'system:backoff',
      change: { notBefore: null },
    } as const;
    expect(await writer.apply([due])).toMatchObject([{ applied: false, current: { state: 'PENDING' } }]);
    // Only the hold delays the job: without it, it would stay PENDING forever.
    expect(await writer.apply([{ ...hold, change: { hold: null } }])).toMatchObject([{ applied: false }]);
    expect(await writer.apply([{ ...hold, to: 'ACTIVATED', change: { hold: null } }])).toMatchObject([
      { applied: true },
    ]);
    const job = await world.read(id);
    expect(job).toMatchObject({ state: 'ACTIVATED', lookup: own });
    expect(job.hold ?? job.notBefore).toBeUndefined();
  });

  it('finds a released job in its backoff by its time again', async () => {
    const [id = ''] = await world.insert(1);
    const writer = world.writerOn();
    const notBefore = new Date(Date.now() + 60_000);
    await writer.apply([grant(id, 32)]);
    await writer.apply([step(id, 'SENT', 'PENDING', 32, { notBefore })]);
    const hold = { jobId: id, from: 'PENDING', to: 'PENDING', by: 'principal', actor: 'a' } as const;
    await writer.apply([{ ...hold, change: { hold: { by: 'a', reason: 'r' } } }]);
    expect(await writer.apply([{ ...hold, change: { hold: null } }])).toMatchObject([{ applied: true }]);
    expect(await world.read(id)).toMatchObject({
      state: 'PENDING',
      lookup: [...own, `b:${notBefore.toISOString()}`],
    });
  });

  it('keeps the newest 64 history entries with their revisions', async () => {
    const [id = ''] = await world.insert(1);
    const writer = world.writerOn();
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
    const job = await world.read(id);
    expect(job.transitions).toHaveLength(64);
    expect(job.transitions.map(({ revision }) => revision)).toEqual(
      Array.from({ length: 64 }, (_, at) => at + 8),
    );
    expect(job).toMatchObject({ revision: 71, priority: 69, last: { priority: 69, previousPriority: 68 } });
  });
});

describe('groups', () => {
  it('answers each caller for its own jobs, with the current state of refused ones', async () => {
    const ids = await world.insert(40);
    const writer = world.writerOn();
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

  it('writes each job its own values, also with the fence as guard', async () => {
    const ids = await world.insert(30);
    const writer = world.writerOn();
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
      const job = await world.read(id);
      expect(outcomes[at]?.applied).toBe(at % 3 !== 0);
      if (at % 3 === 0) expect(job).toMatchObject({ state: 'RUNNING', fence: 5000 + at * 8 });
      else
        expect(job).toMatchObject({ state: 'FINISHED', exitCode: at, workerId: `worker_${5000 + at * 8}` });
    }
  });

  it('applies the requests for one job in the order of their arrival', async () => {
    const ids = await world.insert(50);
    const writer = world.writerOn();
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
    expect(await world.jobs.countDocuments({ _id: { $in: ids }, state: 'FINISHED', revision: 5 })).toBe(50);
  });

  it('splits requests beyond the size of a group into several writes', async () => {
    const ids = await world.insert(120);
    const sizes: number[] = [];
    const store = transitionStore(world.jobs);
    const writer = world.writerOn(
      {
        read: (all) => store.read(all),
        write: (group) => (sizes.push(group.requests.length), store.write(group)),
      },
      50,
    );
    await writer.apply(ids.map((id) => cancel(id, 'ACTIVATED')));
    expect(sizes.sort((a, b) => a - b)).toEqual([20, 50, 50]);
  });

  it('divides reports with many outputs into writes that the store takes', async () => {
    const ids = await world.insert(12);
    await world.writerOn().apply(ids.map((id, at) => grant(id, 80_000 + at * 8)));
    const location = 'x'.repeat(1500);
    const outputs = Array.from({ length: 1000 }, (_, at) => ({
      ...{ name: `plots/${at}.png`, location, sizeBytes: at, sha256: 'ab'.repeat(32) },
    }));
    await world.writerOn().apply(ids.map((id, at) => step(id, 'SENT', 'RUNNING', 80_000 + at * 8)));
    const finished = ids.map((id, at) => step(id, 'RUNNING', 'FINISHED', 80_000 + at * 8, { outputs }));
    const outcomes = await world.writerOn().apply(finished);
    expect(outcomes.map(({ applied }) => applied)).toEqual(ids.map(() => true));
    expect((await world.read(ids[11] ?? '')).outputs).toHaveLength(1000);
  });
});
