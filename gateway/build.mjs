// Builds the pages that the gateway serves into dist/static, from npm packages only: no page loads anything
// from another host. Skips the build if the inputs have not changed.
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPages, fingerprintOf } from '../tools/pages.mjs';

const root = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const packages = [
  '@graphiql/react',
  'esbuild',
  'graphiql',
  'graphql',
  'graphql-ws',
  'monaco-editor',
  'monaco-graphql',
  'react',
  'react-dom',
];

const madeOf = fingerprintOf((hash) => {
  hash.update(readFileSync(fileURLToPath(import.meta.url)));
  for (const file of readdirSync(join(root, 'pages')).sort())
    hash.update(readFileSync(join(root, 'pages', file)));
  for (const name of packages) hash.update(`${name}@${versionOf(name)} `);
});

/** Not every package exports its package.json, so this looks for it where Node.js would. */
function versionOf(name) {
  for (const folder of require.resolve.paths(name) ?? []) {
    const file = join(folder, name, 'package.json');
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version;
  }
  throw new Error(`${name} is not installed: run npm ci`);
}

async function make(aside) {
  const { build: bundle } = await import('esbuild');
  const out = join(aside, 'graphiql');
  const common = {
    bundle: true,
    minify: true,
    write: true,
    legalComments: 'external',
    logLevel: 'warning',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    absWorkingDir: root,
  };
  const worker = (name) => ({ in: require.resolve(name), out: basename(name, '.js') });
  const [page] = await Promise.all([
    bundle({
      ...common,
      entryPoints: ['pages/graphiql.js'],
      outdir: out,
      format: 'esm',
      splitting: true,
      metafile: true,
      entryNames: '[name]-[hash]',
      chunkNames: 'chunk-[hash]',
      assetNames: '[name]-[hash]',
      publicPath: '/graphiql',
      loader: { '.ttf': 'file', '.woff2': 'file', '.svg': 'dataurl' },
    }),
    bundle({
      ...common,
      entryPoints: [
        worker('monaco-editor/esm/vs/language/json/json.worker.js'),
        worker('monaco-editor/esm/vs/editor/editor.worker.js'),
        worker('monaco-graphql/esm/graphql.worker.js'),
      ],
      outdir: join(out, 'workers'),
      format: 'iife',
    }),
  ]);
  const [script, entry] = Object.entries(page.metafile.outputs).find(
    ([, { entryPoint }]) => entryPoint === 'pages/graphiql.js',
  );
  const html = readFileSync(join(root, 'pages', 'graphiql.html'), 'utf8')
    .replace('{{script}}', basename(script))
    .replace('{{style}}', basename(entry.cssBundle));
  writeFileSync(join(out, 'index.html'), html);
  cpSync(join(root, 'pages', 'main.css'), join(out, 'main.css'));
}

await buildPages({ name: 'gateway', root, madeOf, make });
