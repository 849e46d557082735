import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { writerOf } from './file-writer.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-writer-'));
});
afterEach(async () => rm(folder, { recursive: true }));

it('flushes a large file in parts while it arrives', async () => {
  const path = join(folder, 'file');
  const file = await open(path, 'w');
  let written = 0;
  /** Bytes that were there at each flush. */
  const flushedAt: number[] = [];
  const recorded = {
    write: async (piece: Buffer, at: number) => {
      const done = await file.write(piece, at);
      written += done.bytesWritten;
      return done;
    },
    datasync: async () => {
      await file.datasync();
      flushedAt.push(written);
    },
  };
  const pieces = Array.from({ length: 10 }, (_, at) => Buffer.alloc(100, at));
  await pipeline(Readable.from(pieces), writerOf(recorded as never, 300));
  await file.close();
  expect(flushedAt).toEqual([300, 600, 900]);
  expect(await readFile(path)).toEqual(Buffer.concat(pieces));
});
