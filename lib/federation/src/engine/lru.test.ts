import { describe, expect, test } from '@jest/globals';
import { Lru } from './lru.js';

describe('a bounded map', () => {
  test('forgets what was used longest ago', () => {
    const lru = new Lru<string, number>({ entries: 2 });
    lru.set('a', 1);
    lru.set('b', 2);
    lru.get('a');
    lru.set('c', 3);
    expect([lru.get('a'), lru.get('b'), lru.get('c'), lru.size]).toEqual([1, undefined, 3, 2]);
  });

  test('is bounded by weight as well, and lets go of an entry that alone is too heavy', () => {
    const lru = new Lru<string, number>({ entries: 10, weight: 5, weigh: (key) => key.length });
    lru.set('aaa', 1);
    lru.set('bb', 2);
    expect(lru.size).toBe(2);
    lru.set('c', 3);
    expect([lru.get('aaa'), lru.get('bb'), lru.get('c')]).toEqual([undefined, 2, 3]);
    lru.set('dddddd', 4);
    expect(lru.size).toBe(0);
    lru.set('ee', 5);
    expect(lru.get('ee')).toBe(5);
  });

  test('drops a key only while it has the value that is meant', () => {
    const lru = new Lru<string, number>({ entries: 2 });
    lru.set('a', 1);
    lru.drop('a', 2);
    expect(lru.get('a')).toBe(1);
    lru.drop('a', 1);
    expect(lru.get('a')).toBeUndefined();
  });
});

test('a value is exchanged in its place, and only for the one that it stands for', () => {
  const lru = new Lru<string, number>({ entries: 2 });
  lru.set('a', 1);
  lru.set('b', 2);
  lru.exchange('a', 1, 10);
  lru.exchange('b', 1, 20);
  lru.exchange('c', 1, 30);
  expect([lru.get('b'), lru.get('c'), lru.size]).toEqual([2, undefined, 2]);
  lru.set('d', 4);
  // Being exchanged is no use: "a" was used longest ago.
  expect([lru.get('a'), lru.get('b'), lru.get('d')]).toEqual([undefined, 2, 4]);
});

test('what is asked for again and again stays, also behind what was asked for between', () => {
  const lru = new Lru<string, number>({ entries: 2 });
  lru.set('a', 1);
  lru.set('b', 2);
  for (const key of ['a', 'a', 'b', 'a', 'a']) lru.get(key);
  lru.set('c', 3);
  expect([lru.get('a'), lru.get('b'), lru.get('c')]).toEqual([1, undefined, 3]);
});
