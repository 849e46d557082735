/** Folders of the site that payloads may write: which ones a pilot can offer, and which ones are there. */
import { DomainError } from '@rhizome/errors';
import { realpathSync, statSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { readableFolders, rootLinks } from './sandbox.js';

/** A place that payloads must not change. */
export interface KeptPlace {
  readonly path: string;
  /** Description for a message. */
  readonly what: string;
  /** True if a folder in it may be written, such as one in a folder that payloads may read. */
  readonly mayContain?: boolean;
}

const system: readonly KeptPlace[] = [
  ...rootLinks,
  ...readableFolders,
  ...['/boot', '/dev', '/etc', '/proc', '/root', '/run', '/var'],
].map((path) => ({ path, what: 'a folder of the operating system' }));

/** Payloads have their own `/tmp`. */
const temporary: KeptPlace = { path: '/tmp', what: 'the folder for temporary files', mayContain: true };

/**
 * Checks the folders that payloads may write. Otherwise a payload could change what its pilot trusts, read
 * its key, or replace one folder by a link to another place of the host.
 * @param name name of the setting
 * @throws DomainError CONFIG_INVALID that names the folder and what it must not touch
 */
export function assertWritable(folders: readonly string[], kept: readonly KeptPlace[], name: string): void {
  if (folders.length === 0) return;
  const given = kept.filter(({ path }) => isAbsolute(path) && path !== '/');
  const places = [...system, temporary, ...given].map(withPaths);
  for (const folder of folders) {
    const fault =
      faultOf(folder) ??
      places.map((place) => conflictWith(folder, place)).find((found) => found !== undefined) ??
      otherIn(folder, folders);
    if (fault === undefined) continue;
    const text = `${name}: ${folder} ${fault}; must be a folder of its own`;
    throw new DomainError('CONFIG_INVALID', text, { field: 'writableFolder', value: folder });
  }
}

function faultOf(folder: string): string | undefined {
  if (folder === '/') return 'is the whole host';
  if (resolve(folder) !== folder) return `is not a plain path; it is ${resolve(folder)}`;
  try {
    if (!statSync(folder).isDirectory()) return 'is not a folder';
    const real = realpathSync(folder);
    return real === folder ? undefined : `is a link to ${real}, or in one`;
  } catch (error) {
    return `cannot be opened (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`;
  }
}

interface ResolvedPlace extends KeptPlace {
  /** The path, and where it leads. */
  readonly paths: ReadonlySet<string>;
}

function withPaths(place: KeptPlace): ResolvedPlace {
  const path = resolve(place.path);
  return { ...place, paths: new Set([path, realPlace(path)]) };
}

function conflictWith(
  folder: string,
  { paths, what, mayContain = false }: ResolvedPlace,
): string | undefined {
  for (const place of paths) {
    if (place === folder) return `is ${what}`;
    if (isIn(place, folder)) return `contains ${place}, ${what}`;
    if (!mayContain && isIn(folder, place)) return `is in ${place}, ${what}`;
  }
  return undefined;
}

/** A payload could replace the inner folder by a link to a place that it must not reach. */
function otherIn(folder: string, folders: readonly string[]): string | undefined {
  const inner = folders.find((other) => isIn(other, folder));
  return inner === undefined ? undefined : `contains ${inner}, which payloads may write, too`;
}

/** Where a path leads, to the extent that it exists. */
function realPlace(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === '/' ? path : join(realPlace(dirname(path)), basename(path));
  }
}

function isIn(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

/**
 * The folders that are there, and are no links: payloads get no others. A file system may be missing for a
 * while. One call at a time waits for a file system that does not answer, so that the others go on.
 */
export async function presentFolders(folders: readonly string[]): Promise<readonly string[]> {
  const present: string[] = [];
  for (const folder of folders) if (await isPresent(folder)) present.push(folder);
  return present;
}

async function isPresent(folder: string): Promise<boolean> {
  try {
    return (await realpath(folder)) === folder && (await stat(folder)).isDirectory();
  } catch {
    return false;
  }
}
