import { describe, expect, it } from '@jest/globals';
import { createLogger, type LogLevel } from '@rhizome/log';
import { RequestLogger } from './request-log.js';

function setUp(level: LogLevel) {
  const lines: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  return { lines, log: new RequestLogger(createLogger({ name: 'demo', level, destination }), 'req-5') };
}

describe('the logger of a request', () => {
  it('writes the request id in each line and in those of its children', () => {
    const { lines, log } = setUp('trace');
    log.info('planted');
    log.error({ err: new Error('dry') }, 'withered');
    log.child({ plant: 'fern' }).warn({ bed: 'east' });
    log.trace({ water: 1 }, 'watered');
    expect(lines).toMatchObject([
      { level: 'info', msg: 'planted', requestId: 'req-5' },
      { level: 'error', msg: 'withered', requestId: 'req-5' },
      { level: 'warn', plant: 'fern', bed: 'east', requestId: 'req-5' },
      { level: 'trace', msg: 'watered', water: 1, requestId: 'req-5' },
    ]);
  });

  it('has the level of the service’s logger', () => {
    const { lines, log } = setUp('warn');
    log.debug('nothing');
    log.trace('nothing');
    log.info('nothing');
    expect(lines).toEqual([]);
    expect([log.isLevelEnabled('info'), log.isLevelEnabled('warn')]).toEqual([false, true]);
  });
});
