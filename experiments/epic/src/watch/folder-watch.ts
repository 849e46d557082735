/** Watches a folder, and announces the frames whose files are complete, each once. */
import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { Backoff, sleep } from '@rhizome/retry';
import type { Journal } from './journal.js';

/** A frame whose file is complete. */
export interface CompleteFrame {
  readonly number: number;
  readonly location: string;
  readonly bytes: number;
  readonly recordedAt: Date;
}

/** Refusal of a frame. */
export interface Refusal {
  readonly reason: string;
  /** True if it will never be accepted: one of its number was announced. */
  readonly isFinal: boolean;
}

/**
 * Announces frames, of different numbers.
 * @returns the numbers of frames that are not accepted, with the reason of each
 * @throws unless all others are announced; they are announced again
 */
export type AnnounceFrames = (frames: readonly CompleteFrame[]) => Promise<ReadonlyMap<number, Refusal>>;

/** Options of {@link FolderWatch}. */
export interface FolderWatchOptions {
  readonly folder: string;
  /** Form of the names of frames, with a group `number`. */
  readonly pattern: RegExp;
  readonly complete: 'rename' | 'marker';
  /** Precedes the name of a file in the location of its frame. */
  readonly locationPrefix: string;
  readonly rescanMs: number;
  readonly journal: Journal;
  readonly announce: AnnounceFrames;
  readonly clock: Clock;
  readonly log: Logger;
  /** Time after which a frame that was refused is announced again, in milliseconds; by default 30 s. */
  readonly refusedPauseMs?: number;
  /** Reports changes of the folder; by default `fs.watch`. */
  readonly watch?: typeof watch;
}

/** Frames of one call. */
const maxFrames = 1000;
const maxFrameNumber = 10_000_000;
/** Time for which changes are collected before a look, in milliseconds. */
const collectMs = 20;
const pauses = { initialDelayMs: 200, maxDelayMs: 10_000 } as const;

export class FolderWatch {
  readonly #options: FolderWatchOptions;
  readonly #stopping = new AbortController();
  /** Sizes at the look before, of files that wait for their end. */
  #sizes = new Map<string, number>();
  /** Names of the files that were announced, by number. */
  readonly #names = new Map<number, string>();
  /** Names of files with the number of another one, which was reported. */
  readonly #twins = new Set<string>();
  /** Monotonic times before which refused frames are not announced again, by number. */
  readonly #refused = new Map<number, number>();
  #waiting = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
  }

  /** Starts with a look at the whole folder. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends after the current announcement. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, rescanMs } = this.#options;
    const { signal } = this.#stopping;
    const backoff = new Backoff(pauses);
    let watcher: FSWatcher | undefined;
    while (!signal.aborted) {
      this.#waiting = new AbortController();
      watcher ??= this.#watch();
      let pauseMs = rescanMs;
      try {
        if (await this.#look()) pauseMs = collectMs;
        backoff.reset();
      } catch (error) {
        pauseMs = backoff.next();
        log.warn({ err: error }, 'frames could not be announced; they are announced again');
      }
      if (!(await sleep(pauseMs, this.#waiting.signal))) await sleep(collectMs, signal);
    }
    watcher?.close();
  }

  /** Wakes the next look on a change. Without it, as on file systems of a network, the looks go on. */
  #watch(): FSWatcher | undefined {
    const { folder, log } = this.#options;
    try {
      const watcher = (this.#options.watch ?? watch)(folder, { persistent: false }, () =>
        this.#waiting.abort(),
      );
      watcher.on('error', (error) => log.warn({ err: error }, 'changes of the folder are not reported'));
      return watcher;
    } catch (error) {
      log.warn({ err: error }, 'changes of the folder are not reported');
      return undefined;
    }
  }

  /**
   * Announces what is complete and was not announced, in the order of the numbers.
   * @returns true if there is more, or a file may be complete at the next look
   */
  async #look(): Promise<boolean> {
    const { folder } = this.#options;
    const candidates = this.#candidates(await readdir(folder));
    const sizes = new Map<string, number>();
    const frames: (CompleteFrame & { readonly name: string })[] = [];
    for (const { name, number } of candidates) {
      if (frames.length === maxFrames) break;
      const frame = await this.#frameOf(name, number, sizes);
      if (frame) frames.push({ ...frame, name });
    }
    this.#sizes = sizes;
    if (frames.length > 0) await this.#announce(frames);
    return frames.length === maxFrames || sizes.size > 0;
  }

  /** Files that may be announced, one for each number, in the order of the numbers. */
  #candidates(names: readonly string[]): readonly { readonly name: string; readonly number: number }[] {
    const { journal, clock, log } = this.#options;
    const all = new Set(names);
    const now = clock.monotonicMs();
    const firsts = new Map<number, string>();
    for (const name of [...names].sort()) {
      const number = this.#numberOf(name);
      if (number === undefined || !this.#isMarked(name, all)) continue;
      const other = this.#names.get(number) ?? firsts.get(number);
      if (other !== undefined && other !== name && !this.#twins.has(name)) {
        this.#twins.add(name);
        log.warn({ number, name, other }, 'two files have one number; the other one is the frame');
      }
      if (other !== undefined || journal.has(number)) continue;
      if (now >= (this.#refused.get(number) ?? -Infinity)) firsts.set(number, name);
    }
    return [...firsts]
      .map(([number, name]) => ({ name, number }))
      .sort((one, other) => one.number - other.number);
  }

  /** Announces frames. Those that are refused for now stay out of the journal, and are announced again. */
  async #announce(frames: readonly (CompleteFrame & { readonly name: string })[]): Promise<void> {
    const { journal, announce, clock, log, refusedPauseMs = 30_000 } = this.#options;
    const refused = await announce(frames.map(({ name: _name, ...frame }) => frame));
    const again = clock.monotonicMs() + refusedPauseMs;
    for (const [number, { reason, isFinal }] of refused) {
      log.error({ number, reason, isFinal }, 'frame refused');
      if (!isFinal) this.#refused.set(number, again);
    }
    const settled = frames.filter(({ number }) => refused.get(number)?.isFinal !== false);
    await journal.add(settled.map(({ number }) => number));
    for (const { number, name } of settled) this.#names.set(number, name);
    log.info({ count: frames.length - refused.size, last: frames.at(-1)?.number }, 'frames announced');
  }

  #numberOf(name: string): number | undefined {
    const digits = this.#options.pattern.exec(name)?.groups?.['number'];
    const number = Number(digits);
    return digits !== undefined && Number.isInteger(number) && number <= maxFrameNumber ? number : undefined;
  }

  #isMarked(name: string, all: ReadonlySet<string>): boolean {
    return this.#options.complete === 'rename' || all.has(`${name}.done`);
  }

  /** The frame of a file; undefined if it is gone or may still grow, which `sizes` then notes. */
  async #frameOf(
    name: string,
    number: number,
    sizes: Map<string, number>,
  ): Promise<CompleteFrame | undefined> {
    const { folder, complete, locationPrefix } = this.#options;
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (!found?.isFile()) return undefined;
    if (complete === 'marker' && this.#sizes.get(name) !== found.size) {
      sizes.set(name, found.size);
      return undefined;
    }
    // The clock of the machine that wrote the file may be ahead.
    const recordedAt = new Date(Math.min(found.mtimeMs, this.#options.clock.now().getTime()));
    return { number, location: `${locationPrefix}${name}`, bytes: found.size, recordedAt };
  }
}
