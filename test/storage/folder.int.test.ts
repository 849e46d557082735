import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { FolderStorage, openStorage, sourceOfBytes } from '@rhizome/storage';
import { describeStorage } from '@rhizome/testkit/storage';

const makeFolder = async (): Promise<string> => mkdtemp(join(tmpdir(), 'folder-storage-'));

describeStorage(
  'a folder of this host',
  async () => {
    const folder = await makeFolder();
    const definition = { provider: 'FOLDER', address: 'https://files.test', folder } as const;
    const storage = openStorage(definition, undefined);
    return { storage, close: async () => rm(folder, { recursive: true }) };
  },
  { signs: false },
);

describe('a folder', () => {
  let outer: string;
  let folder: string;
  let storage: FolderStorage;
  beforeEach(async () => {
    outer = await makeFolder();
    folder = join(outer, 'files');
    await mkdir(folder);
    await writeFile(join(outer, 'secret'), 'secret');
    storage = new FolderStorage(folder);
  });
  afterEach(async () => rm(outer, { recursive: true }));

  it('follows no link out of it, for reading, listing and writing', async () => {
    await symlink(join(outer, 'secret'), join(folder, 'file'));
    await symlink(outer, join(folder, 'above'));
    await expect(storage.get('file')).rejects.toMatchObject({ kind: 'GONE' });
    await expect(storage.get('above/secret')).rejects.toMatchObject({ kind: 'GONE' });
    expect((await storage.list('')).files).toEqual([]);
    expect((await storage.list('above/')).files).toEqual([]);
    await expect(storage.put('above/new', sourceOfBytes('x'))).rejects.toMatchObject({ kind: 'INVALID' });
    // A link at the place of a file is replaced, and not written through.
    await storage.put('file', sourceOfBytes('mine'));
    expect(await text((await storage.get('file')).body)).toBe('mine');
    expect(await readdir(outer)).toEqual(['files', 'secret']);
  });

  it('refuses a key whose parent is a file, and a key that is a folder', async () => {
    await storage.put('a/b', sourceOfBytes('x'));
    await expect(storage.put('a/b/c', sourceOfBytes('x'))).rejects.toMatchObject({ kind: 'INVALID' });
    await expect(storage.put('a', sourceOfBytes('x'))).rejects.toMatchObject({ kind: 'INVALID' });
    await expect(storage.get('a')).rejects.toMatchObject({ kind: 'GONE' });
    await expect(storage.get('a/b/c')).rejects.toMatchObject({ kind: 'GONE' });
  });

  it('removes folders that become empty', async () => {
    await storage.put('a/b/c', sourceOfBytes('x'));
    await storage.put('a/d', sourceOfBytes('x'));
    await storage.delete('a/b/c');
    expect(await readdir(folder)).toEqual(['.rhizome-partial', 'a']);
    expect(await readdir(join(folder, 'a'))).toEqual(['d']);
  });

  it('stores files while others remove the folders that they go into', async () => {
    const turns = Array.from({ length: 200 }, (_, at) => `x/y/${at % 4}`);
    await Promise.all(
      turns.map(async (key) => {
        await storage.put(key, sourceOfBytes(key));
        await storage.delete(key);
      }),
    );
    expect((await storage.list('')).files).toEqual([]);
  });

  it('removes partial files of killed writers after a day, and no others', async () => {
    await storage.put('a', sourceOfBytes('x'));
    const partial = join(folder, '.rhizome-partial');
    for (const name of ['old', 'new']) await writeFile(join(partial, name), 'x');
    const now = new Date();
    const yesterday = new Date(now.getTime() - 25 * 60 * 60 * 1000);
    await utimes(join(partial, 'old'), yesterday, yesterday);
    expect(await storage.removeAbandoned(now)).toBe(1);
    expect(await readdir(partial)).toEqual(['new']);
    expect((await storage.list('')).files.map(({ key }) => key)).toEqual(['a']);
  });

  it('signs no addresses without keys', async () => {
    const signing = storage.sign('a', { method: 'GET', expiresAt: new Date() });
    await expect(signing).rejects.toThrow(/needs a credential with the key of its file service/);
  });
});
