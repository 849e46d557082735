import { describe, expect, it } from '@jest/globals';
import { StreamHistory } from './stream-history.js';

const event = (cursor: string | undefined, text = `event ${cursor ?? ''}`) => ({ text, cursor, codes: [] });

describe('StreamHistory', () => {
  it('keeps the newest events and returns the position after a cursor', () => {
    const ring = new StreamHistory(3, 1000);
    for (const cursor of ['a', 'b', 'c', 'd', 'e']) ring.push(event(cursor));
    expect([ring.first, ring.end]).toEqual([2, 5]);
    expect(ring.at(1)).toBeUndefined();
    expect(ring.at(2)?.cursor).toBe('c');
    expect(ring.at(5)).toBeUndefined();
    expect(['a', 'b', 'c', 'e', 'x'].map((cursor) => ring.after(cursor))).toEqual([
      undefined,
      2,
      3,
      5,
      undefined,
    ]);
  });

  it('keeps its initial cursor until the first event and one more are dropped', () => {
    const ring = new StreamHistory(2, 1000, 'start');
    expect(ring.after('start')).toBe(0);
    ring.push(event('a'));
    ring.push(event('b'));
    expect(ring.after('start')).toBe(0);
    ring.push(event('c'));
    expect(ring.after('start')).toBeUndefined();
    expect(ring.after('a')).toBe(1);
  });

  it('keeps only the newest few old events', () => {
    let now = 0;
    const ring = new StreamHistory(1000, 100_000, undefined, () => now);
    for (let at = 0; at < 200; at++) ring.push(event(`old${at}`));
    expect(ring.end - ring.first).toBe(200);
    now = 15_001;
    ring.push(event('new'));
    expect([ring.end - ring.first, ring.after('old136'), ring.after('old137')]).toEqual([64, 137, 138]);
    for (let at = 0; at < 100; at++) ring.push(event(`new${at}`));
    expect(ring.end - ring.first).toBe(101);
  });

  it('limits the number of characters, and keeps one event however large', () => {
    const ring = new StreamHistory(100, 10);
    ring.push(event('a', 'xxxx'));
    ring.push(event('b', 'xxxx'));
    ring.push(event('c', 'xxxx'));
    expect([ring.first, ring.end]).toEqual([1, 3]);
    ring.push(event('d', 'x'.repeat(50)));
    expect([ring.first, ring.end]).toEqual([3, 4]);
  });

  it('continues after the last of several events with one cursor', () => {
    const ring = new StreamHistory(2, 1000);
    for (const cursor of ['a', 'a', 'a']) ring.push(event(cursor));
    expect(ring.after('a')).toBe(3);
    ring.push(event(undefined));
    ring.push(event(undefined));
    expect(ring.after('a')).toBe(3);
    ring.push(event(undefined));
    expect(ring.after('a')).toBeUndefined();
  });

  it('drops cursors with their events: a long stream holds no more than a short one', () => {
    const ring = new StreamHistory(10, 1000);
    for (let i = 0; i < 10_000; i++) ring.push(event(`c${i}`));
    const known = Array.from({ length: 10_000 }, (_, i) => ring.after(`c${i}`)).filter(
      (at) => at !== undefined,
    );
    expect(known).toHaveLength(11);
  });
});
