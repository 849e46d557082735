import { describe, expect, it } from '@jest/globals';
import { createIds } from '@rhizome/clock';
import { manualClock } from '@rhizome/testkit';
import fc from 'fast-check';
import { batchJobIds, lowestIdAt, retryJobId } from './job-ids.js';

const time = new Date('2030-06-01T12:00:00.123Z');

describe('batchJobIds', () => {
  it('derives ids from batch and position, sorted by position', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.array(fc.integer({ min: 0, max: 2 ** 24 - 1 }), { minLength: 2 }),
        (batch, positions) => {
          const idAt = batchJobIds(batch, time);
          const sorted = [...new Set(positions)].sort((a, b) => a - b).map(idAt);
          expect(sorted).toEqual([...sorted].sort());
          expect(sorted.map((id) => id.length)).toEqual(sorted.map(() => 30));
          sorted.forEach((id) => expect(id).toMatch(/^job_[0-9A-HJKMNP-TV-Z]{26}$/));
          expect(positions.map(batchJobIds(batch, time))).toEqual(positions.map(idAt));
        },
      ),
    );
  });

  it('returns different ids for batches of the same millisecond', () => {
    const all = ['a', 'b', 'c'].flatMap((batch) =>
      Array.from({ length: 1000 }, (_, at) => batchJobIds(batch, time)(at)),
    );
    expect(new Set(all).size).toBe(3000);
  });

  it('sorts with other ids by time', () => {
    const clock = manualClock(time);
    const ids = createIds(clock);
    const before = ids.next('job');
    clock.advance(1);
    const batch = batchJobIds('a', clock.now())(0);
    clock.advance(1);
    const after = ids.next('job');
    expect([after, batch, before].sort()).toEqual([before, batch, after]);
    expect(lowestIdAt(time) <= before).toBe(true);
    expect(lowestIdAt(new Date(time.getTime() + 1)) > before).toBe(true);
  });

  it('refuses a position out of range', () => {
    expect(() => batchJobIds('a', time)(2 ** 24)).toThrow(RangeError);
    expect(() => batchJobIds('a', time)(-1)).toThrow(RangeError);
  });
});

it('gives the copy of a job one id per operation and job', () => {
  const ids = ['op_1', 'op_2'].flatMap((operation) =>
    ['job_1', 'job_2'].map((job) => retryJobId(operation, job, time)),
  );
  expect(new Set(ids).size).toBe(4);
  expect(retryJobId('op_1', 'job_1', time)).toBe(ids[0]);
  ids.forEach((id) => expect(id).toMatch(/^job_[0-9A-HJKMNP-TV-Z]{26}$/));
});
