import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { sleep } from './sleep.js';

const anHour = 3_600_000;

describe('sleep', () => {
  it('returns true when the time is over', async () => {
    expect(await sleep(1)).toBe(true);
    expect(await sleep(1, new AbortController().signal)).toBe(true);
  });

  it('returns false as soon as the signal aborts', async () => {
    const controller = new AbortController();
    const slept = sleep(anHour, controller.signal);
    controller.abort();
    expect(await slept).toBe(false);
  });

  it('returns false at once if the signal has already aborted', async () => {
    expect(await sleep(anHour, AbortSignal.abort())).toBe(false);
  });

  it('leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    await sleep(1, signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('exits with the process if ref is false', async () => {
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
