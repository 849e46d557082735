/** Inputs that jobs read again, in a real folder and from a storage behind a server. */
import { describe, expect, it } from '@jest/globals';
import { mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '@rhizome/log';
import { CoreRefused } from '../protocol/core-protocol.js';
import { digestOf, SignedStorage } from '../testing/signed-storage.js';
import { InputCache } from './input-cache.js';
import { SignedFiles } from './signed-files.js';
import type { SignFiles } from './signed-files.types.js';

const open = new AbortController().signal;
const mib = 1024 ** 2;
const storage = new SignedStorage();
const content = (name: string): Buffer => Buffer.alloc(mib, name);
const cacheFolder = (): string => join(storage.folder, 'cache');
const cacheOf = (limitMiB = 100): InputCache =>
  new InputCache({ folder: cacheFolder(), limitBytes: limitMiB * mib, log: silentLogger() });
const entries = async (): Promise<readonly string[]> => readdir(cacheFolder());

/** Fetches a file, whose digest is declared, with a cache. */
async function fetch(
  cache: InputCache,
  name: string,
  { sign = storage.sign, digest = digestOf(content(name)) }: { sign?: SignFiles; digest?: object } = {},
): Promise<Buffer> {
  const { sizeBytes, sha256 } = { ...digestOf(content(name)), ...digest };
  const expected = { sizeBytes, checksums: [{ kind: 'SHA256' as const, value: sha256 }] };
  const read = { name, jobId: null };
  const path = join(storage.folder, 'fetched');
  const patience = { pauseMs: 1, passingMs: 50, deniedMs: 50 };
  await new SignedFiles(sign, patience, { cache }).reader([read]).fetch(read, path, open, { expected });
  return readFile(path);
}

async function given(...names: readonly string[]): Promise<void> {
  for (const name of names) await storage.put(`in/${name}`, content(name));
}

describe('InputCache', () => {
  it('gives a file a second time without a request to its storage, also to another pilot', async () => {
    await given('a');
    const [first, second] = [cacheOf(), cacheOf()];
    await fetch(first, 'a');
    expect((await fetch(first, 'a')).equals(content('a'))).toBe(true);
    expect((await fetch(second, 'a')).equals(content('a'))).toBe(true);
    expect(storage.requests).toEqual(['GET in/a']);
    expect([first.counts, second.counts]).toEqual([
      { hits: 1, misses: 1 },
      { hits: 1, misses: 0 },
    ]);
  });

  it('gives nothing to a job that core gives no address', async () => {
    await given('a');
    const cache = cacheOf();
    await fetch(cache, 'a');
    const sign: SignFiles = async () => Promise.reject(new CoreRefused('FILE_FORBIDDEN', 'not yours'));
    await expect(fetch(cache, 'a', { sign })).rejects.toMatchObject({ code: 'INPUT_DENIED' });
    expect(cache.counts.hits).toBe(0);
  });

  it('gives no file of another place to a job that knows its digest', async () => {
    await given('secret', 'mine');
    const cache = cacheOf();
    await fetch(cache, 'secret');
    const digest = digestOf(content('secret'));
    await expect(fetch(cache, 'mine', { digest })).rejects.toMatchObject({ code: 'INPUT_CORRUPT' });
    expect(cache.counts.hits).toBe(0);
  });

  it('finds a damaged entry, removes it, and fetches the file again', async () => {
    await given('a');
    const cache = cacheOf();
    await fetch(cache, 'a');
    const [entry = ''] = await entries();
    await writeFile(join(cacheFolder(), entry), 'half');
    expect((await fetch(cache, 'a')).equals(content('a'))).toBe(true);
    expect(cache.counts).toEqual({ hits: 0, misses: 2 });
    expect((await stat(join(cacheFolder(), entry))).size).toBe(mib);
  });

  it('leaves the entry as it is when a payload changes its file', async () => {
    await given('a');
    const cache = cacheOf();
    await fetch(cache, 'a');
    await fetch(cache, 'a');
    await writeFile(join(storage.folder, 'fetched'), 'changed');
    expect((await fetch(cache, 'a')).equals(content('a'))).toBe(true);
    expect(cache.counts.hits).toBe(2);
  });

  it('removes the entries that were used least recently when it is full', async () => {
    await given('a', 'b', 'c', 'd');
    const cache = cacheOf(3);
    for (const name of ['a', 'b', 'c']) await fetch(cache, name);
    // Their times may be equal on some file systems.
    for (const [at, name] of ['b', 'c', 'a'].entries()) {
      const { sha256 } = digestOf(content(name));
      const entry = (await entries()).find((one) => one.startsWith(sha256)) ?? '';
      await utimes(join(cacheFolder(), entry), at + 1, at + 1);
    }
    await fetch(cache, 'd');
    expect(await entries()).toHaveLength(3);
    storage.requests = [];
    for (const name of ['a', 'c', 'd']) await fetch(cache, name);
    expect(storage.requests).toEqual([]);
  });

  it('keeps no small file, and none that would fill half of it', async () => {
    await storage.put('in/small', Buffer.from('x'));
    await fetch(cacheOf(), 'small', { digest: digestOf(Buffer.from('x')) });
    await given('a');
    await fetch(cacheOf(1), 'a');
    expect(await entries()).toEqual([]);
  });

  it('removes what a pilot that was killed has left of a file', async () => {
    await given('a', 'b');
    const cache = cacheOf();
    await fetch(cache, 'a');
    const [killed, now] = [`part-${'0'.repeat(18)}`, `part-${'1'.repeat(18)}`];
    await writeFile(join(cacheFolder(), killed), 'half');
    await utimes(join(cacheFolder(), killed), 1, 1);
    await writeFile(join(cacheFolder(), now), 'half');
    await fetch(cache, 'b');
    expect((await entries()).filter((name) => name.startsWith('part-'))).toEqual([now]);
  });

  it('leaves other files in its folder alone, and stays within its limit next to them', async () => {
    await given('a', 'b', 'c');
    const cache = cacheOf(2);
    await mkdir(join(cacheFolder(), 'lost+found'), { recursive: true });
    await writeFile(join(cacheFolder(), 'token'), Buffer.alloc(2 * mib));
    for (const name of ['lost+found', 'token']) await utimes(join(cacheFolder(), name), 1, 1);
    for (const name of ['a', 'b', 'c']) await fetch(cache, name);
    expect(await entries()).toHaveLength(4);
    expect(await entries()).toEqual(expect.arrayContaining(['lost+found', 'token']));
  });

  it('removes other entries where one cannot be removed', async () => {
    await given('a', 'b', 'c', 'd');
    const cache = cacheOf(2);
    await fetch(cache, 'a');
    const stuck = join(cacheFolder(), `${'0'.repeat(64)}-${'0'.repeat(32)}`);
    await mkdir(stuck);
    await utimes(stuck, 1, 1);
    for (const name of ['b', 'c', 'd']) await fetch(cache, name);
    await rm(stuck, { recursive: true });
    const names = (await entries()).map((name) => name.slice(0, 64));
    expect(names).toContain(digestOf(content('d')).sha256);
    expect(names.length).toBeLessThanOrEqual(2);
  });

  it('fetches a file whose entry cannot be read', async () => {
    await given('a');
    const cache = cacheOf();
    await fetch(cache, 'a');
    const [entry = ''] = await entries();
    await rm(join(cacheFolder(), entry));
    await mkdir(join(cacheFolder(), entry));
    expect((await fetch(cache, 'a')).equals(content('a'))).toBe(true);
    expect(cache.counts).toEqual({ hits: 0, misses: 2 });
  });

  it('keeps an entry that a job with a wrong size asks for, and does not fetch it again', async () => {
    await given('a');
    const cache = cacheOf();
    await fetch(cache, 'a');
    storage.requests = [];
    const wrong = { sizeBytes: 1 };
    await expect(fetch(cache, 'a', { digest: wrong })).rejects.toMatchObject({ code: 'INPUT_CORRUPT' });
    expect(await entries()).toHaveLength(1);
    expect(storage.requests).toEqual([]);
  });

  it('is not used if its folder is a link', async () => {
    await given('a');
    await symlink(join(storage.folder, 'storage'), cacheFolder());
    const cache = cacheOf();
    expect((await fetch(cache, 'a')).equals(content('a'))).toBe(true);
    expect(await readdir(join(storage.folder, 'storage'))).toEqual(['.rhizome-partial', 'in']);
    expect(cache.counts).toEqual({ hits: 0, misses: 1 });
  });
});
