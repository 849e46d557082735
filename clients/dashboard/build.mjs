// Builds the pages into dist/static with Vite, from npm packages alone: no page loads anything from another host. Nothing is done while
// what they are made of has not changed.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const target = join(root, 'dist', 'static');
const stamp = join(target, '.made-of');
const lock = join(root, '..', '..', 'package-lock.json');

/** One text for all that the pages are made of: their sources, the packages of the house that they use, and the versions of all others. */
function fingerprint() {
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)));
  for (const folder of ['src', '../../lib/errors/src'].map((path) => join(root, path))) {
    for (const name of readdirSync(folder, { recursive: true }).sort()) {
      const file = join(folder, name);
      if (/\.test\.tsx?$/.test(name) || !statSync(file).isFile()) continue;
      hash.update(`${name}\n`).update(readFileSync(file));
    }
  }
  for (const file of ['index.html', 'package.json'].map((name) => join(root, name)))
    hash.update(readFileSync(file));
  if (existsSync(lock)) hash.update(readFileSync(lock));
  return hash.digest('hex');
}

/** Built aside and moved into place, so that a gateway that runs meanwhile never sees half of it. */
async function build(madeOf) {
  const [{ build: bundle }, { default: react }] = await Promise.all([
    import('vite'),
    import('@vitejs/plugin-react'),
  ]);
  const aside = join(root, 'dist', `static.${process.pid}`);
  try {
    await bundle({
      root,
      configFile: false,
      logLevel: 'warn',
      plugins: [react()],
      build: {
        outDir: aside,
        emptyOutDir: true,
        assetsDir: 'assets',
        target: 'es2022',
        modulePreload: { polyfill: false },
      },
    });
    writeFileSync(join(aside, '.made-of'), madeOf);
    rmSync(target, { recursive: true, force: true });
    try {
      renameSync(aside, target);
    } catch (error) {
      // Another build was faster: what it made is the same.
      if (!existsSync(stamp)) throw error;
    }
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

const madeOf = fingerprint();
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== madeOf) {
  const started = performance.now();
  mkdirSync(join(root, 'dist'), { recursive: true });
  await build(madeOf);
  if (!process.argv.includes('--quiet'))
    console.log(`dashboard: pages built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
