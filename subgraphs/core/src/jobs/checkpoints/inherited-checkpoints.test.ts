import { describe, expect, it } from '@jest/globals';
import { inheritedCheckpoints, inherits } from './inherited-checkpoints.js';

const at = new Date('2030-01-01T00:00:00Z');
const payload = { command: 'simulate', image: 'registry/sim:1' };

describe('inherits', () => {
  it.each([
    ['the same program', payload, undefined, true],
    ['another image', { ...payload, image: 'registry/sim:2' }, undefined, false],
    ['no image', { command: 'simulate' }, undefined, false],
    ['another command', { ...payload, command: 'merge' }, undefined, false],
    ['another image, if the caller says so', { ...payload, image: 'registry/sim:2' }, true, true],
    ['the same program, unless the caller says no', payload, false, false],
  ])('is decided for %s', (_what, copy, wanted, expected) => {
    expect(inherits(payload, copy, wanted)).toBe(expected);
  });
});

describe('inheritedCheckpoints', () => {
  it('gives copies the checkpoints without the notices of the earlier attempts', () => {
    const checkpoint = { attempt: 2, step: 9, madeAt: at, files: [] };
    const known = [{ _id: 'job_1', checkpoints: [{ ...checkpoint, noticedAt: at }] }, { _id: 'job_2' }];
    const copied = ['1', '2', '3'].map((n) => ({ source: `job_${n}`, copy: `copy_${n}` }));
    expect(inheritedCheckpoints(copied, known, at)).toEqual([
      {
        ...{ _id: 'copy_1', schemaVersion: 1, revision: 1, updatedAt: at, fence: 0 },
        checkpoints: [checkpoint],
      },
    ]);
  });
});
