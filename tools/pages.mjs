// Pages that a package builds into its dist/static, once for what they are made of.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One text for all that is hashed by `add`, which is handed the hash. */
export function fingerprintOf(add) {
  const hash = createHash('sha256').update(readFileSync(new URL(import.meta.url)));
  add(hash);
  return hash.digest('hex');
}

/**
 * Builds the pages of a package, unless they were built of the same: `make` is handed a folder beside the target to build into, which is then
 * moved into place, so that a gateway that runs meanwhile never sees half of it.
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
