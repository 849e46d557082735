/** Reads the SDL of a subgraph, and its operations for agents, from files and folders. */
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

/**
 * Operations that agents get as tools: the `.graphql` files of a folder. Null without a folder.
 * @throws CliError for a folder that cannot be read
 */
export function readAgentOperations(folder: string | undefined, cwd: string): string[] | null {
  return folder === undefined ? null : filesOf(folder, resolve(cwd, folder)).texts;
}

function textsOf(given: string, path: string): readonly string[] {
  const { texts, isFolder } = filesOf(given, path);
  return isFolder ? texts.filter((text) => !operations.test(text)) : texts;
}

/** Texts of a file, or of the `.graphql` files of a folder. */
function filesOf(given: string, path: string) {
  try {
    if (!statSync(path).isDirectory()) return { texts: [readFileSync(path, 'utf8')], isFolder: false };
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
    const texts = names
      .filter((name) => name.endsWith('.graphql') && !/(^|\/)(node_modules|dist)\//.test(name))
      .map((name) => readFileSync(join(path, name), 'utf8'));
    return { texts, isFolder: true };
  } catch (error) {
    throw new CliError(
      exitCodes.usage,
      `${given} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}); must be a file or a folder with a schema`,
    );
  }
}
