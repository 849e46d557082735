import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { catalogue } from './catalogue.js';
import { renderReference } from './reference.js';

const page = readFileSync(
  fileURLToPath(new URL('../../../docs/reference/errors.md', import.meta.url)),
  'utf8',
);

describe('docs/reference/errors.md', () => {
  test('documents every code of the catalogue and no other', () => {
    const documented = [...page.matchAll(/^\| `([A-Z_]+)` +\| +(\d+) +\| (\w+)/gm)].map(
      ([, code, http, retry]) => [code, http, retry],
    );
    const known = Object.entries(catalogue).map(([code, { http, retry }]) => [code, String(http), retry]);
    expect(documented).toEqual(known);
  });

  test('is fresh: node lib/errors/dist/write-reference.js writes the same text', () => {
    expect(page).toBe(renderReference());
  });
});
