// Pages that a package builds into its dist/static, once for what they are made of.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** One hash of all content that `add` adds to it. */
export function fingerprintOf(add) {
  const hash = createHash('sha256').update(readFileSync(new URL(import.meta.url)));
  add(hash);
  return hash.digest('hex');
}

/**
 * Builds the pages of a package unless their content is unchanged. `make` builds into a folder next to the
 * target, which is then moved into place, so that a running gateway never sees a part of it.
 */
export async function buildPages({ name, root, madeOf, make }) {
  const target = join(root, 'dist', 'static');
  const stamp = join(target, '.made-of');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === madeOf) return;
  const started = performance.now();
  const aside = join(root, 'dist', `static.${process.pid}`);
  mkdirSync(aside, { recursive: true });
  try {
    await make(aside);
    compress(aside);
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
  if (!process.argv.includes('--quiet'))
    console.log(`${name}: pages built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** Kinds of files that shrink. */
const compressible = new Set(['.js', '.css', '.json', '.svg', '.ttf', '.txt']);
const smallestBytes = 1024;

/**
 * Puts a compressed form of each file next to it, so that no request has to wait for one. Brotli at level 9:
 * level 11 takes ten times as long.
 */
function compress(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!compressible.has(extname(name))) continue;
    const path = join(folder, name);
    const plain = readFileSync(path);
    if (plain.length < smallestBytes) continue;
    const options = {
      params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
    };
    writeFileSync(`${path}.br`, brotliCompressSync(plain, options));
    writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }));
  }
}
