/** Lists of files of storages that have folders, in the order of the keys. */
import { compareKeys } from './keys.js';
import type { FileList, StoredFile } from './storage.types.js';

/** An entry of a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
  /** The file, where the storage reports it with the entry. */
  readonly file?: Omit<StoredFile, 'key'>;
}

/** Folders of a storage. */
export interface WalkedFolders {
  /** Entries of a folder by its key, '' for the root; empty if there is no such folder. */
  entries(folder: string): Promise<readonly FolderEntry[]>;
  /** A file by its key; null if it is gone meanwhile. */
  file(key: string): Promise<StoredFile | null>;
}

/** Largest number of files of one list. */
export const longestList = 1000;

export interface Walk {
  readonly prefix: string;
  readonly after: string | undefined;
  readonly limit: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** One part of the list of files whose keys begin with a prefix. Holds the entries of one path of folders. */
export async function listFolders(folders: WalkedFolders, walk: Walk): Promise<FileList> {
  const limit = Math.max(1, Math.min(walk.limit ?? longestList, longestList));
  const start = walk.prefix.slice(0, Math.max(0, walk.prefix.lastIndexOf('/')));
  const files: StoredFile[] = [];
  for await (const file of filesBelow(folders, start, walk)) {
    if (files.length === limit) return { files, next: files.at(-1)?.key ?? null };
    files.push(file);
  }
  return { files, next: null };
}

async function* filesBelow(folders: WalkedFolders, folder: string, walk: Walk): AsyncGenerator<StoredFile> {
  walk.signal?.throwIfAborted();
  for (const { name, isFolder, file } of inOrder(await folders.entries(folder))) {
    const key = folder === '' ? name : `${folder}/${name}`;
    if (isFolder) {
      if (mayContain(`${key}/`, walk)) yield* filesBelow(folders, key, walk);
    } else if (key.startsWith(walk.prefix) && isAfter(key, walk.after)) {
      const found = file === undefined ? await folders.file(key) : { key, ...file };
      if (found !== null) yield found;
    }
  }
}

/** A folder comes where its files do: `a-b` before `a/b`. */
function inOrder(entries: readonly FolderEntry[]): readonly FolderEntry[] {
  const placeOf = ({ name, isFolder }: FolderEntry): string => (isFolder ? `${name}/` : name);
  return [...entries].sort((a, b) => compareKeys(placeOf(a), placeOf(b)));
}

function isAfter(key: string, after: string | undefined): boolean {
  return after === undefined || compareKeys(key, after) > 0;
}

/** False if all files of a folder are before the part of the list, or have another beginning. */
function mayContain(folder: string, { prefix, after }: Walk): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return after === undefined || after.startsWith(folder) || compareKeys(folder, after) > 0;
}
