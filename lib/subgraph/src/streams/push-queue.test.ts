import { describe, expect, it } from '@jest/globals';
import { PushQueue } from './push-queue.js';

/** A queue of numbers that counts the calls of `onEnd`. */
function queueOf(bound: number, overflow?: () => Error) {
  let ends = 0;
  const queue = new PushQueue<number>({ bound, onEnd: () => ends++, ...(overflow && { overflow }) });
  return { queue, ends: () => ends };
}

const end = { done: true, value: undefined };

describe('PushQueue', () => {
  it('returns values in the order pushed, with and without pending calls', async () => {
    const { queue } = queueOf(5);
    queue.push(1);
    queue.push(2);
    expect([(await queue.next()).value, (await queue.next()).value]).toEqual([1, 2]);
    const waiting = [queue.next(), queue.next()];
    queue.push(3);
    queue.push(4);
    expect((await Promise.all(waiting)).map(({ value }) => value)).toEqual([3, 4]);
  });

  it('ends after the values held when the source finishes', async () => {
    const { queue, ends } = queueOf(5);
    queue.push(1);
    queue.finish();
    queue.push(2);
    expect([await queue.next(), await queue.next()]).toEqual([{ done: false, value: 1 }, end]);
    expect(ends()).toBe(0);
  });

  it('rejects with the error of the source after the values held, once', async () => {
    const { queue, ends } = queueOf(5);
    queue.push(1);
    queue.fail(new Error('gone'));
    expect((await queue.next()).value).toBe(1);
    await expect(queue.next()).rejects.toThrow('gone');
    expect(await queue.next()).toEqual(end);
    expect(ends()).toBe(0);
  });

  it('rejects the first of the pending calls with the error of the source and ends the others', async () => {
    const { queue } = queueOf(5);
    const waiting = [queue.next(), queue.next()];
    queue.fail(new Error('gone'));
    await expect(waiting[0]).rejects.toThrow('gone');
    expect(await waiting[1]).toEqual(end);
  });

  it('returns the values held and then the error to a consumer that is too slow; the source ends', async () => {
    const { queue, ends } = queueOf(2, () => new Error('too slow'));
    [1, 2, 3, 4].forEach((value) => queue.push(value));
    expect(ends()).toBe(1);
    expect([(await queue.next()).value, (await queue.next()).value]).toEqual([1, 2]);
    await expect(queue.next()).rejects.toThrow('too slow');
    expect(await queue.next()).toEqual(end);
  });

  it('returns the values held and then the end to a consumer that is too slow if no error is configured', async () => {
    const { queue, ends } = queueOf(2);
    [1, 2, 3, 4].forEach((value) => queue.push(value));
    expect(ends()).toBe(1);
    expect([await queue.next(), await queue.next(), await queue.next()]).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      end,
    ]);
  });

  it('settles pending calls and ends the source once when the consumer returns', async () => {
    const { queue, ends } = queueOf(5);
    const waiting = queue.next();
    await queue.return();
    await queue.return();
    expect(await waiting).toEqual(end);
    expect(ends()).toBe(1);
  });
});
