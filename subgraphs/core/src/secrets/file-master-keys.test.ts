import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadFileMasterKeys } from './file-master-keys.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'master-keys-'));
  path = join(folder, 'master.keys');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('loadFileMasterKeys', () => {
  it('wraps with a new first key in processes that do not lead, so that the old one can be removed', async () => {
    const leader = await loadFileMasterKeys(path);
    const other = await loadFileMasterKeys(path);
    const old = await leader.currentId();
    const fresh = `${randomBytes(32).toString('base64')}\n`;
    await writeFile(path, fresh + (await readFile(path, 'utf8')));
    const current = await leader.currentId();
    expect(current).not.toBe(old);
    expect(await other.wrap(randomBytes(32), 'context')).toMatchObject({ keyId: current });
  });

  it('wraps nothing once the file cannot be used, and does not name it to callers', async () => {
    const keys = await loadFileMasterKeys(path);
    await writeFile(path, 'no key');
    const failure = await keys.wrap(randomBytes(32), 'context').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(String(failure)).not.toContain(folder);
    await rm(path);
    await expect(keys.wrap(randomBytes(32), 'context')).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
  });
});
