import { fileURLToPath } from 'node:url';

/** Path of the bundled program of a package, such as `@rhizome/gateway`. */
export function programOf(packageName: string): string {
  return fileURLToPath(new URL('../bundle/bin.js', import.meta.resolve(packageName)));
}
