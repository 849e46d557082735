// Builds the pages into dist/static with Vite, from npm packages alone: no page loads anything from another
// host. Nothing is done while what they are made of has not changed. Then writes the manifest of the
// operations that the pages send.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatDocument, stringifyDocument } from '@urql/core';
import { Kind } from 'graphql';
import { writeManifest } from '../../tools/operation-manifest.mjs';
import { buildPages, fingerprintOf } from '../../tools/pages.mjs';

const root = dirname(fileURLToPath(import.meta.url));
const lock = join(root, '..', '..', 'package-lock.json');

/**
 * Content that the pages depend on: their sources, the packages of this repository that they use, and
 * versions of all others.
 */
const madeOf = fingerprintOf((hash) => {
  hash.update(readFileSync(fileURLToPath(import.meta.url)));
  for (const folder of ['src', '../../lib/errors/src', '../../lib/retry/src'].map((path) =>
    join(root, path),
  )) {
    for (const name of readdirSync(folder, { recursive: true }).sort()) {
      const file = join(folder, name);
      if (/\.test\.tsx?$/.test(name) || !statSync(file).isFile()) continue;
      hash.update(`${name}\n`).update(readFileSync(file));
    }
  }
  for (const name of ['index.html', 'package.json', '../../lib/client/src/states.ts'])
    hash.update(readFileSync(join(root, name)));
  if (existsSync(lock)) hash.update(readFileSync(lock));
});

const entityDecoder = 'decode-named-character-reference';

async function make(outDir) {
  const [{ build }, { default: react }] = await Promise.all([import('vite'), import('@vitejs/plugin-react')]);
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    plugins: [react()],
    // Its form for browsers needs a document, which workers have not.
    resolve: { alias: { [entityDecoder]: fileURLToPath(import.meta.resolve(entityDecoder)) } },
    worker: { format: 'es' },
    build: {
      outDir,
      emptyOutDir: true,
      assetsDir: 'assets',
      target: 'es2022',
      modulePreload: { polyfill: false },
      // Most licences ask to be named with their text.
      license: { fileName: 'LICENCES.md' },
    },
  });
}

await buildPages({ name: 'dashboard', root, madeOf, make });

/** The cache asks for the types of all objects in queries and mutations; streams bypass it. */
const isStream = ({ kind, operation }) => kind === Kind.OPERATION_DEFINITION && operation === 'subscription';
await writeManifest(import.meta.url, (document) =>
  stringifyDocument(document.definitions.some(isStream) ? document : formatDocument(document)),
);
