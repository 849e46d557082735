/** Uploads in the working folder of a job, by signed addresses, over HTTP. */
import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ManifestFile, UploadManifest } from '@rhizome/storage';
import { AttemptError } from '../../payload/attempt-error.js';
import { digestOf, SignedStorage } from '../../testing/signed-storage.js';
import { SignedFiles } from '../signed-files.js';
import { stageUpload } from './stage-upload.js';

const storage = new SignedStorage();
const patience = { pauseMs: 1, passingMs: 100, deniedMs: 100 };
const signed = new SignedFiles(storage.sign, patience);
const open = new AbortController().signal;
const plan = { uploadId: 'upload_1', inputNames: ['in.root'], diskMiB: 10 };

const content = { 'run.sh': '#!/bin/sh\n', 'lib/a': 'first', 'lib/deep/b': 'second', empty: '' };
const fileOf = (path: string, text: string, isExecutable = false): ManifestFile => {
  const { sizeBytes, sha256 } = digestOf(Buffer.from(text));
  return { path, sizeBytes, sha256, isExecutable };
};
const files = Object.entries(content).map(([path, text]) => fileOf(path, text, path === 'run.sh'));

let folders: { readonly root: string; readonly work: string };
beforeEach(async () => {
  folders = { root: join(storage.folder, 'attempt'), work: join(storage.folder, 'attempt', 'work') };
  await mkdir(folders.work, { recursive: true });
});

/** Stores an upload whose contents are cut into parts of a size. */
async function given(over: Partial<UploadManifest> = {}, partBytes = 7): Promise<void> {
  const bytes = Buffer.from(Object.values(content).join(''));
  const parts: { sizeBytes: number; sha256: string }[] = [];
  for (let at = 0; at < bytes.length; at += partBytes) {
    const part = bytes.subarray(at, at + partBytes);
    parts.push(digestOf(part));
    await storage.put(`in/${digestOf(part).sha256}`, part);
  }
  const manifest: UploadManifest = {
    ...{ version: 1, files, parts, folders: ['results/today'] },
    links: [{ path: 'lib/link', target: '../run.sh' }],
    ...over,
  };
  await storage.put('in/manifest', Buffer.from(JSON.stringify(manifest)));
}

const stage = (over: Partial<typeof plan> = {}): Promise<void> =>
  stageUpload({ ...plan, ...over }, folders, signed, open);

async function failure(staging: Promise<void>): Promise<AttemptError> {
  const error = await staging.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(AttemptError);
  // Nothing is half-written.
  expect(await readdir(folders.work)).toEqual([]);
  expect(await readdir(folders.root)).toEqual(['work']);
  return error as AttemptError;
}

describe('stageUpload', () => {
  it('makes the files, folders and links of the upload', async () => {
    await given();
    await stage();
    for (const [path, text] of Object.entries(content))
      expect(await readFile(join(folders.work, path), 'utf8')).toBe(text);
    const modeOf = async (path: string) => (await lstat(join(folders.work, path))).mode & 0o111;
    expect(await modeOf('run.sh')).not.toBe(0);
    expect(await modeOf('lib/a')).toBe(0);
    expect(await readdir(join(folders.work, 'results/today'))).toEqual([]);
    expect(await readlink(join(folders.work, 'lib/link'))).toBe('../run.sh');
    expect(await readdir(folders.root)).toEqual(['work']);
  });

  it('leaves nothing of an earlier try', async () => {
    await given();
    await stage();
    await writeFile(join(folders.work, 'lib', 'left'), 'of the first try');
    await stage();
    expect((await readdir(join(folders.work, 'lib'))).sort()).toEqual(['a', 'deep', 'link']);
  });

  it('continues a part that broke off, and fetches each part once', async () => {
    await given({}, 1_000_000);
    storage.faults = ['break'];
    await stage();
    expect(await readFile(join(folders.work, 'run.sh'), 'utf8')).toBe(content['run.sh']);
    expect(storage.signedNames).toEqual([['manifest'], [expect.stringMatching(/^[0-9a-f]{64}$/)]]);
  });

  it.each<[string, Partial<UploadManifest>, string]>([
    ['a path that leads out', { files: [...files, fileOf('../evil', '')] }, '"../evil" has ".." as a part'],
    ['an absolute path', { files: [...files, fileOf('/etc/evil', '')] }, 'is an absolute path'],
    ['a path with NUL', { files: [...files, fileOf('a\0b', '')] }, 'contains NUL'],
    ['a link that leads out', { links: [{ path: 'l', target: '../../x' }] }, 'leads out of the folder'],
    ['a link to an absolute path', { links: [{ path: 'l', target: '/etc' }] }, 'leads to an absolute path'],
    [
      'a file below a link',
      { files: [...files, fileOf('l/evil', '')], links: [{ path: 'l', target: 'lib' }] },
      '"l/evil" is below "l"',
    ],
    [
      'files that are larger than the parts',
      { files: [...files, { ...fileOf('bomb', ''), sizeBytes: 2 ** 40 }] },
      'but the parts',
    ],
    ['an input of the job', { files: [...files, fileOf('in.root', '')] }, '"in.root", which is an input'],
    [
      'content that differs from its digest',
      { files: files.map((file) => ({ ...file, sha256: 'ab'.repeat(32) })) },
      'instead of abab',
    ],
  ])('refuses %s, and no attempt repeats it', async (_what, over, text) => {
    await given(over);
    const error = await failure(stage());
    expect(error).toMatchObject({ family: 'DATA', code: 'INPUT_INVALID', retryable: false });
    expect(error.message).toContain('Upload upload_1 cannot be unpacked');
    expect(error.message).toContain(text);
  });

  it('refuses an upload that is larger than the disk space of the job', async () => {
    await given({
      parts: [{ sizeBytes: 2 ** 30, sha256: 'ab'.repeat(32) }],
      files: [{ ...fileOf('a', ''), sizeBytes: 2 ** 30 }],
    });
    expect((await failure(stage())).message).toContain('the job asks for 10 MiB of disk');
  });

  it('refuses names that the file system does not take, and no attempt repeats it', async () => {
    await given({ files: [...files, fileOf(Array(11).fill('n'.repeat(250)).join('/'), '')] });
    const root = join(folders.root, ...Array<string>(6).fill('d'.repeat(250)));
    const deep = { root, work: join(root, 'work') };
    await mkdir(deep.work, { recursive: true });
    const error = await stageUpload(plan, deep, signed, open).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'INPUT_INVALID', retryable: false });
  });

  it('says which part is gone, and that another attempt does not help', async () => {
    await given();
    const sha256 = createHash('sha256').update('never stored').digest('hex');
    await given({ parts: [{ sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), sha256 }] });
    const error = await failure(stage());
    expect(error).toMatchObject({ code: 'INPUT_GONE', retryable: false });
    expect(error.message).toContain(`Part ${sha256} of upload upload_1`);
  });

  it('refuses a part with other content', async () => {
    await given({}, 1_000_000);
    const part = Object.values(content).join('');
    await storage.put(
      `in/${digestOf(Buffer.from(part)).sha256}`,
      Buffer.from(part.replace('first', 'other')),
    );
    expect(await failure(stage())).toMatchObject({ code: 'INPUT_CORRUPT', retryable: true });
  });
});
