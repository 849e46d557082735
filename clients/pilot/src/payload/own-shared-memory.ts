import { statfsSync, statSync } from 'node:fs';
import { sharedMemoryFolder, type SharedMemory } from './shared-memory-files.js';

/**
 * The `/dev/shm` of a payload that has one of its own, in a sandbox or an image. It ends with the payload's
 * last process.
 */
export class OwnSharedMemory implements SharedMemory {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Reads its size through the newest process that has it. */
  observe(pids: readonly number[]): void {
    const host = deviceOf(sharedMemoryFolder);
    for (const pid of pids.toReversed()) {
      const folder = `/proc/${pid}/root${sharedMemoryFolder}`;
      const device = deviceOf(folder);
      if (device === undefined || device === host) continue;
      const used = usedBytes(folder);
      if (used === undefined) continue;
      this.#bytes = used;
      return;
    }
  }

  remove(): void {
    this.#bytes = 0;
  }
}

function deviceOf(path: string): number | undefined {
  try {
    return statSync(path).dev;
  } catch {
    return undefined;
  }
}

function usedBytes(folder: string): number | undefined {
  try {
    const { blocks, bfree, bsize } = statfsSync(folder);
    return (blocks - bfree) * bsize;
  } catch {
    return undefined;
  }
}
