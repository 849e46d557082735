import { describe, expect, it } from '@jest/globals';
import { WaitingSockets } from './waiting-sockets.js';

/** Adds sockets by name; returns the names in the order of their eviction. */
function evictedOf(waiting: WaitingSockets, sockets: readonly (readonly [string, string])[]): string[] {
  const evicted: string[] = [];
  for (const [address, name] of sockets) {
    const remove = waiting.add(address, {
      evict: () => {
        evicted.push(name);
        remove();
      },
    });
  }
  return evicted;
}

describe('WaitingSockets', () => {
  it('evicts the oldest of an address that has too many', () => {
    const waiting = new WaitingSockets({ waitingSockets: 10, waitingSocketsPerAddress: 2 });
    const evicted = evictedOf(waiting, [
      ['10.0.0.1', 'a'],
      ['10.0.0.1', 'b'],
      ['10.0.0.2', 'c'],
      ['10.0.0.1', 'd'],
    ]);
    expect(evicted).toEqual(['a']);
    expect(waiting.size).toBe(3);
  });

  it('evicts from the address that has most while there are too many in all', () => {
    const waiting = new WaitingSockets({ waitingSockets: 3, waitingSocketsPerAddress: 3 });
    const evicted = evictedOf(waiting, [
      ['10.0.0.1', 'modest'],
      ['10.0.0.2', 'greedy 1'],
      ['10.0.0.2', 'greedy 2'],
      ['10.0.0.3', 'late'],
    ]);
    expect(evicted).toEqual(['greedy 1']);
  });

  it('counts a socket until it is accepted or closes, once', () => {
    const waiting = new WaitingSockets({ waitingSockets: 3, waitingSocketsPerAddress: 3 });
    const remove = waiting.add('10.0.0.1', { evict: () => undefined });
    remove();
    remove();
    expect(waiting.size).toBe(0);
  });
});
