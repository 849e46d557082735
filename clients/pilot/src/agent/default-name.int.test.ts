import { describe, expect, it } from '@jest/globals';
import { hostname } from 'node:os';
import { defaultName } from './default-name.js';

const queue = `q-${process.pid}`;

describe('defaultName', () => {
  it('has a number of its own for each pilot of the host and the queue', async () => {
    const names = await Promise.all([defaultName(queue), defaultName(queue), defaultName(queue)]);
    expect([...names].sort()).toEqual([1, 2, 3].map((number) => `${hostname()}-${number}`));
    expect(await defaultName(`${queue}-other`)).toBe(`${hostname()}-1`);
  });

  it('is always the same for an enrolment', async () => {
    const names = [await defaultName(queue, 'enr_01KB3F00000000000012345678')];
    names.push(await defaultName(queue, 'enr_01KB3F00000000000012345678'));
    expect(new Set(names)).toEqual(new Set([`${hostname()}-12345678`]));
  });
});
