import { describe, expect, it } from '@jest/globals';
import type { HostEvidence } from './host.document.js';
import {
  alsoWasted,
  decided,
  defaultHostLimits,
  excluded,
  recovered,
  suspected,
  viewOf,
} from './host-state.js';

const now = new Date('2030-01-01T00:00:00Z');
const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
const place = { queue: 'main', host: 'node-1', site: 'home' };
const evidence: HostEvidence = {
  ...{ failures: 6, jobs: ['job_1'], codes: [{ code: 'EXIT_CODE', count: 6 }], firstAt: now, lastAt: now },
  ...{ lastedElsewhere: 9, failedElsewhere: 0 },
};
const out = (before: Parameters<typeof excluded>[1], at = now) =>
  excluded(place, before, evidence, 'token', defaultHostLimits, at);

describe('viewOf', () => {
  it('is SUSPECT for a time, and then healthy', () => {
    const host = suspected(place, undefined, evidence, 'token', defaultHostLimits, now);
    expect(viewOf(host, later(599).getTime())).toMatchObject({ state: 'SUSPECT', until: later(600) });
    expect(viewOf(host, later(600).getTime())).toMatchObject({ state: 'HEALTHY', until: null });
  });

  it('is HALF_OPEN after an exclusion, unless it has no end', () => {
    const host = out(undefined);
    expect(viewOf(host, later(599).getTime())).toMatchObject({
      state: 'EXCLUDED',
      reason: 'It failed 6 jobs fast (EXIT_CODE), while 9 such attempts lasted elsewhere',
    });
    expect(viewOf(host, later(600).getTime()).state).toBe('HALF_OPEN');
    const endless = decided(
      place,
      undefined,
      { state: 'EXCLUDED', until: null, reason: 'x', by: 'ada' },
      now,
    );
    expect(viewOf(endless, later(1e9).getTime()).state).toBe('EXCLUDED');
    expect(endless.expiresAt).toBeUndefined();
  });

  it.each([
    ['IN', 'HEALTHY'],
    ['OUT', 'EXCLUDED'],
  ] as const)('is that of a pin %s until it ends', (to, state) => {
    const pin = { to, by: 'ada', reason: 'x', at: now, until: later(60) };
    const host = { ...out(undefined), pin };
    expect(viewOf(host, now.getTime())).toMatchObject({ state, until: later(60), by: 'ada' });
    expect(viewOf(host, later(60).getTime())).toMatchObject({ state: 'EXCLUDED', by: 'system:hosts' });
  });
});

describe('wasted attempts', () => {
  const attempts = [{ jobId: 'job_1', attempt: 1 }];

  it('keeps them while the host is SUSPECT, and gives them back once it is excluded', () => {
    const found = { ...evidence, attempts };
    const suspect = suspected(place, undefined, found, 'token', defaultHostLimits, now);
    expect(suspect).toMatchObject({ evidence: { attempts } });
    expect(suspect.wasted).toBeUndefined();
    expect(recovered(suspect, now).evidence).toEqual(evidence);
    const host = excluded(place, suspect, found, 'token', defaultHostLimits, now);
    expect(host.evidence).toEqual(evidence);
    const late = { jobId: 'job_2', attempt: 3 };
    expect(alsoWasted(host, late, 'token 2', now)).toMatchObject({
      ...{ state: 'EXCLUDED', since: host.since, until: host.until, upTo: 'token 2' },
      wasted: [...attempts, late],
    });
  });

  it('keeps at most 500 of a host', () => {
    const many = Array.from({ length: 600 }, (_one, at) => ({ jobId: `job_${at}`, attempt: 1 }));
    const found = { ...evidence, attempts: many };
    expect(excluded(place, undefined, found, 'x', defaultHostLimits, now).wasted).toHaveLength(500);
  });
});

describe('excluded', () => {
  it('takes twice as long each time, up to a day, also after a healthy time', () => {
    let host = out(undefined);
    const seconds = [600];
    for (let times = 0; times < 9; times++) {
      host = out(times === 3 ? recovered(host, now) : host);
      seconds.push(((host.until?.getTime() ?? 0) - now.getTime()) / 1000);
    }
    expect(seconds).toEqual([600, 1200, 2400, 4800, 9600, 19_200, 38_400, 76_800, 86_400, 86_400]);
  });

  it('has a later revision than an earlier record of the host, which the store removed', () => {
    const first = out(undefined);
    expect(out(undefined, later(86_400)).revision).toBeGreaterThan(out(out(first)).revision);
  });
});
