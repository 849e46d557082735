import { describe, expect, it } from '@jest/globals';
import { type BookedJob, doubleBookings } from './device-bookings.js';

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

describe('doubleBookings', () => {
  it.each<[string, readonly BookedJob[]]>([
    ['one after the other', [job('1', ['x'], [0, 5]), job('2', ['x'], [5])]],
    [
      'shares that are one together',
      [job('1', ['x'], [0], { share: 400 }), job('2', ['x'], [1], { share: 600 })],
    ],
    ['two slices of a GPU', [job('1', ['a'], [0]), job('2', ['b'], [0])]],
    ['a GPU after its slice', [job('1', ['a'], [0, 1]), job('2', ['gpu'], [2])]],
    ['a job alone on all slices', [job('1', ['a', 'b'], [0], { exclusive: true })]],
  ])('accepts %s', (_what, jobs) => {
    expect(doubleBookings(jobs, workers)).toEqual([]);
  });

  it.each<[string, readonly BookedJob[]]>([
    ['two at a time', [job('1', ['x'], [0, 5]), job('2', ['x'], [4])]],
    ['one that never ended', [job('1', ['x'], [0]), job('2', ['x'], [4])]],
    ['too many shares', [job('1', ['x'], [0], { share: 500 }), job('2', ['x'], [1], { share: 501 })]],
    ['a share next to a whole', [job('1', ['x'], [0]), job('2', ['x'], [1], { share: 1 })]],
    ['a slice next to its GPU', [job('1', ['gpu'], [0]), job('2', ['a'], [1])]],
    ['a GPU next to its slice', [job('1', ['a'], [0]), job('2', ['gpu'], [1])]],
    ['a slice next to an exclusive job', [job('1', ['a'], [0], { exclusive: true }), job('2', ['b'], [1])]],
    [
      'a job that wants to be alone and is not',
      [job('1', ['a'], [0]), job('2', ['b'], [1], { exclusive: true })],
    ],
  ])('reports %s', (_what, jobs) => {
    expect(doubleBookings(jobs, workers)).toHaveLength(1);
  });

  describe('with a device of an attempt that was given away', () => {
    const lost = (change: object): BookedJob => ({
      _id: '1',
      requirements: {},
      attempts: [
        {
          workerId: 'w',
          deviceIds: ['x'],
          sentAt: at(0),
          endedAt: at(10),
          unreachable: { since: at(5) },
          continuity: { continueSeconds: 100 },
          ...change,
        },
      ],
    });
    const ended = [{ _id: 'w', state: 'LOST', updatedAt: at(50), devices: [{ id: 'x' }] }];

    it.each([
      ['must not be given to others while the payload may run', lost({}), 104, workers, 1],
      ['may be given to others when that time is over', lost({}), 106, workers, 0],
      ['must not be given to others before the worker has ended', lost({}), 49, ended, 1],
      ['may be given to others when the worker has ended', lost({}), 51, ended, 0],
      [
        'must not be given before its worker returned',
        lost({ unreachable: undefined, lostSeconds: 30 }),
        29,
        ended,
        1,
      ],
      [
        'may be given after its worker returned',
        lost({ unreachable: undefined, lostSeconds: 30 }),
        31,
        ended,
        0,
      ],
      [
        'is free at once if its payload stops with the lease',
        lost({ unreachable: undefined }),
        11,
        workers,
        0,
      ],
    ])('checks that it %s', (_what, first, second, known, faults) => {
      expect(doubleBookings([first, job('2', ['x'], [second])], known)).toHaveLength(faults);
    });
  });

  describe('one device reported by two workers', () => {
    const uuid = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';
    const on = (host: string, ids: readonly string[], _id: string) => ({
      ...{ _id, host },
      devices: ids.map((id) => ({ id })),
    });
    const held = (workerId: string, deviceId: string): BookedJob => ({
      _id: `job of ${workerId}`,
      requirements: {},
      attempts: [{ workerId, deviceIds: [deviceId], sentAt: at(0) }],
    });

    it.each([
      ['names it where both have it', uuid, 'n1', 1],
      ['names it by its place on the bus', 'PCI-0000:3b:00.0', 'n1', 1],
      ['has nothing against the same place of another host', 'PCI-0000:3b:00.0', 'n2', 0],
      ['has nothing against a name that each made up', 'gpu0', 'n1', 0],
    ])('checks %s', (_what, id, host, faults) => {
      const both = [on('n1', [id], 'w1'), on(host, [id], 'w2')];
      expect(doubleBookings([held('w1', id), held('w2', id)], both)).toHaveLength(faults);
    });
  });
});
