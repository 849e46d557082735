import { describe, expect, it } from '@jest/globals';
import { currentDowntime, downtimeText, nextDowntime, secondsUntilDowntime } from './downtime-window.js';

const at = (minute: number): Date => new Date(Date.UTC(2030, 0, 1, 12, minute));
const window = (from: number, to: number, reason = 'cooling') => ({
  ...{ startsAt: at(from), endsAt: at(to), reason },
});

describe('secondsUntilDowntime', () => {
  const windows = [window(10, 20), window(15, 40, 'power'), window(50, 60)];

  it.each([
    ['before a window', 5, 300],
    ['at its begin', 10, 0],
    ['within it', 12, 0],
    ['within a second one that overlaps it', 30, 0],
    ['between two windows', 45, 300],
    ['after the last one', 60, Infinity],
  ])('is the time left %s', (_when, minute, seconds) => {
    expect(secondsUntilDowntime(windows, at(minute).getTime())).toBe(seconds);
  });

  it('is unlimited without windows', () => {
    expect(secondsUntilDowntime([], at(0).getTime())).toBe(Infinity);
  });
});

describe('nextDowntime and currentDowntime', () => {
  it('finds a window before it begins only as the next one', () => {
    const windows = [window(10, 20)];
    expect(nextDowntime(windows, at(5).getTime())).toBe(windows[0]);
    expect(currentDowntime(windows, at(5).getTime())).toBeUndefined();
    expect(currentDowntime(windows, at(10).getTime())).toBe(windows[0]);
    expect(currentDowntime(windows, at(20).getTime())).toBeUndefined();
  });

  it('gives a window as text, with its times and the reason', () => {
    expect(downtimeText(window(10, 20))).toBe(
      'down from 2030-01-01T12:10:00.000Z to 2030-01-01T12:20:00.000Z: cooling',
    );
  });
});
