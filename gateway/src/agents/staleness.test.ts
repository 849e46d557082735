import { describe, expect, it } from '@jest/globals';
import type { StoredTarget } from '@rhizome/agents';
import { isChanged } from './staleness.js';

const job = (id: string, state: string, attempt = 1): StoredTarget => ({
  ...{ type: 'Job', id, name: null, state, attempt },
});
const queue = (state: string): StoredTarget => ({
  ...{ type: 'Queue', id: 'cern', name: null, state, attempt: null },
});
const changed = (mutation: string, before: readonly StoredTarget[], after: readonly StoredTarget[]) =>
  isChanged(mutation, before, new Map(after.map((one) => [one.id, one])));

describe('isChanged', () => {
  const before = [job('a', 'PENDING'), job('b', 'RUNNING')];

  it('is false while jobs are in states that the mutation changes, and where some have ended', () => {
    expect(changed('cancelJobs', before, [job('a', 'RUNNING'), job('b', 'RUNNING')])).toBe(false);
    expect(changed('cancelJobs', before, [job('a', 'RUNNING'), job('b', 'FINISHED')])).toBe(false);
  });

  it('is true if no job is left to change, if one has another attempt, or if one is gone', () => {
    for (const after of [
      [job('a', 'FINISHED'), job('b', 'FAILED')],
      [job('a', 'RUNNING'), job('b', 'RUNNING', 2)],
      [job('a', 'RUNNING')],
    ])
      expect(changed('cancelJobs', before, after)).toBe(true);
  });

  it('is true if the mutation would change a job that it would have left as it was', () => {
    const ended = [job('a', 'FAILED'), job('b', 'RUNNING')];
    expect(changed('retryJobs', ended, ended)).toBe(false);
    expect(changed('retryJobs', ended, [job('a', 'FAILED'), job('b', 'FAILED')])).toBe(true);
  });

  it('is true for another object in another state', () => {
    expect(changed('setQueueState', [queue('ONLINE')], [queue('ONLINE')])).toBe(false);
    expect(changed('setQueueState', [queue('ONLINE')], [queue('OFFLINE')])).toBe(true);
  });
});
