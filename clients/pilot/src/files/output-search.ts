/** Search for the files of a declared output. Links are never followed. */
import type { Dirent } from 'node:fs';
import { type FileHandle, opendir } from 'node:fs/promises';
import { isDeclaredBy, kindOfOutput, searchOf } from '@rhizome/storage';
import { openFolder, openFolderBelow, pathOf } from '@rhizome/storage/open-folder';

/** Limits of a search. */
export interface SearchLimits {
  /** Most files and folders that are looked at. */
  readonly visits: number;
  /** Most files that are found. */
  readonly files: number;
  /** True if the search ends at a limit, or at a folder that cannot be read, with what it has found. */
  readonly cutsOff?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** Folders below each other that are searched: each is open meanwhile. */
const mostFolders = 32;

/** A search that reached a limit. */
export class SearchEnded extends Error {}

/**
 * Paths below a folder that an entry declares: that of a file, or those that are found. What is at a path
 * need not be a regular file.
 * @throws the error of the operating system; SearchEnded; the signal's reason
 */
export async function pathsOf(
  root: FileHandle,
  entry: string,
  { visits, files, signal, cutsOff = false }: SearchLimits,
): Promise<readonly string[]> {
  const kind = kindOfOutput(entry);
  if (kind === 'FILE') return [entry];
  const { base, depth } = searchOf(entry);
  const found: string[] = [];
  let visited = 0;
  const folder = await openBase(root, base, kind === 'PATTERN');
  if (folder === undefined) return [];
  try {
    for await (const [path, file] of below(folder, base, depth)) {
      signal.throwIfAborted();
      visited += 1;
      if (visited > visits) throw new SearchEnded(`more than ${visits} files and folders would be searched`);
      if (file.isDirectory() || !isDeclaredBy(path, entry)) continue;
      if (found.length === files) throw new SearchEnded(`more than ${files} files match`);
      found.push(path);
    }
  } catch (error) {
    if (!cutsOff || signal.aborted) throw error;
  } finally {
    await folder.close();
  }
  return found;
}

/** The folder in which the search begins; undefined if a pattern has none, and so no file. */
async function openBase(
  root: FileHandle,
  base: readonly string[],
  mayBeMissing: boolean,
): Promise<FileHandle | undefined> {
  try {
    return await openFolderBelow(root, base);
  } catch (error) {
    if (mayBeMissing && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** All files and folders, with their paths from the root. */
async function* below(
  folder: FileHandle,
  parts: readonly string[],
  depth: number,
): AsyncGenerator<readonly [path: string, file: Dirent]> {
  for await (const file of await opendir(pathOf(folder))) {
    const own = [...parts, file.name];
    yield [own.join('/'), file];
    if (!file.isDirectory() || depth === 0) continue;
    if (own.length > mostFolders) throw new SearchEnded(`it is more than ${mostFolders} folders deep`);
    const next = await openFolder(`${pathOf(folder)}/${file.name}`);
    try {
      yield* below(next, own, depth - 1);
    } finally {
      await next.close();
    }
  }
}
