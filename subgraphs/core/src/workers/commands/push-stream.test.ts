import { describe, expect, test } from '@jest/globals';
import { PushStream } from './push-stream.js';

describe('a stream that is pushed into', () => {
  test('gives what was pushed in order, whether it was waited for or not', async () => {
    const stream = new PushStream<number>(() => undefined);
    stream.push(1);
    stream.push(2);
    expect([(await stream.next()).value, (await stream.next()).value]).toEqual([1, 2]);
    const waiting = [stream.next(), stream.next()];
    stream.push(3);
    stream.push(4);
    expect((await Promise.all(waiting)).map(({ value }) => value)).toEqual([3, 4]);
  });

  test('ends for those who wait, after what is left, and tells its end once', async () => {
    let closed = 0;
    const stream = new PushStream<number>(() => (closed += 1));
    stream.push(1);
    stream.end();
    stream.push(2);
    expect(await stream.next()).toEqual({ value: 1, done: false });
    expect(await stream.next()).toEqual({ value: undefined, done: true });
    await stream.return();
    expect(closed).toBe(1);
  });

  test('a reader that leaves frees what waits', async () => {
    let closed = 0;
    const stream = new PushStream<number>(() => (closed += 1));
    const waiting = stream.next();
    await stream.return();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(closed).toBe(1);
  });

  test('a reader that falls too far behind is ended', async () => {
    let closed = 0;
    const stream = new PushStream<number>(() => (closed += 1));
    for (let i = 0; i < 20_000; i += 1) stream.push(i);
    expect(closed).toBe(1);
    let taken = 0;
    for await (const value of stream) expect(value).toBe(taken++);
    expect(taken).toBe(10_001);
  });
});
