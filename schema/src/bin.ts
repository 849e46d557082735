/**
 * `npm run generate`: writes the committed baseline; `--check` writes nothing and fails when a committed file
 * is stale.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDomainError } from '@rhizome/errors';
import { composeBaseline } from './baseline.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

function main(check: boolean): number {
  let stale = 0;
  for (const [path, content] of Object.entries(composeBaseline(root))) {
    const file = join(root, path);
    if (existsSync(file) && readFileSync(file, 'utf8') === content) continue;
    if (check) {
      console.error(`compose: ${path} is stale; run "npm run generate" and commit it`);
      stale += 1;
    } else {
      writeFileSync(file, content);
      console.log(`compose: wrote ${path}`);
    }
  }
  return stale > 0 ? 1 : 0;
}

try {
  process.exitCode = main(process.argv.includes('--check'));
} catch (error) {
  if (!isDomainError(error)) throw error;
  console.error(`compose: ${error.message}`);
  process.exitCode = 1;
}
