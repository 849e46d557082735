import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type FileHandle, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttemptRecord } from './attempt-record.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'record-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** Counts the flushes of files from now on. */
async function countingFlushes(): Promise<() => number> {
  const handle = await open(folder, 'r');
  const flush = jest.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'sync');
  await handle.close();
  return () => flush.mock.calls.length;
}

describe('a record of an attempt', () => {
  it('flushes checkpoints, but not that there are none yet', async () => {
    const record = new AttemptRecord(folder, 'att_1');
    await mkdir(record.folder);
    const flushes = await countingFlushes();
    const identity = { device: '1', inode: '1' };
    const none = { root: identity, requests: identity, made: 0, kept: [], obsolete: [] };
    await record.beginCheckpoints(none);
    expect([flushes(), await record.checkpoints()]).toEqual([0, none]);
    await record.saveCheckpoints({ ...none, made: 1 });
    expect([flushes(), await record.checkpoints()]).toEqual([2, { ...none, made: 1 }]);
  });
});
