import { describe, expect, test } from '@jest/globals';
import { type BookedJob, doubleBookings } from './device-history.js';

const at = (second: number): Date => new Date(second * 1000);

/** A job with one attempt on the worker `w`. */
function job(
  id: string,
  deviceIds: readonly string[],
  [from, to]: readonly [number, number?],
  gpu: BookedJob['requirements']['gpu'] = {},
): BookedJob {
  const ended = to === undefined ? {} : { endedAt: at(to) };
  return {
    _id: id,
    requirements: { gpu },
    attempts: [{ workerId: 'w', deviceIds, sentAt: at(from), ...ended }],
  };
}

const workers = [
  { _id: 'w', devices: [{ id: 'gpu' }, { id: 'a', parentId: 'gpu' }, { id: 'b', parentId: 'gpu' }] },
];

describe('the checker of devices', () => {
  test.each<[string, readonly BookedJob[]]>([
    ['one after the other', [job('1', ['x'], [0, 5]), job('2', ['x'], [5])]],
    [
      'shares that are one together',
      [job('1', ['x'], [0], { share: 400 }), job('2', ['x'], [1], { share: 600 })],
    ],
    ['two slices of a GPU', [job('1', ['a'], [0]), job('2', ['b'], [0])]],
    ['a GPU after its slice', [job('1', ['a'], [0, 1]), job('2', ['gpu'], [2])]],
    ['a job alone on all slices', [job('1', ['a', 'b'], [0], { exclusive: true })]],
  ])('has nothing against %s', (_what, jobs) => {
    expect(doubleBookings(jobs, workers)).toEqual([]);
  });

  test.each<[string, readonly BookedJob[]]>([
    ['two at a time', [job('1', ['x'], [0, 5]), job('2', ['x'], [4])]],
    ['one that never ended', [job('1', ['x'], [0]), job('2', ['x'], [4])]],
    ['too many shares', [job('1', ['x'], [0], { share: 500 }), job('2', ['x'], [1], { share: 501 })]],
    ['a share beside a whole', [job('1', ['x'], [0]), job('2', ['x'], [1], { share: 1 })]],
    ['a slice beside its GPU', [job('1', ['gpu'], [0]), job('2', ['a'], [1])]],
    ['a GPU beside its slice', [job('1', ['a'], [0]), job('2', ['gpu'], [1])]],
    [
      'a slice beside a job that wants to be alone',
      [job('1', ['a'], [0], { exclusive: true }), job('2', ['b'], [1])],
    ],
    [
      'a job that wants to be alone and is not',
      [job('1', ['a'], [0]), job('2', ['b'], [1], { exclusive: true })],
    ],
  ])('names %s', (_what, jobs) => {
    expect(doubleBookings(jobs, workers)).toHaveLength(1);
  });
});
