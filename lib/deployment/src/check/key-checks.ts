/** Checks of the files with keys. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Check, fail, type Finding, ok, warn } from './check.types.js';

/** Names of files with keys. */
const keyName = /\.(json|jwks|keys?|pem)$/;
/** Rights of others than the owner. */
const others = 0o077;

/**
 * Checks of a folder with keys.
 * @param expected files that it must have
 */
export function keyChecks(folder: string, expected: readonly string[]): readonly Check[] {
  return [{ check: 'keys', run: () => keys(folder, expected) }];
}

async function keys(folder: string, expected: readonly string[]): Promise<readonly Finding[]> {
  const there = new Set(await readdir(folder));
  const missing = expected.filter((name) => !there.has(name));
  const absent = missing.map((name) =>
    warn(name, 'not in the folder', 'make it with "rhizome admin keys", unless another file has the key'),
  );
  const named = [...there].filter((name) => keyName.test(name)).sort();
  const present = await Promise.all(named.map((name) => permissions(folder, name)));
  return [...present.flat(), ...absent];
}

async function permissions(folder: string, name: string): Promise<readonly Finding[]> {
  const path = join(folder, name);
  const found = await stat(path);
  if (!found.isFile()) return [];
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  if (found.size === 0) return [fail(name, 'empty', 'restore it from your copy')];
  // Public keys may be read by all.
  if (name.endsWith('.jwks') || (found.mode & others) === 0) return [ok(name, `mode ${mode}`)];
  return [fail(name, `mode ${mode}: others than its owner may use it`, `chmod 600 ${path}`)];
}
