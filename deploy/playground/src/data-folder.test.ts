import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ownDataFolder } from './data-folder.js';

let root = '';
let data = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rhizome-data-folder-'));
  data = join(root, 'data');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const permissions = (path: string): string => (statSync(path).mode & 0o777).toString(8);

function write(path: string, mode: number): void {
  writeFileSync(path, 'x');
  chmodSync(path, mode);
}

describe('ownDataFolder', () => {
  it('creates a folder that only its owner can enter', () => {
    const folder = ownDataFolder(data);
    expect([permissions(data), permissions(join(data, 'owner.json'))]).toEqual(['700', '600']);
    folder.release();
  });

  it('deletes the data and the keys of earlier runs, and nothing else', () => {
    mkdirSync(join(data, 'mongo'), { recursive: true });
    for (const name of ['identity.key', 'secrets.keys', 'call-key.json', 'mine'])
      write(join(data, name), 0o600);
    const folder = ownDataFolder(data);
    folder.reset();
    expect(readdirSync(data).sort()).toEqual(['mine', 'owner.json']);
    folder.release();
  });

  it('closes a folder that others could read, with all that a playground created in it', () => {
    mkdirSync(join(data, 'store', 'job_1'), { recursive: true, mode: 0o755 });
    mkdirSync(join(data, 'mine'), { mode: 0o755 });
    for (const path of [data, join(data, 'store'), join(data, 'store', 'job_1'), join(data, 'mine')])
      chmodSync(path, 0o755);
    write(join(data, 'jwks.json'), 0o644);
    write(join(data, 'store', 'job_1', 'run.sh'), 0o755);
    write(join(root, 'elsewhere'), 0o644);
    symlinkSync(join(root, 'elsewhere'), join(data, 'store', 'link'));
    ownDataFolder(data).release();
    const found = ['', 'store', 'store/job_1', 'store/job_1/run.sh', 'jwks.json', 'mine'];
    expect(found.map((name) => permissions(join(data, name)))).toEqual([
      '700',
      '700',
      '700',
      '700',
      '600',
      '755',
    ]);
    expect(permissions(join(root, 'elsewhere'))).toBe('644');
  });
});
