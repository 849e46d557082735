import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { posix } from 'node:path';
import { parseManifest, problemOfLink, problemOfPath, type UploadManifest } from './manifest.js';

const digest = 'a'.repeat(64);
const file = (path: string, sizeBytes = 3) => ({ path, sizeBytes, sha256: digest, isExecutable: false });
const manifest = (over: Partial<UploadManifest> = {}): UploadManifest => ({
  ...{ version: 1, files: [file('a')], folders: [], links: [], parts: [{ sizeBytes: 3, sha256: digest }] },
  ...over,
});
const parse = (over: unknown): UploadManifest => parseManifest(JSON.stringify(over));

const segment = fc.oneof(
  fc.constantFrom('.', '..', '', 'a', 'b', '\0', '/', 'ä'),
  fc.string({ maxLength: 5 }),
);
const path = fc.array(segment, { maxLength: 6 }).map((names) => names.join('/'));

describe('problemOfPath', () => {
  it('accepts only paths that stay below the folder', () => {
    fc.assert(
      fc.property(path, (given) => {
        if (problemOfPath(given) !== undefined) return;
        expect(posix.resolve('/folder', given).startsWith('/folder/')).toBe(true);
        expect(posix.normalize(given)).toBe(given);
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['', '/etc/passwd', '../x', 'a/../../x', 'a//b', 'a/', 'a\0b', `${'x'.repeat(256)}`, '\ud800'])(
    'refuses %j',
    (given) => {
      expect(problemOfPath(given)).toBeDefined();
    },
  );

  it('accepts names with blanks, dots and backslashes', () => {
    for (const given of ['a b', '.hidden', '...', 'a\\b', 'ä/ö'])
      expect(problemOfPath(given)).toBeUndefined();
  });
});

describe('problemOfLink', () => {
  it('accepts only targets that stay in the folder', () => {
    fc.assert(
      fc.property(path, path, (from, target) => {
        if (problemOfPath(from) !== undefined || problemOfLink({ path: from, target }) !== undefined) return;
        const end = posix.resolve('/folder', posix.dirname(from), target);
        expect(end === '/folder' || end.startsWith('/folder/')).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a', '/etc/passwd'],
    ['a', '..'],
    ['a/b', '../../x'],
    // With `x` as a link to a place near to the root, the target would be outside.
    ['a/b', 'x/..'],
    ['a', ''],
  ])('refuses %s → %s', (from, target) => {
    expect(problemOfLink({ path: from, target })).toBeDefined();
  });
});

describe('parseManifest', () => {
  it('returns what it was given', () => {
    const given = manifest({
      files: [{ ...file('run.sh'), isExecutable: true }],
      folders: ['empty/folder'],
      links: [{ path: 'lib/link', target: '../run.sh' }],
    });
    expect(parse(given)).toEqual(given);
  });

  it.each<[string, unknown, string]>([
    ['another version', { ...manifest(), version: 2 }, 'version 1'],
    ['a missing list', { ...manifest(), links: undefined }, 'no list links'],
    ['a negative size', manifest({ files: [file('a', -1)] }), 'files.0'],
    ['a path outside', manifest({ files: [file('../a')] }), '"../a" has ".." as a part'],
    ['a link outside', manifest({ links: [{ path: 'l', target: '../x' }] }), 'link "l" leads out'],
    ['a path twice', manifest({ folders: ['a'] }), '"a" occurs twice'],
    ['a file below a file', manifest({ folders: ['a/b'] }), '"a/b" is below "a"'],
    [
      'a file below a link',
      manifest({ files: [file('l/a')], links: [{ path: 'l', target: 'x' }] }),
      '"l/a" is below "l"',
    ],
    ['files larger than the parts', manifest({ files: [file('a', 2 ** 40)] }), 'the parts 3'],
  ])('refuses %s', (_what, given, text) => {
    expect(() => parse(given)).toThrow(text);
  });

  it('refuses what is not JSON', () => {
    expect(() => parseManifest('{')).toThrow('not JSON');
  });
});
