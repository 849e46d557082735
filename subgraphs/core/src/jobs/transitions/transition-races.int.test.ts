import { beforeAll, describe, expect, it } from '@jest/globals';
import type { AppliedTransition, TransitionRequest } from './transition.types.js';
import {
  cancel,
  grant,
  step,
  type WriterWorld,
  writerWorld,
} from '../../../test/support/transitions.fixture.js';
import { transitionStore, type TransitionStore } from './transitions.repository.js';

let world: WriterWorld;

beforeAll(async () => {
  world = await writerWorld();
});

describe('concurrent transitions', () => {
  it('ends a job once if two processes request different ends, and keeps it terminal', async () => {
    const ids = await world.insert(200);
    const left = world.writerOn();
    const right = world.writerOn();
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
      const job = await world.read(id);
      expect(job.state).toBe(a[at]?.applied ? 'CANCELLED' : 'CLOSED');
      expect(job.transitions).toHaveLength(1);
    }
    const repeat = await left.apply(ids.map((id) => cancel(id, 'ACTIVATED')));
    expect(repeat.some(({ applied }) => applied)).toBe(false);
  });

  it('grants each job once if two leaders grant the same jobs, and stores the fence of that grant', async () => {
    const ids = await world.insert(200);
    const [a, b] = await Promise.all([
      world.writerOn().apply(ids.map((id, at) => grant(id, 100_000 + at * 8))),
      world.writerOn().apply(ids.map((id, at) => grant(id, 200_000 + at * 8))),
    ]);
    for (const [at, id] of ids.entries()) {
      expect(Number(a[at]?.applied) + Number(b[at]?.applied)).toBe(1);
      const job = await world.read(id);
      expect(job.fence).toBe((a[at]?.applied ? 100_000 : 200_000) + at * 8);
      expect(job.attempts).toHaveLength(1);
    }
  });

  it('raises the fence on a cancel, so that a later report of the worker is refused', async () => {
    const [id = ''] = await world.insert(1);
    const writer = world.writerOn();
    await writer.apply([grant(id, 300_000)]);
    await writer.apply([cancel(id, 'SENT')]);
    expect(await world.read(id)).toMatchObject({
      state: 'CANCELLED',
      fence: 300_001,
      attempts: [{ outcome: 'CANCELLED' }],
    });
    expect(await writer.apply([step(id, 'SENT', 'RUNNING', 300_000)])).toMatchObject([
      { applied: false, current: { state: 'CANCELLED' } },
    ]);
  });

  it('refuses a report of an earlier attempt even if the state matches', async () => {
    const [id = ''] = await world.insert(1);
    const writer = world.writerOn();
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

describe('failures of the store', () => {
  it('applies a write whose answer was lost once, whether or not it succeeded', async () => {
    const ids = await world.insert(20);
    const store = transitionStore(world.jobs);
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
    const writer = world.writerOn(lossy);
    const notified: AppliedTransition[] = [];
    writer.onApplied((applied) => notified.push(...applied));
    // The first write is lost before the store has it, its repetition after that.
    await expect(writer.apply(ids.slice(0, 10).map((id) => cancel(id, 'ACTIVATED')))).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
    calls = 1;
    const outcomes = await writer.apply(ids.slice(10).map((id) => cancel(id, 'ACTIVATED')));
    expect(outcomes.every(({ applied }) => applied)).toBe(true);
    expect(await world.jobs.countDocuments({ _id: { $in: ids }, state: 'CANCELLED', revision: 2 })).toBe(20);
    expect(notified).toHaveLength(10);
  });

  it('refuses an edge that the machine does not have, before any write', async () => {
    const ids = await world.insert(2);
    const writer = world.writerOn();
    const wrong = { ...cancel(ids[1] ?? '', 'ACTIVATED'), to: 'FINISHED' } as const;
    await expect(writer.apply([cancel(ids[0] ?? '', 'ACTIVATED'), wrong])).rejects.toThrow(
      'no edge from ACTIVATED to FINISHED',
    );
    expect(await world.read(ids[0] ?? '')).toMatchObject({ state: 'ACTIVATED', revision: 1 });
    await expect(writer.apply([{ ...cancel(ids[0] ?? '', 'ACTIVATED'), by: 'worker' }])).rejects.toThrow(
      'worker may not use',
    );
  });

  it('writes pending requests on close and accepts no more', async () => {
    const ids = await world.insert(30);
    const writer = world.writerOn();
    const answers = writer.apply(ids.map((id) => cancel(id, 'ACTIVATED')));
    await writer.close();
    expect((await answers).every(({ applied }) => applied)).toBe(true);
    await expect(writer.apply([cancel(ids[0] ?? '', 'ACTIVATED')])).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
    });
  });
});
