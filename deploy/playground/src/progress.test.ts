import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { showProgress } from './progress.js';

function shown(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY });
  const chunks: string[] = [];
  stream.on('data', (chunk) => chunks.push(String(chunk)));
  return { show: showProgress(stream), chunks };
}

const step = 'downloading mongod';
const part = (percent: number) => ({ step, bytes: percent * 2 ** 20, totalBytes: 100 * 2 ** 20, percent });

describe('showProgress', () => {
  it('prints a line for each step and each 20 % without a terminal', () => {
    const { show, chunks } = shown(false);
    show({ step });
    for (let percent = 1; percent <= 100; percent += 1) show(part(percent));
    show({ step: 'unpacking' });
    expect(chunks).toHaveLength(7);
    expect(chunks[1]).toBe(`${step} 20.0 of 100.0 MiB (20 %)\n`);
    expect(chunks.at(-1)).toBe('unpacking\n');
  });

  it('overwrites one line on a terminal', () => {
    const { show, chunks } = shown(true);
    show({ step });
    show(part(50));
    show(part(100));
    show({ step: 'unpacking' });
    expect(chunks[1]).toBe(`\r\x1b[2K${step} 50.0 of 100.0 MiB (50 %)`);
    expect(chunks[2]?.endsWith('\n')).toBe(true);
    expect(chunks[3]).toBe('\r\x1b[2Kunpacking');
  });
});
