/** Transfers by signed addresses: repeated after faults that may pass, continued where they broke off. */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { backoffMs, type LimitByKey, sleep } from '@rhizome/retry';
import {
  type Connections,
  isRefusedAddress,
  isStorageError,
  readSigned,
  sourceOfFile,
  StorageError,
  writeSigned,
} from '@rhizome/storage';
import type { Digest } from './checksum.js';
import { ContentCheck, type ExpectedContent } from './content-check.js';
import type { InputCache } from './input-cache.js';
import type { FileAddress } from './signed-files.types.js';

/** Addresses of one file. */
export interface AddressSource {
  /** One that is valid now. @throws StorageError for a refusal of core */
  current(signal: AbortSignal): Promise<FileAddress>;
  /** Asks for another one next time: the storage has refused this one. */
  renew(refused: FileAddress): void;
}

/** Limits of the repetition of a transfer, from the first fault after which nothing has arrived. */
export interface Patience {
  /** For faults that may pass, in milliseconds. */
  readonly passingMs: number;
  /**
   * For refused addresses, in milliseconds since the first refusal after a fault of another kind: a new key
   * reaches all servers of a storage after some time.
   */
  readonly deniedMs: number;
  /** Pause before the first repetition, in milliseconds; later ones are longer. */
  readonly pauseMs: number;
  /** Called before each repetition. */
  readonly onFault?: ((error: StorageError) => void) | undefined;
}

/** Restarts of a transfer that are made in any case. */
const fewRestarts = 3;
/** Longest pause between two tries, in milliseconds, also where a server asks for a longer one. */
const longestPauseMs = 30_000;

export interface FetchOptions {
  readonly patience: Patience;
  readonly signal: AbortSignal;
  /** Connections with a policy for addresses; by default, only those of metadata services are refused. */
  readonly http?: Connections | undefined;
  /** Size and checksums that are known. */
  readonly expected?: ExpectedContent | undefined;
  /** Inputs that were fetched before. */
  readonly cache?: InputCache | undefined;
  /** Limit of the transfers with one storage; absent for none. */
  readonly limit?: LimitByKey | undefined;
}

/**
 * Fetches a file, and removes what there is of it on failure. After a broken connection it continues at the
 * first byte that is missing.
 * @throws StorageError; the signal's reason; an error of the local disk
 */
export async function fetchSigned(
  source: AddressSource,
  localPath: string,
  { patience, signal, expected = {}, http, cache, limit }: FetchOptions,
): Promise<void> {
  const file = await open(localPath, 'w');
  try {
    const target = new Target(file, expected);
    let isCached = false;
    const { location } = await repeated(source, target, { patience, signal, limit }, async (address) => {
      // Only with an address: it shows that the job may read the file now.
      isCached =
        target.sizeBytes === 0 && (await cache?.take(address.location, expected, localPath, signal)) === true;
      if (!isCached) await target.fetch(address, { signal, http });
      return address;
    });
    if (!isCached) await cache?.keep(location, expected, localPath, signal);
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(localPath, { force: true });
    throw error;
  }
}

/**
 * Stores a file. An address that the site does not allow counts as a storage that is away: with another
 * setting, the pilot that follows this one stores the file.
 * @returns the address to which it was written
 * @throws StorageError; the signal's reason
 */
export async function storeSigned(
  source: AddressSource,
  localPath: string,
  digest: Digest,
  options: Omit<FetchOptions, 'expected' | 'cache'>,
): Promise<FileAddress> {
  const content = sourceOfFile(localPath, digest);
  return repeated(source, { sizeBytes: 0, restart: async () => undefined }, options, async (address) => {
    await writeSigned(address, content, { signal: options.signal, http: options.http }).catch(asAway);
    return address;
  });
}

function asAway(error: unknown): never {
  if (!isRefusedAddress(error)) throw error;
  throw new StorageError('SLOW', (error as Error).message, { cause: error });
}

/** The part of a file that has arrived. */
class Target {
  readonly #file: FileHandle;
  #expected: ExpectedContent;
  #content: ContentCheck;
  /** Size of the whole file, as the storage reported it first. */
  #total: number | undefined;
  /** Version of the file of which a part has arrived; undefined if the storage does not report it. */
  #version: string | undefined;
  sizeBytes = 0;

  constructor(file: FileHandle, expected: ExpectedContent = {}) {
    this.#file = file;
    this.#expected = expected;
    this.#content = new ContentCheck(expected);
  }

