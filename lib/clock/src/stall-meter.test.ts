import { afterEach, describe, expect, it } from '@jest/globals';
import { systemClock } from './clock.js';
import { StallMeter } from './stall-meter.js';

let meter: StallMeter;

afterEach(() => meter.stop());

function started(intervalMs: number): StallMeter {
  const made = new StallMeter(systemClock, intervalMs);
  made.start();
  return made;
}

function block(ms: number): void {
  const until = systemClock.monotonicMs() + ms;
  while (systemClock.monotonicMs() < until);
}

describe('StallMeter', () => {
  it('reports a stall that has just ended, before its timer runs again, and only once', () => {
    meter = started(20);
    block(400);
    expect(meter.takeLongestMs()).toBeGreaterThanOrEqual(350);
    expect(meter.takeLongestMs()).toBeLessThan(350);
  });

  it('remembers a stall from before the last run of its timer', async () => {
    meter = started(5);
    block(400);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(meter.takeLongestMs()).toBeGreaterThanOrEqual(350);
  });

  it('counts the lateness only, not the interval', () => {
    let nowMs = 0;
    meter = new StallMeter({ now: () => new Date(0), monotonicMs: () => nowMs }, 1000);
    meter.start();
    nowMs = 900;
    expect(meter.takeLongestMs()).toBe(0);
    nowMs = 3000;
    expect(meter.takeLongestMs()).toBe(1100);
  });
});
