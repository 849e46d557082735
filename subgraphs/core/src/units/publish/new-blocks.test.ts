import { describe, expect, it } from '@jest/globals';
import { settingsOf } from '../pools/pool-input.js';
import { groupsOf, newBlocks } from './new-blocks.js';

const pool = { _id: 'pool_01J0000000000000000000000A', settings: settingsOf(null) };
const now = new Date('2030-01-01T00:00:00.000Z');

describe('groupsOf', () => {
  it('makes blocks of one priority, the highest first, of at most 1000 units and 1 MiB', () => {
    const small = Array.from({ length: 1001 }, (_, at) => ({ key: `s${at}`, payload: 'x' }));
    const large = Array.from({ length: 17 }, (_, at) => ({
      key: `l${at}`,
      payload: 'x'.repeat(65_536),
      priority: 9,
    }));
    const groups = groupsOf([...small, ...large]);
    expect(groups.map(({ priority, units }) => [priority, units.length])).toEqual([
      [9, 16],
      [9, 1],
      [4, 1000],
      [4, 1],
    ]);
  });
});

describe('newBlocks', () => {
  it('numbers blocks from the given one, and keeps payloads apart from units', () => {
    const groups = groupsOf([
      { key: 'a', payload: 'first', orderingKey: 'k' },
      { key: 'b', reference: 'file:///b' },
    ]);
    const { blocks, payloads, unitIds } = newBlocks(pool, groups, 7, now);
    expect(blocks).toMatchObject([
      {
        ...{ _id: 'block_01J0000000000000000000000A.7', sequence: 7, waiting: 2, waitingBytes: 14 },
        ...{ readyAt: now, waitingSince: now, openKeys: ['k'] },
      },
    ]);
    expect(JSON.stringify(blocks)).not.toContain('first');
    expect(payloads[0]?.payloads).toEqual([{ payload: 'first' }, { reference: 'file:///b' }]);
    expect([...unitIds]).toEqual([
      ['a', 'unit_01J0000000000000000000000A.7.0'],
      ['b', 'unit_01J0000000000000000000000A.7.1'],
    ]);
  });
});
