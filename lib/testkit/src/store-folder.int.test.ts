import { afterEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeStoreFolder } from './store-folder.js';

const folders: string[] = [];
const made = async (): Promise<string> => {
  const folder = await makeStoreFolder();
  folders.push(folder);
  return folder;
};

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

describe('makeStoreFolder', () => {
  it('makes folders that other users cannot read', async () => {
    expect(await made()).not.toBe(await made());
    for (const folder of folders) expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it('removes the folders of processes that have ended, and no others', async () => {
    const own = await made();
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const left = join(dirname(own), `rhizome-tests-${pid}-left`);
    await mkdir(join(left, 'member-0'), { recursive: true });
    await made();
    expect([left, own].map(existsSync)).toEqual([false, true]);
  });
});
