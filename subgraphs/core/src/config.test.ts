import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { settings } from './config.js';

it('documents every setting with its default, or as required, and no others', () => {
  const page = readFileSync(new URL('../../../../../docs/how-to/operate-a-site.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(RHIZOME_CORE_\w+)` +\| (.+?) +\|$/gm)];
  // Amounts are written with commas.
  const documented = new Map(
    rows.map(([, variable = '', meaning = '']) => [variable, meaning.replace(/(\d),(?=\d{3})/g, '$1')]),
  );
  expect([...documented.keys()].sort()).toEqual(settings.map(({ variable }) => variable).sort());
  const wrong = settings.filter(
    (one) => !documentedValues(one).some((text) => (documented.get(one.variable) ?? '').includes(text)),
  );
  expect(wrong).toEqual([]);
});

/** Texts of which a row must contain one. */
function documentedValues({ isNeeded, default: value }: (typeof settings)[number]): readonly string[] {
  if (isNeeded) return ['; required'];
  if (value === undefined) return [' unless given', ' once ', 'is required', 'instead of'];
  return [`; ${typeof value === 'number' ? value : `\`${String(value)}\``} unless given`];
}
