import { describe, expect, it } from '@jest/globals';
import { settingsOf } from '../pools/pool-input.js';
import { refusedAsFull } from './publish.service.js';

describe('refusedAsFull', () => {
  it('names what waits, what the call adds and the limits, and advises a retry only if the units can fit', () => {
    const settings = { ...settingsOf(null), maxWaitingUnits: 2, maxWaitingBytes: 100 };
    const full = (...keys: readonly string[]) =>
      refusedAsFull(
        { name: 'events', settings },
        { waiting: 1, waitingBytes: 30 },
        keys.map((key) => ({ key, payload: '0123456789' })),
      );
    const { userErrors, retryAfterSeconds } = full('a', 'b');
    expect(retryAfterSeconds).toBe(5);
    expect(userErrors.map(({ message }) => message)).toEqual([
      'poolId: Pool "events" has 1 waiting units of 30 bytes; this call adds 2 of 20 bytes; ' +
        'must be at most 2 of 100 bytes together; try again in 5 s, or with fewer units',
    ]);
    const never = full('a', 'b', 'c');
    expect(never.retryAfterSeconds).toBeNull();
    expect(never.userErrors[0]?.message).not.toContain('again');
  });
});
