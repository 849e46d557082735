/** Finds the files of a folder that an upload has. */
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join, posix, relative, sep } from 'node:path';
import { mostManifestEntries, type ManifestLink, problemOfLink, problemOfPath } from '@rhizome/storage';
import { type Matches, patterns } from './patterns.js';
import { secretByPath } from './secret-files.js';

/** A file as it was found. */
export interface FoundFile {
  /** Relative path with `/`. */
  readonly path: string;
  readonly place: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly inode: number;
  readonly isExecutable: boolean;
}

/** Content of a folder. */
export interface FoundFolder {
  readonly files: readonly FoundFile[];
  /** Folders without files. */
  readonly folders: readonly string[];
  readonly links: readonly ManifestLink[];
  /** Number of files and folders that patterns leave out. */
  readonly ignored: number;
  /** Reasons why the folder cannot be uploaded. */
  readonly problems: readonly string[];
}

/** Name of the file with patterns. */
export const ignoreFile = '.rhizomeignore';
/** Patterns before those of the folder, which may take them back with `!`. */
const usualPatterns = ['.git/', '.hg/', '.svn/', '.rhizome/', '__pycache__/', ignoreFile];

/**
 * Reads a folder without following links.
 * @param allowed paths that are taken though they look like secrets
 * @throws an error of the file system for the folder itself
 */
export async function findFiles(root: string, allowed: ReadonlySet<string>): Promise<FoundFolder> {
  const search = new Search(root, await patternsOf(root), allowed);
  await search.folder('');
  return search.result();
}

async function patternsOf(root: string): Promise<Matches> {
  const own = await readFile(join(root, ignoreFile), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return patterns([...usualPatterns, ...own.split(/\r?\n/)]);
}

class Search {
  readonly #root: string;
  readonly #isIgnored: Matches;
  readonly #allowed: ReadonlySet<string>;
  readonly #files: FoundFile[] = [];
  readonly #folders: string[] = [];
  readonly #links: ManifestLink[] = [];
  readonly #problems: string[] = [];
  #ignored = 0;

  constructor(root: string, isIgnored: Matches, allowed: ReadonlySet<string>) {
    this.#root = root;
    this.#isIgnored = isIgnored;
    this.#allowed = allowed;
  }

  result(): FoundFolder {
    return {
      files: this.#files,
      folders: this.#folders,
      links: this.#links,
      ignored: this.#ignored,
      problems: this.#problems,
    };
  }

  /** @param path relative path of the folder; '' for the root */
  async folder(path: string): Promise<void> {
    const entries = await readdir(join(this.#root, path), { withFileTypes: true, encoding: 'buffer' });
    let isEmpty = true;
    for (const entry of entries) {
      const name = entry.name.toString('utf8');
      const inside = path === '' ? name : `${path}/${name}`;
      // The name may be none that the API can carry.
      const isText = Buffer.from(name).equals(entry.name);
      if (this.#isIgnored(entry.isDirectory() ? `${inside}/` : inside)) this.#ignored += 1;
      else {
        isEmpty = false;
        const problem = isText ? problemOfPath(inside) : 'has a name that is no UTF-8';
        if (problem !== undefined) this.#problems.push(`${JSON.stringify(inside)} ${problem}`);
        else await this.#entry(inside, entry.isDirectory());
      }
      if (this.#count > mostManifestEntries) {
        this.#problems.splice(0, Infinity, `The folder has more than ${mostManifestEntries} files`);
        return;
      }
    }
    if (isEmpty && path !== '') this.#folders.push(path);
  }

  get #count(): number {
    return this.#files.length + this.#folders.length + this.#links.length;
  }

  async #entry(path: string, isFolder: boolean): Promise<void> {
    const shown = JSON.stringify(path);
    try {
      if (isFolder) return await this.folder(path);
      const place = join(this.#root, path);
      const found = await lstat(place);
      if (found.isSymbolicLink()) return await this.#link(path, place);
      if (!found.isFile()) {
        this.#problems.push(`${shown} is no file, folder or link`);
        return;
      }
      const secret = this.#allowed.has(path) ? undefined : secretByPath(path, this.#root);
      if (secret !== undefined) this.#problems.push(secretText(path, secret));
      this.#files.push({
        ...{ path, place, sizeBytes: found.size, modifiedMs: found.mtimeMs, inode: found.ino },
        isExecutable: (found.mode & 0o100) !== 0,
      });
    } catch (error) {
      this.#problems.push(`${shown} cannot be read: ${(error as Error).message}`);
    }
  }

  async #link(path: string, place: string): Promise<void> {
    const given = await readlink(place);
    // An absolute target in the folder leads to the same place on a worker only if it is relative.
    const isInside = given.startsWith(`${this.#root}${sep}`);
    const target = isInside ? posix.relative(posix.dirname(path), relative(this.#root, given)) : given;
    const problem = problemOfLink({ path, target });
    if (problem === undefined) this.#links.push({ path, target });
    else this.#problems.push(`The link ${JSON.stringify(path)} → ${JSON.stringify(given)} ${problem}`);
  }
}

/** Reason why a file that looks like a secret is not uploaded. */
export function secretText(path: string, what: string): string {
  return `${JSON.stringify(path)} looks like ${what}; leave it out in ${ignoreFile}, or give --allow-secret ${JSON.stringify(path)}`;
}
