import { describe, expect, it } from '@jest/globals';
import { isLoopDone, type LoopJob, loopCondition, neverMet } from './loop-condition.js';

const failed: LoopJob = { exitCode: 3, metrics: { cpuSeconds: 12.5, isPartial: false }, outputs: [] };

describe('isLoopDone', () => {
  const isDone = (text: string, job: LoopJob | undefined = failed): boolean =>
    isLoopDone(text, { state: 'FAILED', job, iteration: 4 });

  it.each([
    ['result.exitCode == 3', true],
    ['result.exitCode == 0', false],
    ['result.state == "FAILED" && iteration >= 4', true],
    ['result.cpuSeconds > 12.0', true],
    ['result.outputBytes == 0', true],
  ])('evaluates %s', (text, expected) => {
    expect(isDone(text)).toBe(expected);
  });

  it('is false if a value is unknown, and without a job', () => {
    expect(isDone('result.wallSeconds < 100.0')).toBe(false);
    expect(isDone('result.exitCode != 0', undefined)).toBe(true);
    expect(isLoopDone('result.exitCode != 0', { state: 'SKIPPED', job: undefined, iteration: 1 })).toBe(
      false,
    );
  });
});

describe('loopCondition', () => {
  it.each([
    ['result.x > 1', 'known attributes'],
    ['iteration', 'a condition (bool)'],
    ['result.state.matches("a")', 'no call of matches'],
  ])('refuses %s', (text, expected) => {
    expect(loopCondition(text)).toEqual({ expected: expect.stringContaining(expected) });
  });
});

describe('neverMet', () => {
  const check = (text: string): string | undefined => {
    const condition = loopCondition(text);
    return 'expected' in condition ? condition.expected : neverMet(condition, text, 3);
  };

  it.each(['result.state == "FINISHED"', 'iteration > 5', 'iteration == 3 && result.state == "DONE"'])(
    'refuses %s',
    (text) => {
      expect(check(text)).toContain('SUCCEEDED, FAILED');
    },
  );

  it.each(['result.state == "FAILED"', 'iteration >= 3', 'result.exitCode == 7', 'result.state != "FAILED"'])(
    'takes %s',
    (text) => {
      expect(check(text)).toBeUndefined();
    },
  );
});
