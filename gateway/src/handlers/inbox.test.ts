import { describe, expect, it } from '@jest/globals';
import { Inbox } from './inbox.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Inbox', () => {
  it('runs a few pieces of work at once, and the work of each source in order', async () => {
    const inbox = new Inbox();
    const ran: number[] = [];
    for (let at = 0; at < 100; at++) inbox.schedule('alice', () => ran.push(at));
    expect(ran.length).toBeLessThan(20);
    while (ran.length < 100) await turn();
    expect(ran).toEqual(Array.from({ length: 100 }, (_, at) => at));
  });

  it('lets a source with little work pass one with much', async () => {
    const inbox = new Inbox();
    const ran: string[] = [];
    for (let at = 0; at < 1000; at++) inbox.schedule('greedy', () => ran.push('greedy'));
    inbox.schedule('pilot', () => ran.push('pilot'));
    while (!ran.includes('pilot')) await turn();
    expect(ran.length).toBeLessThan(40);
    while (ran.length < 1001) await turn();
  });

  it('runs less in one turn while turns are long, and more again when they are short', async () => {
    let now = 0;
    let pieceMs = 20;
    const inbox = new Inbox(() => now);
    let ran = 0;
    const perTurn: number[] = [];
    for (let at = 0; at < 1000; at++)
      inbox.schedule('greedy', () => {
        ran += 1;
        now += pieceMs;
      });
    const turns = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at++) {
        const before = ran;
        await turn();
        perTurn.push(ran - before);
      }
    };
    await turns(5);
    expect(perTurn.at(-1)).toBe(2);
    pieceMs = 0;
    await turns(20);
    expect(perTurn.at(-1)).toBe(16);
    while (ran < 1000) await turn();
  });
});
