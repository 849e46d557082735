import { describe, expect, it } from '@jest/globals';
import { checkedInterval } from './interval.js';

describe('checkedInterval', () => {
  it('returns a second unless another interval is given', () => {
    expect([checkedInterval(null), checkedInterval(undefined), checkedInterval(100)]).toEqual([
      1000, 1000, 100,
    ]);
  });

  it('refuses intervals that are too short or too long', () => {
    expect(() => checkedInterval(99)).toThrow('intervalMs: 99 is not valid; must be 100 to 60000');
    expect(() => checkedInterval(999, 1000)).toThrow('must be 1000 to 60000');
    expect(() => checkedInterval(60_001)).toThrow('must be 100 to 60000');
  });
});
