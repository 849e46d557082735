import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { read, root } from './repository.js';
import { testTitles, titlesIn } from './test-titles.js';

const page = read('docs/reference/threat-model.md');
const threats = page
  .split(/^### /m)
  .slice(1)
  .map((section) => {
    const [id = ''] = section.split(' ', 1);
    // A long item goes on in the next lines.
    const items = section.replace(/\n {2,}/g, ' ').matchAll(/^- `([^`]+)`: (.+)$/gm);
    return { id, tests: [...items].map(([, file = '', name = '']) => ({ file, name })) };
  });

describe('the threat model', () => {
  it('has the threats T1 to T16, each with a test', () => {
    expect(threats.map(({ id }) => id)).toEqual(Array.from({ length: 16 }, (_, at) => `T${at + 1}`));
    expect(threats.filter(({ tests }) => tests.length === 0)).toEqual([]);
  });

  it('names tests that exist, by their whole titles', () => {
    const lost = threats
      .flatMap(({ tests }) => tests)
      .filter(({ file, name }) => !existsSync(join(root, file)) || !testTitles(file).includes(name));
    expect(lost).toEqual([]);
  });

  it('is in the security policy, threat by threat', () => {
    const listed = [...read('SECURITY.md').matchAll(/^\| (T\d+) /gm)].map(([, id]) => id);
    expect(listed).toEqual(threats.map(({ id }) => id));
  });
});

describe('titlesIn', () => {
  it('returns whole titles with the cases of tables, not those in other text', () => {
    const source = `
      const text = "it('is text')";
      describe('a group', () => {
        it('has a name', () => {});
        it.each([['a)', /[(']/, { b: "it's" }], [\`c\`]])('fits %s', () => {});
        it.each<[string, () => object]>([['d', () => ({})]])('takes %s', (text, value) => {});
        it.each(names)('refuses a name: %s', (name) => {});
        it.each(names)('keeps %s', (name) => {});
        it(\`has a seed \${seed}\`, async () => {});
      });`;
    expect(titlesIn(source)).toEqual([
      'a group › has a name',
      'a group › fits a) or c',
      'a group › takes d',
      'a group › refuses a name (all cases)',
      'a group › keeps %s',
      'a group › has a seed ${seed}',
    ]);
  });
});
