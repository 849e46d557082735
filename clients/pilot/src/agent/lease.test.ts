import { describe, expect, it } from '@jest/globals';
import { Lease } from './lease.js';

/** A clock that moves only when the test moves it; timers of the lease run on real time and read it. */
function clock(): { now: () => number; at: number } {
  const state = { at: 0, now: () => state.at };
  return state;
}

const lost = async (lease: Lease): Promise<string> =>
  new Promise((resolve) =>
    lease.signal.addEventListener('abort', () => resolve(String(lease.signal.reason))),
  );

describe('Lease', () => {
  it('is lost if no heartbeat was answered in time', async () => {
    const lease = new Lease(0.05, performance.now());
    expect(await lost(lease)).toContain('core did not answer a heartbeat for 0.05 s');
    expect(lease.isLost).toBe(true);
  });

  it('counts from the sending of an answered call, not from the answer', async () => {
    const time = clock();
    const lease = new Lease(0.05, 0, time.now);
    // Sent at 10, answered at 55: it lasts until 60, and is over at 61.
    time.at = 49;
    lease.renew(10);
    time.at = 59;
    expect(lease.isLost).toBe(false);
    time.at = 61;
    await lost(lease);
  });

  it('is not shortened by a late answer to an older call', () => {
    const time = clock();
    const lease = new Lease(10, 0, time.now);
    lease.renew(5000);
    lease.renew(1000);
    time.at = 14_000;
    lease.renew(1000);
    expect(lease.isLost).toBe(false);
    lease.end();
  });

  it('stays lost', () => {
    const lease = new Lease(10, performance.now());
    lease.lose('core said so');
    lease.renew(performance.now());
    expect(lease.isLost).toBe(true);
  });
});
