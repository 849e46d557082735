/** Transfers by signed addresses: repeated after faults that may pass, continued where they broke off. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { backoffMs, sleep } from '@rhizome/retry';
import { isStorageError, readSigned, StorageError, writeSigned } from '@rhizome/storage';
import type { Digest } from './checksum.js';
import type { FileAddress } from './signed-files.types.js';

/** Gives an address that is valid now. */
export interface AddressOf {
  (signal: AbortSignal): Promise<FileAddress>;
  /** Asks for a new address next time. */
  readonly renew: () => void;
  /** Pause before the first repetition of a transfer; later ones are longer. */
  readonly pauseMs: number;
}

/** Tries in a row that transfer nothing. */
const maxTries = 6;

/**
 * Fetches a file, and removes what there is of it on failure. After a broken connection it continues at the
 * first byte that is missing.
 * @param expected size and checksum, if they are known
 * @throws StorageError; the signal's reason; an error of the local disk
 */
export async function fetchSigned(
  addressOf: AddressOf,
  localPath: string,
  signal: AbortSignal,
  expected?: Digest,
): Promise<void> {
  const file = await open(localPath, 'w');
  try {
    const target = new Target(file);
    await repeated(addressOf, signal, target, async () =>
      target.fetch(await addressOf(signal), signal, expected),
    );
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(localPath, { force: true });
    throw error;
  }
}

/** Stores a file. @returns the address to which it was written @throws StorageError; the signal's reason */
export async function storeSigned(
  addressOf: AddressOf,
  localPath: string,
  digest: Digest,
  signal: AbortSignal,
): Promise<FileAddress> {
  const source = { ...digest, open: () => createReadStream(localPath) };
  return repeated(addressOf, signal, { sizeBytes: 0, restart: async () => undefined }, async () => {
    const address = await addressOf(signal);
    await writeSigned(address, source, { signal });
    return address;
  });
}

/** The part of a file that has arrived. */
class Target {
  readonly #file: FileHandle;
  #hash: Hash = createHash('sha256');
  /** Size of the whole file, as the storage reported it first. */
  #total: number | undefined;
  sizeBytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Drops everything that has arrived. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash('sha256');
    this.#total = undefined;
    this.sizeBytes = 0;
  }

  /** Fetches what is missing. @throws StorageError */
  async fetch(address: FileAddress, signal: AbortSignal, expected: Digest | undefined): Promise<void> {
    if (this.sizeBytes > 0 && this.sizeBytes === this.#total) return this.#check(expected);
    const range = this.sizeBytes > 0 ? { range: { start: this.sizeBytes } } : {};
    const { body, sizeBytes } = await readSigned(address, { ...range, signal });
    try {
      if (this.#total !== undefined && this.#total !== sizeBytes)
        throw new StorageError(
          'CORRUPT',
          `The file has ${sizeBytes} bytes instead of ${this.#total}: it was replaced`,
        );
      this.#total = sizeBytes;
      if (expected && sizeBytes !== expected.sizeBytes)
        throw new StorageError('CORRUPT', `The file has ${sizeBytes} bytes instead of ${expected.sizeBytes}`);
      for await (const piece of body) await this.#append(piece as Buffer);
    } finally {
      body.destroy();
    }
    if (this.sizeBytes < sizeBytes) throw new StorageError('SLOW', 'The transfer ended early');
    this.#check(expected);
  }

  async #append(piece: Buffer): Promise<void> {
    for (let at = 0; at < piece.length;) {
      const { bytesWritten } = await this.#file.write(piece, at, piece.length - at, this.sizeBytes + at);
      at += bytesWritten;
    }
    this.#hash.update(piece);
    this.sizeBytes += piece.length;
    if (this.#total !== undefined && this.sizeBytes > this.#total)
      throw new StorageError('CORRUPT', `The file has more than ${this.#total} bytes`);
  }

  #check(expected: Digest | undefined): void {
    const sha256 = this.#hash.copy().digest('hex');
    if (!expected || sha256 === expected.sha256) return;
    throw new StorageError('CORRUPT', `The file has the SHA-256 ${sha256} instead of ${expected.sha256}`);
  }
}

/** A transfer that may have got a part. */
interface Progress {
  readonly sizeBytes: number;
  restart(): Promise<void>;
}

async function repeated<T>(
  addressOf: AddressOf,
  signal: AbortSignal,
  progress: Progress,
  transfer: () => Promise<T>,
): Promise<T> {
  let [wasDenied, wasCorrupt] = [false, false];
  for (let tries = 1, got = 0; ; tries += 1) {
    try {
      return await transfer();
    } catch (error) {
      signal.throwIfAborted();
      if (!isStorageError(error)) throw error;
      if (progress.sizeBytes > got) tries = 1;
      got = progress.sizeBytes;
      // An address that has expired is refused, and so is one whose storage has got other keys.
      if (error.kind === 'DENIED' && !wasDenied) {
        wasDenied = true;
        addressOf.renew();
      } else if ((error.kind === 'CORRUPT' && !wasCorrupt) || cannotContinue(error, got)) {
        wasCorrupt ||= error.kind === 'CORRUPT';
        await progress.restart();
        got = 0;
      } else if (error.kind !== 'SLOW') throw error;
      if (tries >= maxTries) throw error;
      await sleep(backoffMs(tries, { initialDelayMs: addressOf.pauseMs }), signal);
      signal.throwIfAborted();
    }
  }
}

/** True if a storage does not serve the rest of a file. */
const cannotContinue = ({ kind }: StorageError, got: number): boolean => kind === 'INVALID' && got > 0;
