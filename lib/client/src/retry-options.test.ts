import { describe, expect, it } from '@jest/globals';
import { retrySettings, waitBefore } from './retry-options.js';

const settings = retrySettings({ initialDelayMs: 100, maxDelayMs: 1000, random: () => 1 }, 5);

describe('waitBefore', () => {
  it('doubles if the error advises to retry later', () => {
    expect([1, 2, 3, 99].map((attempt) => waitBefore(attempt, { retry: 'later' }, settings))).toEqual([
      100, 200, 400, 1000,
    ]);
  });

  it('stays short if the error advises to retry now', () => {
    expect([1, 5, 50].map((attempt) => waitBefore(attempt, { retry: 'now' }, settings))).toEqual([
      100, 100, 100,
    ]);
  });

  it('adds what the server asks for, at most a minute', () => {
    const after = (retryAfterSeconds: unknown): number =>
      waitBefore(1, { retry: 'later', details: { retryAfterSeconds } }, settings);
    expect([3, 86_400, -1, 'soon', undefined].map(after)).toEqual([3100, 60_100, 100, 100, 100]);
  });
});

describe('retrySettings', () => {
  it('takes the number of attempts from the options, else the default', () => {
    expect(retrySettings(undefined, 6)).toEqual({ attempts: 6 });
    expect(retrySettings({ attempts: 1 }, 6)).toEqual({ attempts: 1 });
  });
});
