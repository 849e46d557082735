// Writes docs/reference/errors.md from the catalogue; with `--check` it fails if the page is stale instead.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderReference } from './reference.js';

const page = fileURLToPath(new URL('../../../docs/reference/errors.md', import.meta.url));
const text = renderReference();
if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
  if (process.argv.includes('--check')) {
    console.error('generate: docs/reference/errors.md is stale; run "npm run generate" and commit it');
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(page), { recursive: true });
    writeFileSync(page, text);
    console.log('generate: wrote docs/reference/errors.md');
  }
}
