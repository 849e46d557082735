import { describe, expect, it } from '@jest/globals';
import { LoadWindow } from './load-window.js';

describe('LoadWindow', () => {
  it('divides what was completed by the time of the jobs that held units', () => {
    const window = new LoadWindow();
    for (let second = 0; second <= 10; second += 1)
      window.add({
        atMs: second * 1000,
        published: second * 25,
        completed: second * 10,
        busy: 5,
        finished: 0,
      });
    expect(window.rates()).toEqual({ arrivalsPerSecond: 25, unitsPerJobSecond: 2 });
  });

  it('forgets what was more than a minute ago', () => {
    const window = new LoadWindow();
    window.add({ atMs: 0, published: 0, completed: 0, busy: 1, finished: 0 });
    window.add({ atMs: 1000, published: 1000, completed: 100, busy: 1, finished: 0 });
    for (let second = 2; second <= 70; second += 1)
      window.add({ atMs: second * 1000, published: 1000, completed: 100, busy: 0, finished: 0 });
    expect(window.rates()).toEqual({ arrivalsPerSecond: 0 });
  });

  it('knows no rate of jobs from few units', () => {
    const window = new LoadWindow();
    window.add({ atMs: 0, published: 0, completed: 0, busy: 1, finished: 0 });
    window.add({ atMs: 1000, published: 4, completed: 4, busy: 1, finished: 0 });
    expect(window.rates()).toEqual({ arrivalsPerSecond: 4 });
  });

  it('compares the jobs that finished with the units that were completed', () => {
    const window = new LoadWindow();
    const add = (second: number, completed: number, finished: number): void =>
      window.add({ atMs: second * 1000, published: 100, completed, busy: 0, finished });
    add(0, 10, 5);
    expect(window.isUnproductive()).toBe(false);
    add(1, 12, 2);
    expect(window.isUnproductive()).toBe(false);
    add(2, 12, 1);
    expect(window.isUnproductive()).toBe(true);
    for (let second = 3; second <= 70; second += 1) add(second, 12, 0);
    expect(window.isUnproductive()).toBe(false);
  });
});
