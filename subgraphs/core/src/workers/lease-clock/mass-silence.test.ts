import { describe, expect, it } from '@jest/globals';
import { decideLosses, massSilenceLimits, type Postponement, type SilenceFacts } from './mass-silence.js';

const start = new Date('2030-01-01T00:00:00.000Z');
const after = (seconds: number): Date => new Date(start.getTime() + seconds * 1000);

function decide(facts: Partial<SilenceFacts>, postponement?: Postponement) {
  const common = { now: after(3600), leaseMs: 30_000, recentlyLost: 0, workers: 100, restartedAt: start };
  return decideLosses({ silent: 0, ...common, ...facts }, postponement, massSilenceLimits);
}

const postponed: Postponement = { since: after(3600), leaseMs: 30_000 };

describe('decideLosses', () => {
  it.each([
    ['20 of 100', { silent: 20 }, false],
    ['21 of 100', { silent: 21 }, true],
    ['4 of 4', { silent: 4, workers: 4 }, false],
    ['5 of 5', { silent: 5, workers: 5 }, true],
    ['1 after 20 of 100 were lost', { silent: 1, recentlyLost: 20, workers: 80 }, true],
    ['1 after 19 of 100 were lost', { silent: 1, recentlyLost: 19, workers: 81 }, false],
    ['none after 50 of 100 were lost', { silent: 0, recentlyLost: 50, workers: 50 }, false],
  ])('decides about %s silent workers', (_name, facts, isPostponed) => {
    expect(decide(facts)).toEqual(
      isPostponed
        ? { isPostponed, postponement: { since: after(3600), leaseMs: 30_000 }, change: 'BEGAN' }
        : { isPostponed, postponement: undefined },
    );
  });

  it('goes on as soon as the share is below', () => {
    expect(decide({ silent: 21, now: after(3700) }, postponed)).toEqual({
      isPostponed: true,
      postponement: postponed,
    });
    expect(decide({ silent: 20, now: after(3700) }, postponed)).toEqual({
      isPostponed: false,
      postponement: undefined,
      change: 'SHARE_FELL',
    });
  });

  it('goes on after 30 minutes, whatever the share', () => {
    expect(decide({ silent: 99, now: after(3600 + 1799) }, postponed).isPostponed).toBe(true);
    expect(decide({ silent: 99, now: after(3600 + 1800) }, postponed)).toEqual({
      isPostponed: false,
      postponement: undefined,
      change: 'TIME_OVER',
    });
  });

  it('keeps a postponement over a restart of the clock, until leases can have ended again', () => {
    const restarted = { silent: 0, restartedAt: after(3700) };
    const kept = { isPostponed: true, postponement: postponed };
    expect(decide({ ...restarted, now: after(3729) }, postponed)).toEqual(kept);
    expect(decide({ ...restarted, now: after(3730) }, postponed)).toMatchObject({ change: 'SHARE_FELL' });
    expect(decide({ ...restarted, silent: 50, now: after(3730) }, postponed)).toEqual(kept);
  });

  it('does not begin another 30 minutes because the clock restarted near their end', () => {
    const restarted = { restartedAt: after(3600 + 1790), now: after(3600 + 1805) };
    expect(decide({ ...restarted, silent: 0 }, postponed)).toEqual({
      isPostponed: false,
      postponement: postponed,
    });
    expect(decide({ ...restarted, silent: 50, now: after(3600 + 1820) }, postponed)).toMatchObject({
      isPostponed: false,
      change: 'TIME_OVER',
    });
  });
});
