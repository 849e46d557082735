import { describe, expect, it } from '@jest/globals';
import { normalisePayload, normaliseRequirements, normaliseRetry } from '../../jobs/submit/normalise.js';
import type { JobState } from '../../jobs/model/job-state.js';
import { settingsOf } from '../control/fleet-input.js';
import type { FleetDocument } from '../model/fleet.document.js';
import type { FleetJob } from '../model/job-plan.js';
import { FleetMemory } from './fleet-memory.js';
import { type FleetView, nextChange } from './next-decision.js';

const now = new Date('2030-01-01T00:00:00Z');
const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1000);

function fleet(change: Partial<FleetDocument> = {}): FleetDocument {
  return {
    ...{ _id: 'fleet_a', schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
    ...{ experiment: 'alpha', name: 'a', owner: 'ada', poolId: 'pool_a', share: 'alpha/default' },
    state: 'RUNNING',
    settings: settingsOf({ max: 50 }),
    template: {
      ...{ version: 2, name: 'a', priority: 0, labels: [], classId: 'class_a', bytes: 10, inQueues: [] },
      requirements: normaliseRequirements({}),
      payload: normalisePayload({ command: 'work' }),
      retry: normaliseRetry(null),
    },
    ...{ target: 10, targetAt: ago(1000), members: [], step: 0, digest: 'digest' },
    ...change,
  };
}

const jobs = (count: number, change: Partial<FleetJob> = {}): readonly FleetJob[] =>
  Array.from({ length: count }, (_, at) => ({
    ...{ id: `job${at}`, version: 2, phase: 'HELD' as const, idleSeconds: 0 },
    ...change,
  }));

function view(change: Partial<FleetView> = {}, state: JobState = 'RUNNING'): FleetView {
  return {
    now,
    pool: { isClosed: false, waiting: 0, leased: 0, ready: 0, oldestSeconds: 0 },
    rates: { arrivalsPerSecond: 0 },
    jobs: [],
    stateOf: () => state,
    ...change,
  };
}

const busyPool = { isClosed: false, waiting: 5000, leased: 10, ready: 5000, oldestSeconds: 100 };

describe('nextChange', () => {
  it('adds no job for units that cannot be leased, and releases those that hold none', () => {
    const pool = { isClosed: false, waiting: 1000, leased: 1, ready: 0, oldestSeconds: 0 };
    const idle = jobs(9, { idleSeconds: 500 }).map((one) => ({ ...one, id: `idle_${one.id}` }));
    const change = nextChange(fleet(), view({ pool, jobs: [...jobs(1), ...idle] }));
    expect(change?.decision).toMatchObject({ reason: 'IDLE', target: 1, waiting: 1000, lagSeconds: 0 });
    expect(change?.decision?.release).toHaveLength(9);
  });

  it('wants no more jobs than a quota admits, and starts those', () => {
    const quota = { jobs: 4, message: 'quotas.liveJobsPerOwner: too many' };
    const change = nextChange(fleet(), view({ pool: busyPool, jobs: jobs(10), quota }));
    expect(change?.decision).toMatchObject({ reason: 'LAG_HIGH', target: 14, previousTarget: 10 });
    expect(change?.decision?.message).toContain('quotas.liveJobsPerOwner');
    expect(change?.decision?.start).toHaveLength(4);
  });

  it('says once that a quota admits no more jobs, and does what starts none', () => {
    const quota = { jobs: 0, message: 'quotas.liveJobsPerOwner: too many' };
    const full = view({ pool: busyPool, jobs: jobs(10), quota });
    const change = nextChange(fleet(), full);
    expect(change).toMatchObject({
      decision: { reason: 'QUOTA', target: 10, previousTarget: 10 },
      patch: {},
    });
    const facts = { ...change?.decision, started: 0, released: 0, cancelled: 0 };
    const latest = { ...facts, at: now } as NonNullable<FleetDocument['latest']>;
    expect(nextChange(fleet({ latest }), full)).toBeUndefined();
    const late = { ...jobs(1, { releasedAt: ago(100_000) })[0], id: 'late' } as FleetJob;
    const next = nextChange(fleet({ latest }), { ...full, jobs: [...full.jobs, late] });
    expect(next?.decision).toMatchObject({ reason: 'UNRESPONSIVE', overdue: ['late'] });
  });

  it('remembers how many jobs ran when their replacement began, until it ends', () => {
    const change = nextChange(fleet(), view({ jobs: jobs(10, { version: 1 }) }));
    expect(change).toMatchObject({ decision: { reason: 'TEMPLATE' }, patch: { runningBefore: 10 } });
    const replaced = fleet({ runningBefore: 10 });
    expect(nextChange(replaced, view({ jobs: jobs(9) }))?.patch).toEqual({ runningBefore: null });
  });

  it('counts failures of the newest version alone, and forgets them once jobs run for long', () => {
    const ended = jobs(1, { phase: 'ENDED' });
    const outdated = jobs(1, { phase: 'ENDED', version: 1 });
    const patchOf = (some: readonly FleetJob[], of = fleet()): unknown =>
      nextChange(of, view({ jobs: some }, 'FAILED'))?.patch.failures;
    expect(patchOf(ended)).toEqual({ count: 1, lastAt: now });
    expect(patchOf(outdated)).toBeUndefined();
    const failures = { count: 9, lastAt: ago(601) };
    expect(patchOf(jobs(5), fleet({ failures }))).toBeNull();
    expect(patchOf(outdated, fleet({ failures }))).toBeUndefined();
  });

  it('counts jobs that finish without units as failures, and forgets failures when a job completes some', () => {
    const ended = jobs(2, { phase: 'ENDED' });
    const failures = { count: 2, lastAt: ago(1) };
    const patchOf = (isUnproductive: boolean): unknown =>
      nextChange(fleet({ failures }), view({ jobs: ended, isUnproductive }, 'FINISHED'))?.patch.failures;
    expect(patchOf(true)).toEqual({ count: 4, lastAt: now });
    expect(patchOf(false)).toBeNull();
  });
});

describe('FleetMemory', () => {
  const members = [{ id: 'a', version: 1 }];

  it('takes a job that was not read as one that waits, and one that the store does not have as ended', () => {
    const memory = new FleetMemory();
    memory.learn([{ _id: 'a', state: 'RUNNING', revision: 3 }]);
    const phase = (): unknown => memory.jobs({ members }, 0)[0]?.phase;
    expect(phase()).toBe('HELD');
    memory.forgetJobs();
    expect([phase(), memory.unknown({ members })]).toEqual(['WAITING', ['a']]);
    memory.learnAbsent(['a']);
    expect([phase(), memory.unknown({ members })]).toEqual(['ENDED', []]);
    memory.learn([{ _id: 'a', state: 'RUNNING', revision: 1 }]);
    expect(phase()).toBe('HELD');
  });
});
