import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { createProgressDisplay } from './progress-display.js';

/** A display on a terminal or another stream, and its output. */
function display(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY });
  let written = '';
  stream.on('data', (chunk) => (written += String(chunk)));
  return {
    display: createProgressDisplay({ stream }, () => 1.25),
    take: () => {
      const text = written;
      written = '';
      return text;
    },
  };
}

/** Escape sequence that moves up this many lines and erases everything below. */
const up = (lines: number) => `\x1b[${lines}A\x1b[0J`;

const line = (id: string, state: string) => ({
  id,
  what: `job ${id}`,
  state,
  attempt: 1,
  worker: 'pilot-1',
  note: '',
});

describe('the progress display without a terminal', () => {
  it('prints each change as a line of plain text with its time', () => {
    const { display: shown, take } = display(false);
    shown.show(line('a', 'RUNNING'));
    shown.show(line('a', 'FINISHED'));
    const [first, second] = take().trimEnd().split('\n');
    expect(first).toMatch(/^ +1\.3 s {2}job a +RUNNING +attempt 1 {2}pilot-1$/);
    expect(second).toMatch(/FINISHED/);
    shown.say('a message');
    expect(take()).toBe('a message\n');
  });
});

describe('the progress display on a terminal', () => {
  it('redraws one line for each job', () => {
    const { display: shown, take } = display(true);
    shown.show(line('a', 'RUNNING'));
    take();
    shown.show(line('b', 'SENT'));
    // One line up, everything below erased, then both lines.
    const drawn = take();
    expect(drawn.startsWith(up(1))).toBe(true);
    expect(drawn.slice(up(1).length)).toMatch(/^job a.*RUNNING.*\njob b.*SENT.*\n$/s);
    shown.show(line('a', 'FINISHED'));
    const text = take();
    expect(text.startsWith(up(2))).toBe(true);
    expect(text.match(/job a/g)).toHaveLength(1);
    expect(text).toContain('\x1b[32mFINISHED');
  });

  it('prints messages above the jobs', () => {
    const { display: shown, take } = display(true);
    shown.show(line('a', 'RUNNING'));
    take();
    shown.say('a message');
    const drawn = take();
    expect(drawn.startsWith(`${up(1)}a message\njob a`)).toBe(true);
  });
});
