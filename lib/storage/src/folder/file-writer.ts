import type { FileHandle } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { pieceBytes } from '../sources.js';

/** Bytes after which what was written is flushed to disk. */
const flushBytes = 256 * 1024 * 1024;

/**
 * Writes each piece to the file, and leaves it open. Large files are flushed in parts, and the sender waits
 * for each: a single flush at the end could take longer than its connection stays open without data.
 */
export function writerOf(file: Pick<FileHandle, 'write' | 'datasync'>, everyBytes = flushBytes): Writable {
  let sinceFlush = 0;
  const write = async (piece: Buffer): Promise<void> => {
    for (let at = 0; at < piece.length;) at += (await file.write(piece, at)).bytesWritten;
    sinceFlush += piece.length;
    if (sinceFlush < everyBytes) return;
    sinceFlush = 0;
    await file.datasync();
  };
  return new Writable({
    highWaterMark: pieceBytes,
    write(piece: Buffer, _encoding, callback) {
      write(piece).then(
        () => callback(),
        (error: unknown) => callback(error as Error),
      );
    },
  });
}
