import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { sleep } from './sleep.js';

const anHour = 3_600_000;

describe('sleep', () => {
  test('returns true when the time is over', async () => {
    expect(await sleep(1)).toBe(true);
    expect(await sleep(1, new AbortController().signal)).toBe(true);
  });

  test('returns false as soon as the signal aborts', async () => {
    const controller = new AbortController();
    const slept = sleep(anHour, controller.signal);
    controller.abort();
    expect(await slept).toBe(false);
  });

  test('returns false at once for a signal that has aborted before', async () => {
    expect(await sleep(anHour, AbortSignal.abort())).toBe(false);
  });

  test('leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    await sleep(1, signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('does not keep the process alive with ref false', async () => {
    const program = `
      const { sleep } = await import(process.argv[1]);
      void sleep(${anHour}, undefined, { ref: false });
      console.log('asleep');`;
    const module = new URL('./sleep.js', import.meta.url).href;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '-e',
      program,
      module,
    ]);
    expect(stdout).toBe('asleep\n');
  });
});
