import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SecretFiles } from './secret-files.js';

let fallback: string;
let files: SecretFiles;

beforeEach(async () => {
  fallback = await mkdtemp(join(tmpdir(), 'secret-files-'));
  files = await SecretFiles.open(fallback);
});
afterEach(async () => {
  await files.remove();
  await rm(`${files.folder}.new`, { recursive: true, force: true });
  await rm(fallback, { recursive: true, force: true });
});

/** Entries of the host for the folder, and next to it. */
async function left(): Promise<readonly string[]> {
  const all = await readdir(dirname(files.folder));
  return all.filter((name) => name.startsWith(basename(files.folder)));
}

describe('SecretFiles', () => {
  it('replaces a file', async () => {
    await files.write('token', 'first');
    await files.write('token', 'second');
    expect(await readFile(join(files.folder, 'token'), 'utf8')).toBe('second');
  });

  it('replaces a file that an earlier pilot has left before it was renamed', async () => {
    await files.write('token', 'first');
    await writeFile(join(`${files.folder}.new`, 'token'), 'half', { mode: 0o400 });
    await SecretFiles.reopen(files.folder).write('token', 'second');
    expect(await readFile(join(files.folder, 'token'), 'utf8')).toBe('second');
  });

  it('leaves nothing of a file that is written during the removal', async () => {
    const writing = files.write('token', 'secret');
    await files.remove();
    await writing;
    expect(await left()).toEqual([]);
  });

  it('leaves nothing of a file that is written after the removal', async () => {
    await files.remove();
    await files.write('token', 'secret').catch(() => undefined);
    expect(await left()).toEqual([]);
  });
});
