import { describe, expect, it } from '@jest/globals';
import { assertKey, assertPrefix, compareKeys } from './keys.js';

describe('assertKey', () => {
  it.each([
    'a',
    'larks/anna/jobs/job_1/3/histogram of µ.root',
    '.hidden',
    '...',
    'a..b/c.',
    'ﬁle/数据/🙂',
    `${'x'.repeat(255)}/${'y'.repeat(255)}/${'z'.repeat(255)}/${'w'.repeat(232)}`,
    'a?b#c%2F&d=e+f',
  ])('permits %s', (key) => {
    expect(() => assertKey(key)).not.toThrow();
  });

  it.each([
    ['', 'is empty'],
    ['/etc/passwd', 'is an absolute path'],
    ['../secret', 'has ".." as a part'],
    ['a/../../secret', 'has ".." as a part'],
    ['a/./b', 'has "." as a part'],
    ['a/\u2025/b', 'as a part'],
    ['a/\uFF0E\uFF0E/b', 'as a part'],
    ['a/\u2024./b', 'as a part'],
    ['..\uFF0Fsecret', 'looks like "/"'],
    ['..\u2215secret', 'looks like "/"'],
    ['..\u2044secret', 'looks like "/"'],
    ['..\\secret', 'looks like "/"'],
    ['a//b', 'has an empty part'],
    ['a/', 'has an empty part'],
    ['a\0b', 'contains control characters'],
    ['a\nb', 'contains control characters'],
    ['gpj.\u202Eexe', 'contains control characters'],
    ['a\uD800', 'is not valid Unicode'],
    ['.rhizome-partial/x', 'must not begin with .rhizome-'],
    ['x'.repeat(256), 'has a part of 256 bytes'],
    ['é'.repeat(128), 'has a part of 256 bytes'],
    ['x/'.repeat(512) + 'y', 'has 1025 bytes'],
    ['n'.repeat(4096), 'has 4096 bytes'],
  ])('refuses %j', (key, reason) => {
    expect(() => assertKey(key)).toThrow(
      expect.objectContaining({ kind: 'INVALID', message: expect.stringContaining(reason) }),
    );
  });
});

describe('assertPrefix', () => {
  it.each(['', 'a', 'a/', 'a/b'])('permits %j', (prefix) => {
    expect(() => assertPrefix(prefix)).not.toThrow();
  });

  it.each(['/', '../', 'a//', 'a/../'])('refuses %j', (prefix) => {
    expect(() => assertPrefix(prefix)).toThrow(expect.objectContaining({ kind: 'INVALID' }));
  });
});

describe('compareKeys', () => {
  it('orders by bytes, as object stores do', () => {
    const keys = ['b', 'a/b', 'a-b', 'ä', 'a', '\u{1F600}', '\uFF21'];
    expect([...keys].sort(compareKeys)).toEqual(['a', 'a-b', 'a/b', 'b', 'ä', '\uFF21', '\u{1F600}']);
  });
});
