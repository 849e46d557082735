import { expect, it } from '@jest/globals';
import { logPattern, logTailCharacters } from './log-pattern.js';

function compiled(text: string) {
  const pattern = logPattern(text);
  if ('expected' in pattern) throw new Error(pattern.expected);
  return pattern;
}

it('finds the line of the first match', () => {
  const pattern = compiled('^E .*space left');
  expect(pattern.find('start\nE no space left on device\nE no space left again')).toBe(
    'E no space left on device',
  );
  expect(pattern.find('start E no space left')).toBeUndefined();
  expect(compiled('^$').find('a\n\nb')).toBe('');
});

it('matches patterns that make other engines exponential', () => {
  // A backtracking engine needs 2^32768 steps for each of them, so an end of the test is the proof.
  const text = 'x'.repeat(logTailCharacters);
  for (const pattern of ['(x+x+)+y', '(x|x)*y', '(x*)*y$'])
    expect(compiled(pattern).find(text)).toBeUndefined();
});
