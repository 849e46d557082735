// Writes docs/reference/query-planner-guards.md from the table of guards; with `--check` it fails if the page
// is stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { renderGuards } from './render-guards.js';

const page = fileURLToPath(new URL('../../../../../docs/reference/query-planner-guards.md', import.meta.url));
const text = renderGuards();
if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
  if (process.argv.includes('--check')) {
    console.error(
      'generate: docs/reference/query-planner-guards.md is stale; run "npm run generate" and commit it',
    );
    process.exitCode = 1;
  } else {
    writeFileSync(page, text);
    console.log('generate: wrote docs/reference/query-planner-guards.md');
  }
}
