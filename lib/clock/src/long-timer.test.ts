import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { longestTimerMs, startLongTimer } from './long-timer.js';

const dayMs = 86_400_000;

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('startLongTimer', () => {
  it.each([1, dayMs, longestTimerMs, longestTimerMs + 1, 60 * dayMs, 400 * dayMs])(
    'runs the action once after %d ms, and not before',
    (delayMs) => {
      const action = jest.fn();
      startLongTimer(action, delayMs);
      jest.advanceTimersByTime(delayMs - 1);
      expect(action).not.toHaveBeenCalled();
      jest.advanceTimersByTime(1);
      expect(action).toHaveBeenCalledTimes(1);
      jest.advanceTimersByTime(800 * dayMs);
      expect(action).toHaveBeenCalledTimes(1);
    },
  );

  it('does not run a cancelled action, whenever it is cancelled', () => {
    const action = jest.fn();
    startLongTimer(action, 60 * dayMs).cancel();
    const later = startLongTimer(action, 60 * dayMs);
    jest.advanceTimersByTime(30 * dayMs);
    later.cancel();
    jest.advanceTimersByTime(100 * dayMs);
    expect(action).not.toHaveBeenCalled();
  });

  it('never runs the action after Infinity', () => {
    const action = jest.fn();
    startLongTimer(action, Infinity);
    jest.advanceTimersByTime(100 * dayMs);
    expect(action).not.toHaveBeenCalled();
  });
});