  /** Drops everything that has arrived. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#content = new ContentCheck(this.#expected);
    this.#total = undefined;
    this.#version = undefined;
    this.sizeBytes = 0;
  }

  /** Takes the content that the address names, if no other is expected. */
  #expect(digest: Digest | undefined): void {
    if (digest === undefined || this.sizeBytes > 0 || Object.keys(this.#expected).length > 0) return;
    this.#expected = { sizeBytes: digest.sizeBytes, checksums: [{ kind: 'SHA256', value: digest.sha256 }] };
    this.#content = new ContentCheck(this.#expected);
  }

  /** Fetches what is missing. @throws StorageError */
  async fetch(address: FileAddress, options: Pick<FetchOptions, 'signal' | 'http'>): Promise<void> {
    this.#expect(address.digest);
    if (this.sizeBytes > 0 && this.sizeBytes === this.#total) return this.#check();
    const rest = { range: { start: this.sizeBytes }, ifVersion: this.#version };
    const { body, sizeBytes, version } = await readSigned(address, {
      ...(this.sizeBytes > 0 && rest),
      ...options,
    });
    try {
      if (this.#total !== undefined && this.#total !== sizeBytes)
        throw new StorageError(
          'CORRUPT',
          `The file has ${sizeBytes} bytes instead of ${this.#total}: it was replaced`,
        );
      this.#total = sizeBytes;
      this.#version ??= version;
      const { sizeBytes: expected } = this.#expected;
      if (expected != null && sizeBytes !== expected)
        throw new StorageError('CORRUPT', `The file has ${sizeBytes} bytes instead of ${expected}`);
      for await (const piece of body) await this.#append(piece as Buffer);
    } finally {
      body.destroy();
    }
    if (this.sizeBytes < sizeBytes) throw new StorageError('SLOW', 'The transfer ended early');
    this.#check();
  }

  async #append(piece: Buffer): Promise<void> {
    for (let at = 0; at < piece.length;) {
      const { bytesWritten } = await this.#file.write(piece, at, piece.length - at, this.sizeBytes + at);
      at += bytesWritten;
    }
    this.#content.update(piece);
    this.sizeBytes += piece.length;
    if (this.#total !== undefined && this.sizeBytes > this.#total)
      throw new StorageError('CORRUPT', `The file has more than ${this.#total} bytes`);
  }

  #check(): void {
    const problem = this.#content.problem();
    if (problem !== undefined) throw new StorageError('CORRUPT', `The file ${problem}`);
  }
}

/** The storage of an address, or the server of a URL. */
function storageOf({ location, url }: FileAddress): string {
  return /^rhizome:\/\/[^/]*/.exec(location)?.[0] ?? new URL(url).origin;
}

/** A transfer that may have got a part. */
interface Progress {
  readonly sizeBytes: number;
  restart(): Promise<void>;
}

async function repeated<T>(
  source: AddressSource,
  progress: Progress,
  { patience, signal, limit }: Pick<FetchOptions, 'patience' | 'signal' | 'limit'>,
  transfer: (address: FileAddress) => Promise<T>,
): Promise<T> {
  const faults = new Faults(patience);
  for (;;) {
    let address: FileAddress | undefined;
    try {
      const given = (address = await source.current(signal));
      if (!limit) return await transfer(given);
      return await limit.run(storageOf(given), signal, async () => {
        // It may have expired meanwhile.
        address = await source.current(signal);
        return transfer(address);
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!isStorageError(error)) throw error;
      const answer = faults.add(error, progress.sizeBytes, address !== undefined);
      if (answer === undefined) throw error;
      if (address !== undefined && answer === 'RENEW') source.renew(address);
      if (answer === 'RESTART') await progress.restart();
      patience.onFault?.(error);
      await sleep(faults.pauseMs(error), signal);
      signal.throwIfAborted();
    }
  }
}

/** The faults of one transfer, and what to do after each. */
class Faults {
  readonly #patience: Patience;
  /** Most bytes that were there: those that arrive again are no progress. */
  #most = 0;
  #inARow = 0;
  #firstAtMs = 0;
  /** Time of the first of the refusals in a row: a storage that was away may refuse for a while, too. */
  #deniedAtMs: number | undefined;
  #wasCorrupt = false;
  #restarts = 0;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /**
   * @param sizeBytes size of what has arrived
   * @param isOfStorage false for an error of core, whose refusals are final
   * @returns undefined if the transfer is not repeated
   */
  add(
    error: StorageError,
    sizeBytes: number,
    isOfStorage: boolean,
  ): 'RENEW' | 'RESTART' | 'REPEAT' | undefined {
    const nowMs = performance.now();
    if (sizeBytes > this.#most) [this.#most, this.#inARow] = [sizeBytes, 0];
    if (this.#inARow === 0) [this.#firstAtMs, this.#deniedAtMs] = [nowMs, undefined];
    this.#inARow += 1;
    this.#deniedAtMs = error.kind === 'DENIED' ? (this.#deniedAtMs ?? nowMs) : undefined;
    const isWithin = (limitMs: number, sinceMs = this.#firstAtMs): boolean => nowMs - sinceMs < limitMs;
    const { passingMs, deniedMs } = this.#patience;
    switch (error.kind) {
      case 'DENIED':
        return isOfStorage && isWithin(deniedMs, this.#deniedAtMs) ? 'RENEW' : undefined;
      case 'SLOW':
      case 'FULL':
        return isWithin(passingMs) ? 'REPEAT' : undefined;
      case 'CORRUPT':
        if (this.#wasCorrupt) return undefined;
        this.#wasCorrupt = true;
        return 'RESTART';
      case 'INVALID':
        // The storage does not serve the rest of the file.
        if (!isOfStorage || sizeBytes === 0) return undefined;
        this.#restarts += 1;
        return this.#restarts <= fewRestarts || isWithin(passingMs) ? 'RESTART' : undefined;
      default:
        return undefined;
    }
  }

  pauseMs({ retryAfterMs = 0 }: StorageError): number {
    const { pauseMs } = this.#patience;
    const bounds = { initialDelayMs: pauseMs, maxDelayMs: longestPauseMs };
    return Math.max(backoffMs(this.#inARow, bounds), Math.min(retryAfterMs, longestPauseMs));
  }
}
