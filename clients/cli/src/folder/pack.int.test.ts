/** Folders on a real file system: what an upload has, and how it is cut into parts. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CliError } from '../exit-codes.js';
import { findFiles, type FoundFolder } from './find-files.js';
import { assertUnchanged, bytesOf, packFolder, type PackedFolder } from './pack.js';

const { signal } = new AbortController();
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pack-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function write(path: string, content: string | Buffer = path): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}
const find = (...allowed: readonly string[]): Promise<FoundFolder> => findFiles(root, new Set(allowed));
const pack = async (): Promise<PackedFolder> => packFolder(await find(), { signal });
const pathsOf = ({ files }: FoundFolder): readonly string[] => files.map(({ path }) => path).sort();

describe('findFiles', () => {
  it('leaves out what .rhizomeignore says, and the folders of version control', async () => {
    for (const path of ['a.py', 'data/big.root', 'data/keep.root', 'logs/x.log', '.git/config', 'b/c.tmp'])
      await write(path);
    await write('.rhizomeignore', '# outputs\ndata/*\n!data/keep.root\nlogs/\n*.tmp\n');
    const found = await find();
    expect(found).toMatchObject({ problems: [], ignored: 5 });
    expect(pathsOf(found)).toEqual(['a.py', 'data/keep.root']);
  });

  it('keeps links inside, executable files and empty folders', async () => {
    await write('bin/run', '#!/bin/sh');
    await chmod(join(root, 'bin/run'), 0o755);
    await write('data');
    await mkdir(join(root, 'out'));
    await symlink('bin/run', join(root, 'relative'));
    await symlink(join(root, 'data'), join(root, 'bin/absolute'));
    const found = await find();
    expect(found.problems).toEqual([]);
    expect(found.folders).toEqual(['out']);
    expect([...found.links].sort((a, b) => a.path.localeCompare(b.path))).toEqual([
      { path: 'bin/absolute', target: '../data' },
      { path: 'relative', target: 'bin/run' },
    ]);
    expect(found.files.filter(({ isExecutable }) => isExecutable).map(({ path }) => path)).toEqual([
      'bin/run',
    ]);
  });

  it('reports links that lead out, special files and secrets, with what may be done', async () => {
    await write('.env', 'PASSWORD=x');
    await symlink('/etc/passwd', join(root, 'outside'));
    await symlink('../..', join(root, 'above'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const problems = [...(await find()).problems].sort();
    expect(problems).toHaveLength(4);
    expect(problems[0]).toMatch(/^"\.env" looks like an environment file; .*--allow-secret "\.env"$/);
    expect(problems[1]).toBe('"pipe" is no file, folder or link');
    expect(problems[2]).toContain('"above" → "../.." leads out of the folder');
    expect(problems[3]).toContain('"outside" → "/etc/passwd" leads to an absolute path');
    expect((await find('.env')).problems).toHaveLength(3);
  });

  it('reports a name that is no UTF-8', async () => {
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x41])]), 'x');
    expect((await find()).problems).toEqual([expect.stringContaining('has a name that is no UTF-8')]);
  });
});

describe('packFolder', () => {
  it('describes files whose contents are those of the parts, one after another', async () => {
    const large = Buffer.alloc(40 * 1024 ** 2, 'content ');
    await write('large', large);
    for (let at = 0; at < 50; at += 1) await write(`small/${at}`, `content ${at} `.repeat(at));
    const { manifest, parts, sizeBytes } = await pack();
    expect(parts.length).toBeGreaterThan(2);
    const pieces: Buffer[] = [];
    for (const part of parts) {
      const hash = createHash('sha256');
      for await (const piece of bytesOf(part)) {
        hash.update(piece);
        pieces.push(piece);
      }
      expect(hash.digest('hex')).toBe(part.sha256);
    }
    const all = Buffer.concat(pieces);
    expect(all.length).toBe(sizeBytes);
    let at = 0;
    for (const file of manifest.files) {
      const content = all.subarray(at, (at += file.sizeBytes));
      expect(createHash('sha256').update(content).digest('hex')).toBe(file.sha256);
    }
    expect(at).toBe(all.length);
    expect(manifest.files.at(-1)).toMatchObject({ path: 'large', sizeBytes: large.length });
  });

  it('packs equal folders alike, and keeps most parts when a file is added', async () => {
    const content = (name: number): Buffer => createHash('sha512').update(String(name)).digest();
    for (let at = 0; at < 150; at += 1)
      await write(`file${at}`, Buffer.concat(Array.from({ length: 1200 }, () => content(at))));
    const before = await pack();
    expect((await pack()).manifest).toEqual(before.manifest);
    await write('file123a', 'one more');
    const known = new Set(before.parts.map(({ sha256 }) => sha256));
    const added = (await pack()).parts.filter(({ sha256 }) => !known.has(sha256));
    expect(before.parts.length).toBeGreaterThan(4);
    expect(added.length).toBeLessThanOrEqual(2);
  });

  it('puts thousands of small files into few parts', async () => {
    await mkdir(join(root, 'many'));
    await Promise.all(
      Array.from({ length: 2000 }, (_, at) => writeFile(join(root, 'many', `${at}`), `${at}`)),
    );
    const { manifest, parts } = await pack();
    expect(manifest.files).toHaveLength(2000);
    expect(parts.length).toBeLessThan(5);
  });

  it('finds secrets by their content', async () => {
    await write('notes.txt', `-----BEGIN ${'OPENSSH PRIVATE KEY-----'}`);
    expect((await pack()).secrets).toEqual([['notes.txt', 'a private key']]);
  });

  it.each<[string, () => Promise<void>]>([
    ['grows', () => write('a', 'longer than before')],
    ['has another time', () => utimes(join(root, 'a'), 1, 1)],
    ['is gone', () => rm(join(root, 'a'))],
    [
      'is replaced by a link',
      async () => {
        await rename(join(root, 'a'), join(root, 'b'));
        await symlink('b', join(root, 'a'));
      },
    ],
  ])('refuses a file that %s meanwhile', async (_what, change) => {
    await write('a');
    const found = await find();
    const packed = await packFolder(found, { signal });
    await change();
    const again = packFolder(found, { signal });
    await expect(again).rejects.toThrow('"a" changed meanwhile');
    await expect(again).rejects.toBeInstanceOf(CliError);
    await expect(assertUnchanged(found.files)).rejects.toThrow('"a" changed meanwhile');
    const reading = async (): Promise<void> => {
      for (const part of packed.parts) for await (const _ of bytesOf(part)) continue;
    };
    await expect(reading()).rejects.toThrow('"a" changed meanwhile');
  });

  it('refuses, before it reads them, files whose paths are too long together', async () => {
    const path = `${'n'.repeat(250)}/${'m'.repeat(100)}`;
    const files = Array.from({ length: 80_000 }, (_, at) => ({
      ...{
        path: `${path}${at}`,
        place: '/nowhere',
        sizeBytes: 1,
        modifiedMs: 0,
        inode: 0,
        isExecutable: false,
      },
    }));
    const packing = packFolder({ ...(await find()), files }, { signal });
    await expect(packing).rejects.toThrow('The list of the 80000 files has about 38 MiB with their paths');
  });
});
