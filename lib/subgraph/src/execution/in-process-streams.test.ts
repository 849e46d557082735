import { describe, expect, it, jest } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { plantStream, reader, setUp, turn, who } from './in-process.fixture.js';
import type { ExecutionMode } from './operation.js';

describe.each<ExecutionMode>(['jit', 'interpreted'])('a stream in process, %s', (mode) => {
  it('passes its argument to the source and ends with it', async () => {
    const { open, streams } = setUp(mode);
    const stream = open('subscription { plantChanged(after: "c7") { cursor } }');
    const first = stream.next();
    await turn();
    expect(streams[0]?.after).toBe('c7');
    streams[0]?.feed.push({ cursor: 'c8' });
    expect((await first).value).toEqual({ data: { plantChanged: { cursor: 'c8' } } });
    const second = stream.next();
    await turn();
    await streams[0]?.feed.return();
    expect(await second).toEqual({ value: undefined, done: true });
  });

  it('settles, ends its source and aborts its signal when the consumer returns while it waits', async () => {
    const { open, streams } = setUp(mode);
    const stream = open(plantStream);
    const waiting = stream.next();
    await turn();
    await stream.return();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(streams[0]?.feed.ended).toBe(true);
    expect(streams[0]?.signal?.aborted).toBe(true);
    expect(await stream.next()).toEqual({ value: undefined, done: true });
  });

  it('ends when the caller’s signal aborts', async () => {
    const { open, streams } = setUp(mode);
    const caller = new AbortController();
    const waiting = open(plantStream, reader, caller.signal).next();
    await turn();
    caller.abort();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(streams[0]?.feed.ended).toBe(true);
  });

  it('reports the failure of its source and ends', async () => {
    const { open, streams } = setUp(mode);
    const stream = open(plantStream);
    const first = stream.next();
    await turn();
    streams[0]?.feed.fail(new DomainError('SUBSCRIPTION_LAGGED', 'too slow', { cursor: 'c4' }));
    streams[0]?.feed.push({ cursor: 'c1', id: '1' });
    await first;
    expect((await stream.next()).value).toMatchObject({
      errors: [{ extensions: { code: 'SUBSCRIPTION_LAGGED', cursor: 'c4' } }],
    });
    expect((await stream.next()).done).toBe(true);
  });

  it('continues after an event whose resolvers failed', async () => {
    const { open, streams } = setUp(mode);
    const stream = open(plantStream);
    const first = stream.next();
    await turn();
    streams[0]?.feed.push({ cursor: 'c1', id: 'bad' });
    expect((await first).value).toMatchObject({ data: { plantChanged: { plant: null } }, errors: [{}] });
    streams[0]?.feed.push({ cursor: 'c2', id: '1' });
    const second = (await stream.next()).value;
    expect(second).toEqual({ data: { plantChanged: { cursor: 'c2', plant: { id: '1', name: 'fern' } } } });
    await stream.return();
  });

  it('ends with TOKEN_EXPIRED when the token expires', async () => {
    jest.useFakeTimers({
      doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'],
      now: new Date('2030-01-01T00:00:00Z'),
    });
    try {
      const { open, streams } = setUp(mode);
      // Later than a timer can wait.
      const days = 60 * 24 * 3600 * 1000;
      const stream = open(
        plantStream,
        who('READER', 'somebody', new Date(Date.parse('2030-01-01T00:00:00Z') + days)),
      );
      const waiting = stream.next();
      await turn();
      jest.advanceTimersByTime(days - 1000);
      expect(streams[0]?.feed.ended).toBe(false);
      jest.advanceTimersByTime(1000);
      expect((await waiting).value).toMatchObject({ errors: [{ extensions: { code: 'TOKEN_EXPIRED' } }] });
      expect((await stream.next()).done).toBe(true);
      expect(streams[0]?.feed.ended).toBe(true);
    } finally {
      jest.useRealTimers();
    }
  });

  it('returns the single answer of a query', async () => {
    const { open } = setUp(mode);
    const items = [];
    for await (const item of open('{ me }')) items.push(item);
    expect(items).toEqual([{ data: { me: 'somebody in eden' } }]);
  });
});
