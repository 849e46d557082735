import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@rhizome/log';
import { SigningKeyFile } from './signing-keys.js';

let folder: string;
let path: string;
let opened: SigningKeyFile;
const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const write = async (file: string, text: string): Promise<void> => writeFile(file, text, { mode: 0o600 });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signing-keys-'));
  path = join(folder, 'keys');
  await write(path, first.toString('base64'));
  opened = await SigningKeyFile.open(path, silentLogger());
});
afterEach(async () => {
  opened.close();
  await rm(folder, { recursive: true });
});

describe('SigningKeyFile', () => {
  it('reads a file that took the place of the other with the same time of change', async () => {
    const { atime, mtime } = await stat(path);
    await utimes(path, atime, mtime);
    await opened.look();
    const next = join(folder, 'next');
    await write(next, second.toString('base64'));
    await utimes(next, atime, mtime);
    await rename(next, path);
    await opened.look();
    expect(opened.keys.map((key) => Buffer.from(key))).toEqual([second]);
  });

  it('keeps the old keys while the file cannot be used', async () => {
    await write(path, 'too short');
    await opened.look();
    expect(opened.keys.map((key) => Buffer.from(key))).toEqual([first]);
    await write(path, second.toString('base64'));
    await opened.look();
    expect(opened.keys.map((key) => Buffer.from(key))).toEqual([second]);
  });
});
