import { describe, expect, it } from '@jest/globals';
import { failureOf } from './failure.js';
import { follow, type LiveResult, type StreamStatus } from './resuming.js';

type Sink = Parameters<Parameters<typeof follow>[0]['open']>[1];

/** A stream whose other end is the test; waits are taken when the test says so. */
function followed(isResumable = true, variables: Readonly<Record<string, unknown>> = { id: 'x' }) {
  const opened: { variables: Readonly<Record<string, unknown>>; sink: Sink; isClosed: boolean }[] = [];
  const received: unknown[] = [];
  const waits: { action: () => void; ms: number }[] = [];
  const statuses: StreamStatus[] = [];
  const stop = follow({
    open: (sent, sink) => {
      const one = { variables: sent, sink, isClosed: false };
      opened.push(one);
      return () => (one.isClosed = true);
    },
    variables,
    isResumable,
    backoff: { initialDelayMs: 100, maxDelayMs: 400, random: () => 0 },
    later: (action, ms) => {
      const wait = { action, ms };
      waits.push(wait);
      return () => waits.splice(waits.indexOf(wait), 1);
    },
    sink: {
      data: (data, isFirst) => received.push([data, isFirst]),
      status: (status) => statuses.push(status),
      end: (failure) => received.push(['end', failure?.code ?? null]),
    },
  });
  const last = () => {
    const stream = opened.at(-1);
    if (!stream) throw new Error('no stream was opened');
    return stream;
  };
  return { opened, received, waits, statuses, stop, last, goOn: () => waits.shift()?.action() };
}

const message = (cursor: string): LiveResult => ({ data: { changed: { cursor } } });
const gone = { code: 1006, reason: '' };
const error = (code: string, retry = 'never') => [{ message: code, extensions: { code, retry } }];

describe('a stream that can be resumed', () => {
  it('goes on after its last cursor, and what it brings is not the first again', () => {
    const { last, received, goOn, opened } = followed();
    last().sink.next(message('a'));
    last().sink.next(message('b'));
    last().sink.error(gone);
    goOn();
    expect(opened.map(({ variables }) => variables)).toEqual([{ id: 'x' }, { id: 'x', after: 'b' }]);
    last().sink.next(message('c'));
    expect(received).toEqual([
      [{ changed: { cursor: 'a' } }, true],
      [{ changed: { cursor: 'b' } }, false],
      [{ changed: { cursor: 'c' } }, false],
    ]);
  });

  it('starts again at once without its past, and says so', () => {
    const { last, received, goOn, waits } = followed();
    last().sink.next(message('a'));
    last().sink.error(error('CURSOR_EXPIRED'));
    expect(waits.map(({ ms }) => ms)).toEqual([0]);
    goOn();
    expect(last().variables).toEqual({ id: 'x' });
    last().sink.next(message('z'));
    expect(received.at(-1)).toEqual([{ changed: { cursor: 'z' } }, true]);
  });
});

describe('a stream that is opened after a cursor', () => {
  it('goes on with what its caller knows, until the past is lost', () => {
    const { last, received, goOn } = followed(true, { id: 'x', after: 'c' });
    last().sink.next(message('d'));
    last().sink.error(error('CURSOR_EXPIRED'));
    goOn();
    expect(last().variables).toEqual({ id: 'x' });
    last().sink.next(message('z'));
    expect(received).toEqual([
      [{ changed: { cursor: 'd' } }, false],
      [{ changed: { cursor: 'z' } }, true],
    ]);
  });
});

describe('a stream that cannot be resumed', () => {
  it('starts again, and its first message replaces the previous state', () => {
    const { last, received, goOn } = followed(false);
    last().sink.next(message('a'));
    last().sink.error(gone);
    goOn();
    expect(last().variables).toEqual({ id: 'x' });
    last().sink.next(message('b'));
    expect(received.at(-1)).toEqual([{ changed: { cursor: 'b' } }, true]);
  });
});

describe('any stream', () => {
  it('waits longer each time, until a message comes', () => {
    const { last, goOn, waits, statuses } = followed();
    const seen: number[] = [];
    for (let attempt = 0; attempt < 4; attempt += 1) {
      last().sink.error(gone);
      seen.push(waits[0]?.ms ?? -1);
      goOn();
    }
    expect(seen).toEqual([50, 100, 200, 200]);
    last().sink.next(message('a'));
    expect(statuses.at(-1)).toEqual({ kind: 'open' });
    last().sink.error(gone);
    expect(waits[0]?.ms).toBe(50);
  });

  it.each([
    ['an error of the API', error('FORBIDDEN'), 'FORBIDDEN'],
    ['the end of its token', { code: 4403, reason: 'TOKEN_EXPIRED' }, 'TOKEN_EXPIRED'],
    ['a token that is none', { code: 4401, reason: 'Unauthorized' }, 'UNAUTHENTICATED'],
  ])('ends for good with %s', (_what, thrown, code) => {
    const { last, received, waits } = followed();
    last().sink.error(thrown);
    expect([received, waits]).toEqual([[['end', code]], []]);
  });

  it('fails with the error of a message without data', () => {
    const { last, waits } = followed();
    last().sink.next({ data: { changed: null }, errors: error('SERVICE_UNAVAILABLE', 'later') });
    expect(waits).toHaveLength(1);
    expect(last().isClosed).toBe(true);
  });

  it('opens nothing after it was stopped, and ignores late messages', () => {
    const { last, received, stop, waits, opened } = followed();
    last().sink.error(gone);
    stop();
    expect(waits).toEqual([]);
    last().sink.next(message('late'));
    expect([received, opened.length]).toEqual([[], 1]);
  });

  it('ignores late messages of an abandoned stream', () => {
    const { opened, received, goOn } = followed();
    opened[0]?.sink.error(gone);
    goOn();
    opened[0]?.sink.next(message('late'));
    expect(received).toEqual([]);
  });

  it('ends when the stream is complete', () => {
    const { last, received } = followed();
    last().sink.complete();
    expect(received).toEqual([['end', null]]);
  });
});

it('reports a connection error as temporary', () => {
  expect(failureOf(new Error('refused'))).toMatchObject({ code: 'SERVICE_UNAVAILABLE', retry: 'later' });
});
