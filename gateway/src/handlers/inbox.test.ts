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
});
