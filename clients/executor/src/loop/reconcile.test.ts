import { describe, expect, it } from '@jest/globals';
import type { BatchJob } from '../providers/provider.types.js';
import type { OpenPilot } from './loop.types.js';
import { reconcile } from './reconcile.js';
import { pilotOf, settingsOf } from './testing/loop.fixture.js';

const { times } = settingsOf();
const jobOf = (changes: Partial<BatchJob> = {}): BatchJob => ({
  ...{ batch: 'pilot_A', number: 0, batchJobId: '1_0', state: 'PENDING' },
  ...changes,
});
const compare = (pilots: readonly OpenPilot[], jobs: readonly BatchJob[], nowMs = 0) =>
  reconcile(pilots, { isComplete: true, jobs }, times, nowMs);
const live = { id: 'worker_1', isOpen: true, registeredAtMs: 0, lastSeenAtMs: 0 };

describe('a listed pilot', () => {
  it('has the state of its batch job, which is reported when it changes', () => {
    const { reports, pilots } = compare([pilotOf({ state: 'REQUESTED', batchJobId: undefined })], [jobOf()]);
    expect(reports).toEqual([{ id: 'p-0', state: 'PENDING', batchJobId: '1_0' }]);
    expect(compare(pilots, [jobOf()]).reports).toEqual([]);
    expect(compare(pilots, [jobOf({ state: 'ENDED', reason: 'TIMEOUT' })])).toMatchObject({
      reports: [{ state: 'ENDED', reason: 'TIMEOUT' }],
      ended: [{ id: 'p-0', end: 'FAILED', isListed: true }],
      pilots: [],
    });
  });

  it('is cancelled if it can never start, or is held for too long', () => {
    expect(compare([pilotOf()], [jobOf({ state: 'REFUSED', reason: 'PartitionTimeLimit' })])).toMatchObject({
      reports: [{ state: 'REFUSED', reason: 'PartitionTimeLimit' }],
      cancels: [{ batchJobId: '1_0' }],
      ended: [{ end: 'REFUSED' }],
    });
    const held = pilotOf({ state: 'HELD' });
    expect(compare([held], [jobOf({ state: 'HELD' })], 600_000).cancels).toEqual([]);
    expect(compare([held], [jobOf({ state: 'HELD' })], 600_001)).toMatchObject({
      reports: [{ state: 'REFUSED' }],
      cancels: [{ batchJobId: '1_0' }],
    });
  });
});

describe('a pilot that is not listed', () => {
  it('is unknown for a while before it counts as ended', () => {
    expect(compare([pilotOf({ state: 'RUNNING' })], [], 9e9).reports).toMatchObject([{ state: 'UNKNOWN' }]);
    const unknown = pilotOf({ state: 'UNKNOWN' });
    expect(compare([unknown], [], 600_000)).toMatchObject({ reports: [], pilots: [{ id: 'p-0' }] });
    expect(compare([unknown], [], 600_001).reports).toMatchObject([{ state: 'ENDED' }]);
  });

  it('goes on while its worker is there', () => {
    const pilot = pilotOf({ state: 'UNKNOWN', worker: live });
    expect(compare([pilot], [], 9e9)).toMatchObject({ reports: [], pilots: [{ id: 'p-0' }] });
  });

  it('stays open after it lost its worker, because it may register another one', () => {
    const worker = { ...live, isOpen: false };
    expect(compare([pilotOf({ state: 'RUNNING', worker })], [], 9e9)).toMatchObject({
      ...{ reports: [{ state: 'UNKNOWN' }], ended: [], pilots: [{ id: 'p-0' }] },
    });
    expect(compare([pilotOf({ state: 'UNKNOWN', worker })], [], 600_000).ended).toEqual([]);
    const seen = { ...worker, lastSeenAtMs: 9e9 };
    expect(compare([pilotOf({ state: 'UNKNOWN', worker: seen })], [], 9e9 + 1).ended).toEqual([]);
  });

  it('is unused if its worker ended with its idle time; that worker is left to its heartbeats', () => {
    const ends = (lastSeenAtMs: number) =>
      compare([pilotOf({ state: 'UNKNOWN', worker: { ...live, isOpen: false, lastSeenAtMs } })], [], 9e9)
        .ended;
    expect(ends(310_000)).toEqual([{ id: 'p-0', end: 'UNUSED', isListed: false }]);
    expect(ends(900_000)).toEqual([{ id: 'p-0', end: 'WORKED', isListed: false }]);
  });

  it('was never submitted if that was long ago', () => {
    const requested = pilotOf({ state: 'REQUESTED', batchJobId: undefined });
    expect(compare([requested], [], 120_000).reports).toEqual([]);
    expect(compare([requested], [], 120_001).reports).toMatchObject([{ state: 'REFUSED' }]);
  });
});

it('asks for the pilots of batch jobs that are not in the record, and cancels none by itself', () => {
  const running = jobOf({ batch: 'pilot_D', state: 'RUNNING', batchJobId: '4_0' });
  const jobs = [jobOf({ batch: 'pilot_B' }), jobOf({ batch: 'pilot_C', state: 'ENDED' }), running];
  expect(compare([], jobs)).toMatchObject({ cancels: [], unrecorded: [jobs[0], running] });
});

it('changes nothing by an incomplete list', () => {
  const pilots = [pilotOf(), pilotOf({ state: 'UNKNOWN', number: 1 })];
  expect(reconcile(pilots, { isComplete: false, reason: 'timeout' }, times, 9e9)).toEqual({
    ...{ reports: [], cancels: [], unrecorded: [], ended: [], pilots },
  });
});
