import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { settings } from './config.js';

test('the page on sites tells every setting, with its default or that it is needed, and none that is not there', () => {
  const page = readFileSync(new URL('../../../../../docs/how-to/operate-a-site.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(RHIZOME_CORE_\w+)` +\| (.+?) +\|$/gm)];
  // Amounts are written with commas.
  const told = new Map(
    rows.map(([, variable = '', meaning = '']) => [variable, meaning.replace(/(\d),(\d{3})/g, '$1$2')]),
  );
  expect([...told.keys()].sort()).toEqual(settings.map(({ variable }) => variable).sort());
  const wrong = settings.filter((one) => !(told.get(one.variable) ?? '').includes(wordsOf(one)));
  expect(wrong).toEqual([]);
});

/** What a row must say. */
function wordsOf({ isNeeded, default: value }: (typeof settings)[number]): string {
  if (isNeeded) return '; needed';
  if (value === undefined) return ' unless given';
  return `; ${typeof value === 'number' ? value : `\`${String(value)}\``} unless given`;
}
