import { describe, expect, it } from '@jest/globals';
import { progressText } from './job-progress.js';

const reportedAt = '2030-01-01T00:00:00.000Z';
const unknown = {
  attempt: 1,
  step: null,
  fraction: null,
  fractionPerHour: null,
  expectedEndAt: null,
  reportedAt,
};

describe('progressText', () => {
  it.each([
    [{ step: 12 }, `step 12, reported ${reportedAt}`],
    [{ fraction: 0.4567 }, `45.7 %, reported ${reportedAt}`],
    [
      { fraction: 0.4, step: 7, fractionPerHour: 0.1, expectedEndAt: '2030-01-01T06:00:00.000Z' },
      `40 %, step 7, 10 % an hour, expected end 2030-01-01T06:00:00.000Z, reported ${reportedAt}`,
    ],
  ])('shows of %j what is known', (known, text) => {
    expect(progressText({ ...unknown, ...known })).toBe(text);
  });
});
