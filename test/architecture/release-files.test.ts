import { describe, expect, it } from '@jest/globals';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { root } from './repository.js';

interface ReleaseFiles {
  isNewer(version: string, current: string): boolean;
  withVersion(text: string, current: string, version: string): string;
  dateUnreleased(changelog: string, version: string, date: Date): string | undefined;
  sectionOf(changelog: string, version: string): string | undefined;
}
const files = (await import(
  pathToFileURL(join(root, 'tools/release-files.mjs')).href
)) as unknown as ReleaseFiles;

const changelog =
  '# Changelog\n\n## Unreleased\n\n### Added\n\n- A queue.\n\n## [0.1.0] - 2026-11-01\n\n- First.\n';

describe('isNewer', () => {
  it.each([
    ['0.2.0', '0.1.0', true],
    ['0.1.10', '0.1.9', true],
    ['1.0.0', '1.0.0-rc.1', true],
    ['1.0.0-rc.2', '1.0.0-rc.1', true],
    ['0.1.0', '0.1.0', false],
    ['0.0.9', '0.1.0', false],
    ['1.0.0-rc.1', '1.0.0', false],
    ['v2', '0.1.0', false],
  ])('compares %s with %s: %s', (version, current, expected) => {
    expect(files.isNewer(version, current)).toBe(expected);
  });
});

describe('dateUnreleased', () => {
  it('moves the entries to a section with version and date, and keeps an empty "Unreleased"', () => {
    const dated = files.dateUnreleased(changelog, '0.2.0', new Date('2026-12-01T00:00:00Z')) ?? '';
    expect(files.sectionOf(dated, 'Unreleased')).toBe('');
    expect(files.sectionOf(dated, '0.2.0')).toBe('### Added\n\n- A queue.');
    expect(dated).toContain('## [0.2.0] - 2026-12-01');
    expect(files.sectionOf(dated, '0.1.0')).toBe('- First.');
  });

  it('returns nothing without entries', () => {
    const empty = '# Changelog\n\n## Unreleased\n\n## [0.1.0] - 2026-11-01\n\n- First.\n';
    expect(files.dateUnreleased(empty, '0.2.0', new Date())).toBeUndefined();
  });
});

describe('withVersion', () => {
  it('changes the package and the packages of this repository that it depends on, and nothing else', () => {
    const before = {
      name: '@rhizome/a',
      version: '0.1.0',
      dependencies: { '@rhizome/b': '0.1.0', other: '0.1.0' },
    };
    expect(JSON.parse(files.withVersion(JSON.stringify(before), '0.1.0', '0.2.0'))).toEqual({
      name: '@rhizome/a',
      version: '0.2.0',
      dependencies: { '@rhizome/b': '0.2.0', other: '0.1.0' },
    });
  });
});
