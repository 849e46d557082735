import { describe, expect, it } from '@jest/globals';
import { endedOf } from '../jobs/model/job-state.js';
import { endStateOf } from './completion.js';

describe('endStateOf', () => {
  it.each([
    [{ FINISHED: 3 }, 'FINISHED'],
    [{ FINISHED: 2, FAILED: 1 }, 'FAILED'],
    [{ FINISHED: 2, CANCELLED: 1 }, 'FAILED'],
    [{ CANCELLED: 3 }, 'CANCELLED'],
    [{ CANCELLED: 1, CLOSED: 2 }, 'CANCELLED'],
    [{ FAILED: 1, CANCELLED: 2 }, 'FAILED'],
    [{ CLOSED: 3 }, 'FAILED'],
  ] as const)('returns for %j: %s', (counts, state) => {
    expect(endStateOf(counts)).toBe(state);
  });

  it('excludes live jobs', () => {
    expect(
      endedOf({ PENDING: 1, ACTIVATED: 2, RUNNING: 3, FINISHED: 4, FAILED: 5, CANCELLED: 6, CLOSED: 7 }),
    ).toBe(22);
  });
});
