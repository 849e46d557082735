import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { catalogue } from './catalogue.js';
import { renderReference } from './reference.js';

const page = readFileSync(
  fileURLToPath(new URL('../../../docs/reference/errors.md', import.meta.url)),
  'utf8',
);

describe('docs/reference/errors.md', () => {
  it('documents every code of the catalogue and no other', () => {
    const documented = [...page.matchAll(/^\| `([A-Z_]+)` +\| +(\d+) +\| (\w+)/gm)].map(
      ([, code, http, retry]) => [code, http, retry],
    );
    const known = Object.entries(catalogue).map(([code, { http, retry }]) => [code, String(http), retry]);
    expect(documented).toEqual(known);
  });

  it('equals the output of node lib/errors/dist/write-reference.js', () => {
    expect(page).toBe(renderReference());
  });
});
