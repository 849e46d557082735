import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Looks at the files of one folder at once. */
const concurrentStats = 32;
/** A look takes this part of the time at most: a folder of a million files is not walked all the time. */
const maxScanShare = 0.05;
const blockBytes = 512;

/** What a watch is told. */
export interface DiskWatchOptions {
  /** The scratch space of the attempt. */
  readonly folder: string;
  readonly limitBytes: number;
  /** Between two looks at least. */
  readonly periodMs: number;
  /** Called once, at the first look that finds more. */
  readonly onExceeded: () => void;
}

/** Watches how much of the scratch space an attempt takes. */
export class DiskWatch {
  readonly #options: DiskWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #scanning: Promise<void> = Promise.resolve();
  #isStopped = false;
  #peak = 0;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
    this.#arm(options.periodMs);
  }

  /** The most that a look found, in bytes. */
  get peakBytes(): number {
    return this.#peak;
  }

  /** True once a look found more than the limit. */
  get isExceeded(): boolean {
    return this.#peak > this.#options.limitBytes;
  }

  /** Ends the watch without a last look. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Ends the watch with a last look, for payloads that were quicker than the first one. */
  async finish(): Promise<void> {
    this.stop();
    await this.#scanning;
    if (!this.isExceeded) this.#peak = Math.max(this.#peak, await diskUsage(this.#options.folder));
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => (this.#scanning = this.#scan()), ms);
  }

  async #scan(): Promise<void> {
    const before = performance.now();
    this.#peak = Math.max(this.#peak, await diskUsage(this.#options.folder));
    if (this.#isStopped) return;
    if (this.isExceeded) this.#options.onExceeded();
    else this.#arm(Math.max(this.#options.periodMs, (performance.now() - before) / maxScanShare));
  }
}

/**
 * What the files below a folder take on the disk, in bytes; files with several names there count once, links and folders nothing. What
 * vanishes while it is looked at, or may not be read, counts nothing.
 */
async function diskUsage(folder: string): Promise<number> {
  const seen = new Set<string>();
  let bytes = 0;
  const open = [folder];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const at = next;
    const entries = await readdir(at, { withFileTypes: true }).catch((): Dirent[] => []);
    for (const entry of entries) if (entry.isDirectory()) open.push(join(at, entry.name));
    const files = entries.filter((entry) => entry.isFile());
    for (let start = 0; start < files.length; start += concurrentStats) {
      const found = await Promise.all(
        files
          .slice(start, start + concurrentStats)
          .map(({ name }) => lstat(join(at, name)).catch(() => undefined)),
      );
      for (const one of found) {
        if (one === undefined) continue;
        const id = `${one.dev}:${one.ino}`;
        if (one.nlink > 1 && seen.has(id)) continue;
        if (one.nlink > 1) seen.add(id);
        bytes += one.blocks * blockBytes;
      }
    }
  }
  return bytes;
}
