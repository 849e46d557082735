/** The repository in which the playground finds its services. */
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const own = fileURLToPath(new URL('.', import.meta.url));

/** Path of the repository. */
export const root = resolve(own, '..', '..', '..');

/** Folder of the programs: that of this one; tests, which load its modules, start bundles as users do. */
const programs = process.argv[1]?.startsWith(own) ? basename(own) : 'bundle';

/**
 * The program of a package, built as this one is: a bundle, or single modules as `npm run dev` starts them
 * (they are there sooner after a change).
 */
export function programOf(packageName: string): string {
  return fileURLToPath(new URL(`../${programs}/bin.js`, import.meta.resolve(packageName)));
}

/** Module to import for a package whose name is known only now: a bundle has it as a part of its own. */
export function moduleOf(packageName: string): string {
  const part = new URL(`./packages/${packageName}.js`, import.meta.url);
  return existsSync(part) ? part.href : packageName;
}
