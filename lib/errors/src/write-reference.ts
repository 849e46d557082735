// Writes docs/reference/errors.md from the catalogue: node lib/errors/dist/write-reference.js
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderReference } from './reference.js';

const page = fileURLToPath(new URL('../../../docs/reference/errors.md', import.meta.url));
mkdirSync(dirname(page), { recursive: true });
writeFileSync(page, renderReference());
