#!/usr/bin/env node
// Committed, so that npm can link the command before the first build.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = new URL('../bundle/bin.js', import.meta.url);
if (!existsSync(fileURLToPath(built))) {
  console.error('rhizome-executor: not built yet; run "npm run build" in the root of the repository');
  process.exit(2);
}
await import(built.href);
