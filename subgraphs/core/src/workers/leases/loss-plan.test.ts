import { describe, expect, it } from '@jest/globals';
import { aGpu, anEntry, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { planLoss } from './loss-plan.js';

const at = (second: number): Date => new Date(second * 1000);
const lostAt = at(1000);

const runsOn = (jobId: string, continueSeconds: number, reassignAfterSeconds: number) =>
  anEntry({ jobId, continuity: { continueSeconds, reassignAfterSeconds } });

describe('planLoss', () => {
  it('loses a worker without jobs, or whose payloads stop with the lease, at once', () => {
    expect(planLoss({ lostAt }, [], lostAt).isOver).toBe(true);
    expect(planLoss({ lostAt }, [runsOn('stops', 0, 0)], lostAt).isOver).toBe(true);
  });

  it('requeues payloads that stop at once, and keeps the others until their time', () => {
    const plan = planLoss(
      { lostAt },
      [runsOn('stops', 0, 0), runsOn('a', 100, 10), runsOn('b', 50, 20)],
      lostAt,
    );
    expect(plan).toMatchObject({ isOver: false, until: at(1100), nextAt: at(1010), due: [] });
    expect(plan.stopped.map(({ jobId }) => jobId)).toEqual(['stops']);
  });

  it('gives each job away when its time has come, and waits for the next', () => {
    const held = [runsOn('a', 100, 10), runsOn('b', 50, 20)];
    const plan = planLoss({ lostAt }, held, at(1010));
    expect(plan.due.map(({ jobId }) => jobId)).toEqual(['a']);
    expect(plan.nextAt).toEqual(at(1020));
    expect(planLoss({ lostAt }, held, at(1020)).nextAt).toEqual(at(1100));
  });

  it('gives a job away at once that allows it, although its payload runs on', () => {
    const plan = planLoss({ lostAt }, [runsOn('a', 100, 0)], lostAt);
    expect(plan).toMatchObject({ isOver: false, stopped: [], nextAt: at(1100) });
    expect(plan.due.map(({ jobId }) => jobId)).toEqual(['a']);
  });

  it('is over when the last payload must have ended, also one that was given away before', () => {
    expect(planLoss({ lostAt, until: at(1100) }, [], at(1099)).isOver).toBe(false);
    expect(planLoss({ lostAt, until: at(1100) }, [], at(1100)).isOver).toBe(true);
    expect(planLoss({ lostAt }, [runsOn('a', 100, 10)], at(1100)).isOver).toBe(true);
  });

  it('keeps the devices of payloads that run on, with the part that they use', () => {
    const gpu = aGpu({ share: 250, shareMemoryMiB: 100 });
    const job = {
      ...runsOn('a', 100, 10),
      deviceIds: ['GPU-1'],
      requirements: { ...someRequirements(), gpu },
    };
    const stops = { ...runsOn('b', 0, 0), deviceIds: ['GPU-2'] };
    expect(planLoss({ lostAt }, [job, stops], lostAt).retained).toEqual([
      { jobId: 'a', fence: 8, until: at(1100), deviceIds: ['GPU-1'], share: 250, shareMemoryMiB: 100 },
    ]);
  });

  it('applies the times of the system to a job without its own', () => {
    expect(planLoss({ lostAt }, [anEntry({})], lostAt)).toMatchObject({
      until: at(1000 + 86_400),
      nextAt: at(1600),
    });
  });
});
