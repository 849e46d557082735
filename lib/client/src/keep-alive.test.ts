import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { KeepAlive } from './keep-alive.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('KeepAlive', () => {
  let pings = 0;
  let isDead = false;
  const keepAlive = (): KeepAlive => {
    [pings, isDead] = [0, false];
    const made = new KeepAlive({ everyMs: 10_000, withinMs: 5_000, onDead: () => (isDead = true) });
    made.opened(() => (pings += 1));
    return made;
  };

  it('sends no ping while messages arrive', () => {
    const made = keepAlive();
    for (let second = 0; second < 100; second += 9) {
      jest.advanceTimersByTime(9000);
      made.received();
    }
    expect([pings, isDead]).toEqual([0, false]);
    made.closed();
  });

  it('pings a silent peer, again and again while it answers', () => {
    const made = keepAlive();
    for (let round = 1; round <= 3; round += 1) {
      jest.advanceTimersByTime(10_000);
      expect(pings).toBe(round);
      made.received();
      jest.advanceTimersByTime(5000);
      made.received();
    }
    expect(isDead).toBe(false);
    made.closed();
  });

  it('takes a peer to be dead that answers no ping', () => {
    keepAlive();
    jest.advanceTimersByTime(14_999);
    expect([pings, isDead]).toEqual([1, false]);
    jest.advanceTimersByTime(1);
    expect(isDead).toBe(true);
  });

  it('stops when the socket closes', () => {
    keepAlive().closed();
    jest.advanceTimersByTime(60_000);
    expect([pings, isDead]).toEqual([0, false]);
  });
});
