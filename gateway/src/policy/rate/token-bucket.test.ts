import { describe, expect, it } from '@jest/globals';
import { TokenBucket } from './token-bucket.js';

describe('TokenBucket', () => {
  it('gives a burst, then what it gains, and says how long to wait', () => {
    const bucket = new TokenBucket({ perSecond: 2, burst: 4 }, 0);
    expect([1, 2, 3, 4].map(() => bucket.consume(1, 0))).toEqual([0, 0, 0, 0]);
    expect(bucket.consume(1, 0)).toBe(0.5);
    expect(bucket.consume(1, 500)).toBe(0);
    expect(bucket.left(10_000)).toBe(4);
  });

  it('gives more than a burst once, and is then in debt', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 4 }, 0);
    expect(bucket.consume(10, 0)).toBe(0);
    expect(bucket.left(0)).toBe(0);
    expect(bucket.consume(1, 0)).toBe(7);
    expect(bucket.consume(1, 7000)).toBe(0);
  });

  it('does not fill when the clock goes back', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 10_000);
    bucket.consume(1, 10_000);
    expect(bucket.consume(1, 0)).toBe(1);
  });
});
