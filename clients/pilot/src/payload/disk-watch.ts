import type { Dirent } from 'node:fs';
import { lstat, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** Number of files of one folder that are read at once. */
const concurrentStats = 32;
/**
 * Regular scans take at most this share of the time, so that a folder of a million files is not walked all
 * the time.
 */
const maxScanShare = 0.05;
/**
 * The same limit for scans that start because the file system has lost as much space as the attempt had left.
 */
const maxAlarmShare = 0.25;
/**
 * Intervals at which the free space of the file system is read: shorter the less is left, for a disk of this
 * speed.
 */
const fastestBytesPerMs = 4_000_000;
const shortestPollMs = 50;
const longestPollMs = 1000;
const blockBytes = 512;

/** Options of a disk watch. */
export interface DiskWatchOptions {
  /** The scratch space of the attempt. */
  readonly folder: string;
  readonly limitBytes: number;
  /** Shortest time between two regular scans. */
  readonly periodMs: number;
  /** Called once, at the first scan that finds more than the limit. */
  readonly onExceeded: () => void;
}

/**
 * Watches the scratch space that an attempt uses. Walking its folders is slow, so that happens once per
 * period; between the scans, the free space of the file system is polled, which is one system call. Once it
 * has shrunk by what the attempt had left, a scan shows whether the attempt or another process used it.
 */
export class DiskWatch {
  readonly #options: DiskWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;
  #peak = 0;
  /** Bytes that the attempt had left at the last scan, and most bytes that were free since. */
  #left: number;
  #freeThen: number | undefined;
  #nextScanMs: number;
  #nextAlarmMs = 0;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
    this.#left = options.limitBytes;
    this.#nextScanMs = performance.now() + options.periodMs;
    this.#running = this.#start();
  }

  /** The most that a scan found, in bytes. */
  get peakBytes(): number {
    return this.#peak;
  }

  /** True once a scan found more than the limit. */
  get isExceeded(): boolean {
    return this.#peak > this.#options.limitBytes;
  }

  /** Ends the watch without a last scan. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Ends the watch with a last scan, for payloads that were quicker than the first one. */
  async finish(): Promise<void> {
    this.stop();
    await this.#running;
    if (!this.isExceeded) await this.#scan();
  }

  async #start(): Promise<void> {
    // The inputs are already in the scratch space: this scan is the baseline for the free space.
    await this.#scan();
    this.#next();
  }

  #next(): void {
    if (this.#isStopped) return;
    if (this.isExceeded) return this.#options.onExceeded();
    const poll = Math.min(longestPollMs, Math.max(shortestPollMs, this.#left / fastestBytesPerMs));
    const ms = Math.max(0, Math.min(poll, this.#nextScanMs - performance.now()));
    this.#timer = setTimeout(() => (this.#running = this.#poll()), ms);
  }

  async #poll(): Promise<void> {
    const now = performance.now();
    if (now >= this.#nextScanMs || (now >= this.#nextAlarmMs && (await this.#mayBeExceeded())))
      await this.#scan();
    this.#next();
  }

  async #mayBeExceeded(): Promise<boolean> {
    const free = await freeBytes(this.#options.folder);
    if (free === undefined || this.#freeThen === undefined) return false;
    // Space that other processes release must not hide what the attempt uses.
    this.#freeThen = Math.max(this.#freeThen, free);
    return this.#freeThen - free >= this.#left;
  }

  async #scan(): Promise<void> {
    const before = performance.now();
    this.#freeThen = await freeBytes(this.#options.folder);
    const bytes = await diskUsage(this.#options.folder);
    this.#peak = Math.max(this.#peak, bytes);
    this.#left = Math.max(0, this.#options.limitBytes - bytes);
    const now = performance.now();
    this.#nextScanMs = now + Math.max(this.#options.periodMs, (now - before) / maxScanShare);
    this.#nextAlarmMs = now + (now - before) / maxAlarmShare;
  }
}

/** Bytes that the file system of a folder has free; undefined where it does not say. */
async function freeBytes(folder: string): Promise<number | undefined> {
  return statfs(folder).then(
    ({ bfree, bsize }) => bfree * bsize,
    () => undefined,
  );
}

/**
 * Bytes that the files below a folder take on the disk. A file with several names there counts once, links
 * and folders do not count, nor does what vanishes during the scan or may not be read.
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
