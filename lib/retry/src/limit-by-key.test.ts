import { describe, expect, it } from '@jest/globals';
import { LimitByKey } from './limit-by-key.js';

const open = new AbortController().signal;

/** An action that lasts until its `end` is called. */
function held(name: string, log: string[]) {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const action = async (): Promise<void> => {
    log.push(name);
    await ended;
  };
  return { action, end };
}

describe('LimitByKey', () => {
  it('runs a limited number of actions of a key at once, in order, and those of other keys at any time', async () => {
    const limit = new LimitByKey(2);
    const log: string[] = [];
    const actions = ['a1', 'a2', 'a3', 'a4'].map((name) => held(name, log));
    const running = actions.map(async ({ action }) => limit.run('a', open, action));
    await limit.run('b', open, async () => log.push('b1'));
    expect(log).toEqual(['a1', 'a2', 'b1']);
    actions[1]?.end();
    await running[1];
    expect(log).toEqual(['a1', 'a2', 'b1', 'a3']);
    for (const { end } of actions) end();
    await Promise.all(running);
    expect(log).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
  });

  it('goes on after a failure', async () => {
    const limit = new LimitByKey(1);
    const failing = limit.run('a', open, async () => Promise.reject(new Error('lost')));
    const next = limit.run('a', open, async () => 'done');
    await expect(failing).rejects.toThrow('lost');
    expect(await next).toBe('done');
  });

  it('lets one that waits give up, and keeps its turn for the next', async () => {
    const limit = new LimitByKey(1);
    const log: string[] = [];
    const first = held('first', log);
    const running = limit.run('a', open, first.action);
    const leaving = new AbortController();
    const given = limit.run('a', leaving.signal, async () => log.push('given up'));
    const last = limit.run('a', open, async () => log.push('last'));
    leaving.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    first.end();
    await Promise.all([running, last]);
    expect(log).toEqual(['first', 'last']);
  });
});
