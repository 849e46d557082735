/** A copy of the repository whose sources a test may change. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { leftovers } from '@rhizome/testkit';
import { root } from '../system/playground-system.js';

/** Entries that are neither sources nor outputs of the build. */
const leftOut = new Set(['.git', '.rhizome', '.cache', 'node_modules', 'coverage']);

/** A copy of the repository. */
export interface WorkingCopy {
  readonly path: string;
  /** Replaces a text, which must be there, and saves the file. */
  edit(file: string, text: string, replacement: string): Promise<void>;
}

/**
 * Copies the repository with its build into a folder of its own, and links what is installed. The folder is
 * on the same file system, where installed files need no copy; it is removed at the end of the file.
 */
export async function workingCopy(): Promise<WorkingCopy> {
  await mkdir(join(root, '.cache'), { recursive: true });
  const path = await mkdtemp(join(root, '.cache', 'working-copy-'));
  leftovers.defer(`the folder ${path}`, () => rm(path, { recursive: true, force: true }));
  const entries = (await readdir(root)).filter((name) => !leftOut.has(name)).map((name) => join(root, name));
  await promisify(execFile)('cp', ['-a', ...entries, path]);
  await promisify(execFile)('cp', ['-al', join(root, 'node_modules'), path]);
  return {
    path,
    async edit(file, text, replacement) {
      const before = await readFile(join(path, file), 'utf8');
      if (!before.includes(text)) throw new Error(`${file} does not contain ${JSON.stringify(text)}`);
      await writeFile(join(path, file), before.replace(text, replacement));
    },
  };
}
