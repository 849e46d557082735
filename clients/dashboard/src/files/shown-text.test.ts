import { describe, expect, it } from '@jest/globals';
import { fetchCommandOf } from './fetch-command.js';
import { indentJson } from './json-text.js';
import { foldersOf, sizeText } from './output-folders.js';

describe('indentJson', () => {
  it('keeps numbers and strings as they are written', () => {
    const text =
      '{"id":12345678901234567890,"x":1.0e-400,"s":"a\\"{,:\\u0041","none":{},"list":[ 1,[ ],null]}';
    expect(indentJson(text).split('\n')).toEqual([
      '{',
      '  "id": 12345678901234567890,',
      '  "x": 1.0e-400,',
      '  "s": "a\\"{,:\\u0041",',
      '  "none": {},',
      '  "list": [',
      '    1,',
      '    [],',
      '    null',
      '  ]',
      '}',
    ]);
    expect(JSON.parse(indentJson(text))).toEqual(JSON.parse(text));
  });

  it('bounds the indentation of deep nesting', () => {
    const deep = '['.repeat(1000) + ']'.repeat(1000);
    expect(indentJson(deep).length).toBeLessThan(deep.length * 34);
  });

  it('leaves a text as it is that would become too long for a page', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(indentJson(deep)).toBe(deep);
  });
});

describe('foldersOf', () => {
  it('counts files and bytes of each folder at any depth', () => {
    const file = (name: string, sizeBytes: number) => ({ name, sizeBytes, sha256: '' });
    const root = foldersOf([
      file('p/b/2.png', 4),
      file('z.txt', 1),
      file('p/1.png', 2),
      file('p/b/1.png', 3),
    ]);
    expect(root).toMatchObject({ path: '', count: 4, sizeBytes: 10, files: [{ name: 'z.txt' }] });
    expect(root.folders).toMatchObject([
      {
        path: 'p',
        count: 3,
        sizeBytes: 9,
        files: [{ name: 'p/1.png' }],
        folders: [{ path: 'p/b', count: 2, files: [{ name: 'p/b/1.png' }, { name: 'p/b/2.png' }] }],
      },
    ]);
  });
});

describe('sizeText', () => {
  it.each([
    [0, '0 bytes'],
    [1023, '1023 bytes'],
    [1536, '1.5 KiB'],
    [256 * 1024, '256 KiB'],
    [5 * 2 ** 40, '5 TiB'],
  ])('writes %i bytes as %s', (bytes, text) => expect(sizeText(bytes)).toBe(text));
});

describe('fetchCommandOf', () => {
  it('quotes names for a shell, and leaves out those that are not shown as they are', () => {
    expect(fetchCommandOf('job_1', "it's $HOME.txt")).toBe(`rhizome fetch job_1 '/it'\\''s $HOME.txt'`);
    expect(fetchCommandOf('job_1', 'a\u202eb')).toBe('rhizome fetch job_1');
    expect(fetchCommandOf('job_1', 'a\u{e0041}b')).toBe('rhizome fetch job_1');
  });

  it.each([
    ['--url=https:evil.test', '/--url=https:evil.test'],
    ['a[1]*.txt', String.raw`/a\[1\]\*.txt`],
    ['#x', '/#x'],
    ['!x', '/!x'],
    ['x  ', String.raw`/x \ `],
    ['what?', '/what?'],
  ])('gives %j as a pattern that is no option, and matches this name alone', (name, pattern) => {
    expect(fetchCommandOf('job_1', name)).toBe(`rhizome fetch job_1 '${pattern}'`);
  });
});
