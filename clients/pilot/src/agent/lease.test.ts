import { describe, expect, it } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { Lease } from './lease.js';

/** A clock that moves only when the test moves it; timers of the lease run on real time and read it. */
function clock(): { now: () => number; at: number } {
  const state = { at: 0, now: () => state.at };
  return state;
}

interface Watched {
  readonly lease: Lease;
  readonly changes: boolean[];
  /** Resolves at the next change. */
  changed(): Promise<boolean>;
}

function watched(seconds: number, sentAt: number, now?: () => number): Watched {
  const changes: boolean[] = [];
  let wake: (isValid: boolean) => void = () => undefined;
  const onChange = (isValid: boolean): void => {
    changes.push(isValid);
    wake(isValid);
  };
  const lease = new Lease(seconds, sentAt, onChange, now);
  return { lease, changes, changed: async () => new Promise((resolve) => (wake = resolve)) };
}

describe('Lease', () => {
  it('ends if no heartbeat was answered in time', async () => {
    const { lease, changed } = watched(0.05, performance.now());
    expect(await changed()).toBe(false);
    expect(lease.isValid).toBe(false);
    expect(lease.isOver).toBe(false);
  });

  it('counts from the sending of an answered call, not from the answer', async () => {
    const time = clock();
    const { lease, changed } = watched(0.05, 0, time.now);
    // Sent at 10, answered at 55: it lasts until 60, and is over at 61.
    time.at = 49;
    lease.renew(10);
    time.at = 59;
    expect(lease.isValid).toBe(true);
    time.at = 61;
    expect(await changed()).toBe(false);
    expect(lease.answeredAt).toBe(10);
  });

  it('is not shortened by a late answer to an older call', () => {
    const time = clock();
    const { lease } = watched(10, 0, time.now);
    lease.renew(5000);
    lease.renew(1000);
    time.at = 14_000;
    lease.renew(1000);
    expect(lease.isValid).toBe(true);
    lease.end();
  });

  it('begins again with an answer, unless that is too old', async () => {
    const time = clock();
    const { lease, changes, changed } = watched(0.05, 0, time.now);
    time.at = 51;
    await changed();
    time.at = 200;
    lease.renew(100);
    expect(lease.isValid).toBe(false);
    lease.renew(190);
    expect(lease.isValid).toBe(true);
    expect(changes).toEqual([false, true]);
    time.at = 241;
    expect(await changed()).toBe(false);
  });

  it('stays over once core has given up the worker', async () => {
    const { lease, changes } = watched(0.02, performance.now());
    lease.lose('core said so');
    lease.renew(performance.now());
    await pause(40);
    expect(lease.isOver).toBe(true);
    expect(lease.isValid).toBe(false);
    expect(changes).toEqual([]);
    expect(String(lease.over.reason)).toContain('core said so');
  });
});
