import { describe, expect, test } from '@jest/globals';
import { failureOf } from './failure.js';
import { follow, type LiveResult, type StreamStatus } from './resuming.js';

type Sink = Parameters<Parameters<typeof follow>[0]['open']>[1];

/** A stream whose other end is the test; waits are taken when the test says so. */
function followed(isResumable = true, variables: Readonly<Record<string, unknown>> = { id: 'x' }) {
  const opened: { variables: Readonly<Record<string, unknown>>; sink: Sink; isClosed: boolean }[] = [];
  const told: unknown[] = [];
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
      data: (data, isFirst) => told.push([data, isFirst]),
      status: (status) => statuses.push(status),
      end: (failure) => told.push(['end', failure?.code ?? null]),
    },
  });
  const last = () => {
    const stream = opened.at(-1);
    if (!stream) throw new Error('no stream was opened');
    return stream;
  };
  return { opened, told, waits, statuses, stop, last, goOn: () => waits.shift()?.action() };
}

const message = (cursor: string): LiveResult => ({ data: { changed: { cursor } } });
const gone = { code: 1006, reason: '' };
const error = (code: string, retry = 'never') => [{ message: code, extensions: { code, retry } }];

describe('a stream that can be resumed', () => {
  test('goes on after its last cursor, and what it brings is not the first again', () => {
    const { last, told, goOn, opened } = followed();
    last().sink.next(message('a'));
    last().sink.next(message('b'));
    last().sink.error(gone);
    goOn();
    expect(opened.map(({ variables }) => variables)).toEqual([{ id: 'x' }, { id: 'x', after: 'b' }]);
    last().sink.next(message('c'));
    expect(told).toEqual([
      [{ changed: { cursor: 'a' } }, true],
      [{ changed: { cursor: 'b' } }, false],
      [{ changed: { cursor: 'c' } }, false],
    ]);
  });

  test('whose past is lost begins anew at once, and says so', () => {
    const { last, told, goOn, waits } = followed();
    last().sink.next(message('a'));
    last().sink.error(error('CURSOR_EXPIRED'));
    expect(waits.map(({ ms }) => ms)).toEqual([0]);
    goOn();
    expect(last().variables).toEqual({ id: 'x' });
    last().sink.next(message('z'));
    expect(told.at(-1)).toEqual([{ changed: { cursor: 'z' } }, true]);
  });
});

describe('a stream that is opened after a cursor', () => {
  test('goes on with what its caller knows, until the past is lost', () => {
    const { last, told, goOn } = followed(true, { id: 'x', after: 'c' });
    last().sink.next(message('d'));
    last().sink.error(error('CURSOR_EXPIRED'));
    goOn();
    expect(last().variables).toEqual({ id: 'x' });
    last().sink.next(message('z'));
    expect(told).toEqual([
      [{ changed: { cursor: 'd' } }, false],
      [{ changed: { cursor: 'z' } }, true],
    ]);
  });
});

describe('a stream that cannot be resumed', () => {
  test('begins anew, and its first message replaces what was there', () => {
    const { last, told, goOn } = followed(false);
    last().sink.next(message('a'));
    last().sink.error(gone);
    goOn();
    expect(last().variables).toEqual({ id: 'x' });
    last().sink.next(message('b'));
    expect(told.at(-1)).toEqual([{ changed: { cursor: 'b' } }, true]);
  });
});

describe('any stream', () => {
  test('waits longer each time, until a message comes', () => {
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

  test.each([
    ['an error of the API', error('FORBIDDEN'), 'FORBIDDEN'],
    ['the end of its token', { code: 4403, reason: 'TOKEN_EXPIRED' }, 'TOKEN_EXPIRED'],
    ['a token that is none', { code: 4401, reason: 'Unauthorized' }, 'UNAUTHENTICATED'],
  ])('ends for good with %s', (_what, thrown, code) => {
    const { last, told, waits } = followed();
    last().sink.error(thrown);
    expect([told, waits]).toEqual([[['end', code]], []]);
  });

  test('a message that is nothing but an error is its failure', () => {
    const { last, waits } = followed();
    last().sink.next({ data: { changed: null }, errors: error('SERVICE_UNAVAILABLE', 'later') });
    expect(waits).toHaveLength(1);
    expect(last().isClosed).toBe(true);
  });

  test('that is stopped opens no more, and late messages are not told', () => {
    const { last, told, stop, waits, opened } = followed();
    last().sink.error(gone);
    stop();
    expect(waits).toEqual([]);
    last().sink.next(message('late'));
    expect([told, opened.length]).toEqual([[], 1]);
  });

  test('late messages of a stream that was given up are not told', () => {
    const { opened, told, goOn } = followed();
    opened[0]?.sink.error(gone);
    goOn();
    opened[0]?.sink.next(message('late'));
    expect(told).toEqual([]);
  });

  test('ends when there is no more to tell', () => {
    const { last, told } = followed();
    last().sink.complete();
    expect(told).toEqual([['end', null]]);
  });
});

test('a fault of the connection may pass', () => {
  expect(failureOf(new Error('refused'))).toMatchObject({ code: 'SERVICE_UNAVAILABLE', retry: 'later' });
});
