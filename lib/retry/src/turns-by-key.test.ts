import { describe, expect, it } from '@jest/globals';
import { TurnsByKey } from './turns-by-key.js';

describe('TurnsByKey', () => {
  it('runs actions of one key in order, also after a failure, and those of others meanwhile', async () => {
    const turns = new TurnsByKey();
    const log: string[] = [];
    let fail = (): void => undefined;
    const first = turns.run('a', () => {
      log.push('a1');
      return new Promise<void>((_resolve, reject) => (fail = () => reject(new Error('lost'))));
    });
    const second = turns.run('a', async () => log.push('a2'));
    await turns.run('b', async () => log.push('b1'));
    expect(log).toEqual(['a1', 'b1']);
    fail();
    await expect(first).rejects.toThrow('lost');
    await second;
    await turns.run('a', async () => log.push('a3'));
    expect(log).toEqual(['a1', 'b1', 'a2', 'a3']);
  });
});
