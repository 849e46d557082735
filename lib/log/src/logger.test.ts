import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { currentContext, withContext } from './context.js';
import { createLogger, type Logger, type LogLevel } from './logger.js';

type Line = Record<string, unknown>;

function capture(level?: LogLevel): { log: Logger; lines: () => Line[]; text: () => string } {
  let text = '';
  const destination = { write: (chunk: string): void => void (text += chunk) };
  const log = createLogger({ name: 'part', ...(level ? { level } : {}), destination });
  const lines = (): Line[] =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line);
  return { log, lines, text: () => text };
}

describe('createLogger', () => {
  it('writes one JSON line with level name, ISO time, message and fields', () => {
    const { log, lines } = capture();
    log.info({ port: 7 }, 'listening');
    expect(lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        pid: process.pid,
        name: 'part',
        port: 7,
        msg: 'listening',
      },
    ]);
  });

  it('writes nothing below its level', () => {
    const { log, lines } = capture('warn');
    log.info('too detailed');
    log.warn('loud');
    expect(lines().map((line) => line['msg'])).toEqual(['loud']);
  });

  it('adds request and job ids to each line, across awaits and separately for parallel requests', async () => {
    const { log, lines } = capture();
    const child = log.child({ module: 'jobs' });
    await Promise.all(
      ['r1', 'r2'].map((requestId) =>
        withContext({ requestId }, async () => {
          await delay(1);
          withContext({ jobId: `job of ${requestId}` }, () => child.info('inner'));
          child.info('outer');
        }),
      ),
    );
    log.info('outside');
    const seen = lines().map(({ module, requestId, jobId, msg }) => ({ module, requestId, jobId, msg }));
    for (const requestId of ['r1', 'r2']) {
      expect(seen).toContainEqual({ module: 'jobs', requestId, jobId: `job of ${requestId}`, msg: 'inner' });
      expect(seen).toContainEqual({ module: 'jobs', requestId, jobId: undefined, msg: 'outer' });
    }
    expect(lines().at(-1)).not.toHaveProperty('requestId');
    expect(currentContext()).toEqual({});
  });

  it('prefers a field of the line to the context', () => {
    const { log, lines } = capture();
    withContext({ jobId: 'outer' }, () => log.info({ jobId: 'own' }, 'x'));
    expect(lines()[0]).toMatchObject({ jobId: 'own' });
  });
});

describe('secrets', () => {
  const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJlLWh1bnRlcjI';
  it.each<[string, (log: Logger) => void]>([
    ['a token field', (log) => log.info({ token: 'hunter2' }, 'x')],
    [
      'a nested authorization header',
      (log) => log.info({ request: { headers: { Authorization: 'Bearer hunter2hunter2' } } }, 'x'),
    ],
    ['a password in a list', (log) => log.info({ users: [{ name: 'a', password: 'hunter2' }] }, 'x')],
    ['a client secret', (log) => log.info({ oidc: { clientSecret: 'hunter2' } }, 'x')],
    ['credentials in a URI', (log) => log.info({ uri: 'mongodb://core:hunter2@db/core' }, 'x')],
    ['credentials in the text', (log) => log.info('connecting to mongodb+srv://core:hunter2@db')],
    ['a bearer token in the text', (log) => log.info({}, 'header was Bearer hunter2hunter2')],
    ['a JWT anywhere', (log) => log.info({ text: `got ${jwt}` }, `got ${jwt}`)],
    ['an error text', (log) => log.error(new Error('mongodb://core:hunter2@db refused'))],
    [
      'an error next to a text',
      (log) => log.error({ err: new Error('x', { cause: new Error('Bearer hunter2hunter2') }) }, 'failed'),
    ],
    [
      'an error under another name',
      (log) => log.error({ problem: Object.assign(new Error('x'), { token: 'hunter2' }) }, 'x'),
    ],
    [
      'a child',
      (log) => log.child({ a: 1 }).child({ token: 'hunter2', uri: 'http://a:hunter2@b' }).info('x'),
    ],
    ['a config object', (log) => log.info(new Map([['uri', 'mongodb://core:hunter2@db']]), 'x')],
  ])('masks %s and still writes the line', (_what, write) => {
    const { log, lines, text } = capture();
    write(log);
    expect(lines()).toHaveLength(1);
    expect(text()).not.toContain('hunter2');
    expect(text()).not.toContain('c2lnbmF0dXJl');
  });

  it('keeps harmless fields readable', () => {
    const { log, lines } = capture();
    log.info(
      { uri: 'mongodb://core:x@db:27017/core', jobs: 3, at: new Date(0), none: null },
      'seen by core@site',
    );
    expect(lines()[0]).toMatchObject({
      uri: 'mongodb://***@db:27017/core',
      jobs: 3,
      at: '1970-01-01T00:00:00.000Z',
      none: null,
      msg: 'seen by core@site',
    });
  });
});

describe('logged error', () => {
  it('has type, code, details, cause and stack', () => {
    const { log, lines } = capture();
    const error = Object.assign(new TypeError('bad', { cause: new Error('why') }), {
      code: 'CONFLICT',
      details: { field: 'a' },
    });
    log.error(error);
    log.error({ err: error }, 'failed');
    const err = {
      type: 'TypeError',
      message: 'bad',
      code: 'CONFLICT',
      details: { field: 'a' },
      cause: { message: 'why' },
    };
    expect(lines()[0]).toMatchObject({ msg: 'bad', err });
    expect(lines()[1]).toMatchObject({
      msg: 'failed',
      err: { ...err, stack: expect.stringContaining('logger.test') },
    });
  });

  it('limits the line for cyclic, deep and long fields', () => {
    const { log, text } = capture();
    const cyclic: Line = { list: Array.from({ length: 5000 }, (_, i) => i) };
    cyclic['self'] = cyclic;
    log.info({ cyclic, big: 10n, bytes: Buffer.alloc(1e6) }, 'x');
    expect(text().length).toBeGreaterThan(10);
    expect(text().length).toBeLessThan(10_000);
  });
});
