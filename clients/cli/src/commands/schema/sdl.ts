/** Reads a subgraph's SDL from files and folders. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CliError, exitCodes } from '../../exit-codes.js';

/** A document with operations and no type definitions. */
const operations = /^(query|mutation|subscription|fragment)\b|^\{/m;

/**
 * The text of all files, in the order given; for a folder, all `.graphql` files that define types, by name.
 * Null without paths.
 * @throws CliError for a path that cannot be read or holds no schema
 */
export function readSdl(paths: readonly string[], cwd: string): string | null {
  if (paths.length === 0) return null;
  const texts = paths.flatMap((path) => textsOf(path, resolve(cwd, path)));
  const sdl = texts.join('\n').trim();
  if (sdl !== '') return sdl;
  throw new CliError(exitCodes.usage, `${paths.join(', ')}: no GraphQL types found`);
}

function textsOf(given: string, path: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [readFileSync(path, 'utf8')];
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
    return names
      .filter((name) => name.endsWith('.graphql') && !/(^|\/)(node_modules|dist)\//.test(name))
      .map((name) => readFileSync(join(path, name), 'utf8'))
      .filter((text) => !operations.test(text));
  } catch (error) {
    throw new CliError(
      exitCodes.usage,
      `${given} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}); must be a file or a folder with a schema`,
    );
  }
}
