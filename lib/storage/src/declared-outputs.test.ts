import { describe, expect, it } from '@jest/globals';
import { assertDeclaredOutput, isDeclaredBy, kindOfOutput, searchOf } from './declared-outputs.js';

describe('isDeclaredBy', () => {
  it.each([
    ['hist.txt', ['hist.txt'], ['a/hist.txt', 'hist.txt.gz', 'hist']],
    ['plots/a.png', ['plots/a.png'], ['a.png', 'plots/b/a.png']],
    [
      'results/',
      ['results/a', 'results/b/c', 'results/.hidden'],
      ['results', 'other/results/a', 'results2/a'],
    ],
    ['plots/*.png', ['plots/a.png', 'plots/.png'], ['plots/b/a.png', 'a.png', 'plots/a.png.gz']],
    ['**/*.root', ['a.root', 'b/a.root', 'b/c/a.root'], ['a.root/b', 'a.roo', 'b/a.root.tmp']],
    ['run?/**/log', ['run1/log', 'run2/a/b/log'], ['run/log', 'run12/log', 'run1/a/logs']],
    ['a*b*c', ['abc', 'a-b-b-c', 'abc-bc'], ['ab', 'ac-b', 'abc-d', 'a/b/c']],
    ['*', ['a', '*', '😀'], ['a/b']],
    ['?', ['a', '😀'], ['ab']],
  ])('matches %s', (entry, matching, others) => {
    expect(matching.filter((path) => !isDeclaredBy(path, entry))).toEqual([]);
    expect(others.filter((path) => isDeclaredBy(path, entry))).toEqual([]);
  });

  it('takes each wildcard once, however often the text before it repeats', () => {
    const entry = `${'*a'.repeat(16)}*b`;
    expect(isDeclaredBy('a'.repeat(512), entry)).toBe(false);
    expect(isDeclaredBy(`${'a'.repeat(511)}b`, entry)).toBe(true);
  });
});

describe('assertDeclaredOutput', () => {
  it.each(['a', 'a/b', 'a/', 'a/b/', '*.png', '**/*.root', 'a/**/b?', '*'])('accepts %s', (entry) => {
    expect(() => assertDeclaredOutput(entry)).not.toThrow();
  });

  it.each([
    ['', 'is empty'],
    ['/', 'absolute'],
    ['/etc/passwd', 'absolute'],
    ['../x', 'names only'],
    ['a/../b', 'names only'],
    ['a//b', 'empty part'],
    ['a//', 'empty part'],
    ['a\\b', 'looks like'],
    ['a\0', 'control'],
    ['．．/x', 'names only'],
    ['a*/', 'pattern or a folder'],
    ['a**', 'part of its own'],
    ['**', 'end with a name'],
    ['a/**', 'end with a name'],
    ['?*'.repeat(2) + 'a*'.repeat(17), 'at most 16'],
    [`${'x'.repeat(64)}*`, 'at most 64'],
    ['x'.repeat(256), 'at most 255'],
    [`${'x'.repeat(200)}/`.repeat(3), 'at most 512'],
    [`${'x/'.repeat(33)}y`, 'at most 32'],
    [`**/${'x/'.repeat(32)}y`, 'at most 32'],
  ])('refuses %j', (entry, expected) => {
    expect(() => assertDeclaredOutput(entry)).toThrow(expected);
  });
});

describe('searchOf', () => {
  it.each([
    ['a', 'FILE', [], 0],
    ['results/', 'FOLDER', ['results'], Infinity],
    ['plots/*.png', 'PATTERN', ['plots'], 0],
    ['plots/run*/x/*.png', 'PATTERN', ['plots'], 2],
    ['**/*.root', 'PATTERN', [], Infinity],
    ['a/b/**/c', 'PATTERN', ['a', 'b'], Infinity],
  ] as const)('finds where the files of %s are', (entry, kind, base, depth) => {
    expect(kindOfOutput(entry)).toBe(kind);
    expect(searchOf(entry)).toEqual({ base, depth });
  });
});

it('matches no path that is deeper than outputs may be', () => {
  expect(isDeclaredBy(`${'x/'.repeat(32)}y`, '**/y')).toBe(true);
  expect(isDeclaredBy(`${'x/'.repeat(33)}y`, '**/y')).toBe(false);
});
