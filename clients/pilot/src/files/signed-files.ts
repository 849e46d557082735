import { isRefusedAddress, isStorageError, StorageError, type StorageErrorKind } from '@rhizome/storage';
import { forEachConcurrently, sleep } from '@rhizome/retry';
import { AttemptError } from '../payload/attempt-error.js';
import { CoreRefused } from '../protocol/core-protocol.js';
import { AddressBook, type FileName } from './address-book.js';
import type { ExpectedContent } from './content-check.js';
import type { FoundOutput, OutputFolder } from './output-folder.js';
import type { SignedRead, SignFiles } from './signed-files.types.js';
import {
  type AddressSource,
  fetchSigned,
  type FetchOptions,
  type Patience,
  storeSigned,
} from './signed-transfers.js';
import type { StoredFile } from './stored-file.types.js';

/** Kind of an error of an attempt. */
interface FileError {
  readonly family: 'DATA';
  readonly code: string;
  /** True if another attempt may succeed. */
  readonly retryable: boolean;
}

const inputErrors: Readonly<Partial<Record<StorageErrorKind, FileError>>> = {
  GONE: { family: 'DATA', code: 'INPUT_GONE', retryable: false },
  DENIED: { family: 'DATA', code: 'INPUT_DENIED', retryable: true },
  SLOW: { family: 'DATA', code: 'INPUT_UNREACHABLE', retryable: true },
  CORRUPT: { family: 'DATA', code: 'INPUT_CORRUPT', retryable: true },
};
const outputErrors: Readonly<Partial<Record<StorageErrorKind, FileError>>> = {
  DENIED: { family: 'DATA', code: 'OUTPUT_DENIED', retryable: true },
  FULL: { family: 'DATA', code: 'OUTPUT_STORAGE_FULL', retryable: true },
  TOO_LARGE: { family: 'DATA', code: 'OUTPUT_TOO_LARGE', retryable: false },
};
/** Another site may permit the address. */
const refusedInput: FileError = { family: 'DATA', code: 'INPUT_ADDRESS_REFUSED', retryable: true };
const refusedOutput: FileError = { family: 'DATA', code: 'OUTPUT_ADDRESS_REFUSED', retryable: true };
const otherInputError: FileError = { family: 'DATA', code: 'INPUT_UNAVAILABLE', retryable: true };
const otherOutputError: FileError = { family: 'DATA', code: 'OUTPUT_NOT_STORED', retryable: true };
/** Refusals of core as errors of a storage. */
const refusals: Readonly<Record<string, StorageErrorKind>> = {
  FILE_NOT_FOUND: 'GONE',
  FILE_FORBIDDEN: 'DENIED',
  STORAGE_NOT_FOUND: 'GONE',
  STORAGE_UNAVAILABLE: 'SLOW',
  FILE_TOO_LARGE: 'TOO_LARGE',
};

/** Concurrent transfers of one job. */
const concurrentTransfers = 8;

const minuteMs = 60_000;
/** An input that cannot be fetched has cost nothing yet, and another site may reach it. */
const inputPatience: Patience = { passingMs: 10 * minuteMs, deniedMs: minuteMs, pauseMs: 250 };
/** Part of the time for faults that may pass, for a place while another one of the file may be left. */
const shorterPart = 1 / 20;
/** Kinds of errors of places, from those that stay to those that another attempt may not meet. */
const hopes: readonly StorageErrorKind[] = ['GONE', 'DENIED', 'INVALID', 'CORRUPT', 'SLOW'];
/** An output is the work of the whole attempt: it waits on the disk for a storage that is away for a day. */
const outputPatience: Patience = { passingMs: 1440 * minuteMs, deniedMs: 15 * minuteMs, pauseMs: 250 };

/** Parts of the pilot that transfers use. */
export type TransferWorld = Pick<FetchOptions, 'http' | 'cache' | 'limit'>;

/** Options for storing outputs. */
export interface StoreOptions {
  readonly signal: AbortSignal;
  /** Other limits of the repetition than those for outputs. */
  readonly patience?: Partial<Patience>;
  /** Gets each file that could not be stored, which is left out then; without it, the first one is thrown. */
  readonly onFailed?: ((failure: AttemptError) => void) | undefined;
}

/** The files of one job that are in storages. */
export class SignedFiles {
  readonly #sign: SignFiles;
  readonly #patience: Partial<Patience>;
  readonly #world: TransferWorld;

  /**
   * @param sign asks core for addresses
   * @param patience other values than those for inputs and outputs
   * @param world parts of the pilot that transfers use
   */
  constructor(sign: SignFiles, patience: Partial<Patience> = {}, world: TransferWorld = {}) {
    this.#sign = sign;
    this.#patience = patience;
    this.#world = world;
  }

  /** Reads files, whose addresses are asked for with the first one. */
  reader(reads: readonly SignedRead[]): SignedReader {
    const patience = { ...inputPatience, ...this.#patience };
    const bookOf = (...some: readonly SignedRead[]): AddressBook =>
      new AddressBook({ reads: some }, this.#sign);
    return new SignedReader(bookOf(...reads), bookOf, { ...this.#world, patience });
  }

  /**
   * Stores outputs.
   * @returns undefined if no storage takes them
   * @throws AttemptError DATA; the signal's reason
   */
  async store(
    outputs: readonly FoundOutput[],
    folder: OutputFolder,
    { signal, patience, onFailed }: StoreOptions,
  ): Promise<readonly StoredFile[] | undefined> {
    const writes = outputs.map(({ name, sizeBytes, sha256 }) => ({ name, sizeBytes, sha256 }));
    const book = new AddressBook({ writes }, this.#sign);
    const times = { ...outputPatience, ...patience, ...this.#patience };
    /** Ends the other transfers after the first failure. */
    const failed = new AbortController();
    const options = { ...this.#world, patience: times, signal: AbortSignal.any([signal, failed.signal]) };
    const stored: (StoredFile | undefined)[] = [];
    let isStored = true;
    await forEachConcurrently([...outputs.entries()], concurrentTransfers, async ([at, output]) => {
      if (!isStored) return;
      try {
        const { name, sizeBytes, sha256 } = output;
        const { location } = await folder.withFile(output, (path) =>
          storeSigned(addressesOf(book, { name }), path, { sizeBytes, sha256 }, options),
        );
        book.done({ name });
        stored[at] = { name, location, sizeBytes, sha256 };
      } catch (error) {
        if (isWithoutStorage(error)) isStored = false;
        else if (onFailed) onFailed(outputError(output.name, error));
        else {
          signal.throwIfAborted();
          const failure = outputError(output.name, error);
          failed.abort(failure);
          throw failure;
        }
      }
    });
    return isStored ? stored.filter((file) => file !== undefined) : undefined;
  }
}

/** Options of a fetch. */
export interface ReadOptions {
  /** Size and checksums that are known. */
  readonly expected?: ExpectedContent | undefined;
  /** Number of places of the file; 1 by default. */
  readonly places?: number;
}

/** Reads files of one job. */
export class SignedReader {
  readonly #book: AddressBook;
  readonly #bookOf: (read: SignedRead) => AddressBook;
  readonly #options: Omit<FetchOptions, 'signal' | 'expected'>;

  /** @param bookOf addresses of one file, for another of its places */
  constructor(
    book: AddressBook,
    bookOf: (read: SignedRead) => AddressBook,
    options: Omit<FetchOptions, 'signal' | 'expected'>,
  ) {
    this.#book = book;
    this.#bookOf = bookOf;
    this.#options = options;
  }

  /**
   * Fetches a file from the nearest of its places, and from the next after one that fails. Core may sign
   * fewer places than are declared, so those that did not answer are tried again while there is time.
   * @throws AttemptError DATA; the signal's reason
   */
  async fetch(
    read: SignedRead,
    localPath: string,
    signal: AbortSignal,
    options: ReadOptions = {},
  ): Promise<void> {
    const { passingMs, pauseMs, onFault } = this.#options.patience;
    const until = performance.now() + passingMs;
    for (let book = this.#book; ; book = this.#bookOf(read)) {
      const failure = await this.#fetchFromAny(book, read, localPath, signal, options);
      if (failure === undefined) return;
      if (!isStorageError(failure, 'SLOW') || performance.now() >= until) throw inputError(read, failure);
      onFault?.(failure);
      await sleep(pauseMs, signal);
      signal.throwIfAborted();
    }
  }

  /** @returns the failure of all places; undefined for success */
  async #fetchFromAny(
    first: AddressBook,
    read: SignedRead,
    localPath: string,
    signal: AbortSignal,
    { expected, places = 1 }: ReadOptions,
  ): Promise<unknown> {
    const failures: unknown[] = [];
    for (let source = 0; source < places; source += 1) {
      const book = source === 0 ? first : this.#bookOf({ ...read, source });
      const patience = source < places - 1 ? shorter(this.#options.patience) : this.#options.patience;
      try {
        await fetchSigned(addressesOf(book, read), localPath, {
          ...{ ...this.#options, patience, signal, expected },
        });
        this.#book.done(read);
        return undefined;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
        // A place that fails must not fail the calls for other files.
        if (source === 0) this.#book.done(read);
        // An error of this host, or a job that is no longer held.
        if (!isStorageError(error)) break;
        if (source < places - 1) patience.onFault?.(error);
      }
    }
    return mostHopeful(failures);
  }
}

function shorter({ passingMs, ...patience }: Patience): Patience {
  return { ...patience, passingMs: passingMs * shorterPart, deniedMs: 0 };
}

/** The failure of several places that says most about another attempt: it may find a slow one awake. */
function mostHopeful(failures: readonly unknown[]): unknown {
  const rank = (error: unknown): number =>
    isStorageError(error) ? hopes.indexOf(error.kind) : Number.MAX_SAFE_INTEGER;
  return [...failures].sort((a, b) => rank(b) - rank(a))[0];
}

function addressesOf(book: AddressBook, file: FileName): AddressSource {
  return {
    current: async (signal) => book.of(file, signal).catch(asStorageError),
    renew: (refused) => book.renew(refused),
  };
}

/** True if core has no storage for the outputs. */
function isWithoutStorage(error: unknown): boolean {
  const cause = isStorageError(error) ? error.cause : undefined;
  return cause instanceof CoreRefused && cause.code === 'STORAGE_NOT_FOUND';
}

/** Refusals that concern the file are errors of its storage; others concern the job. */
function asStorageError(error: unknown): never {
  const kind = error instanceof CoreRefused ? refusals[error.code] : undefined;
  throw kind === undefined ? error : new StorageError(kind, (error as Error).message, { cause: error });
}

function inputError({ name, jobId, uploadId }: SignedRead, error: unknown): AttemptError {
  const input = `Input ${JSON.stringify(name)}${jobId === null ? '' : ` of job ${jobId}`}`;
  const shown = uploadId === undefined ? input : `Part ${name} of upload ${uploadId}`;
  const ofStorage = isStorageError(error) ? inputErrors[error.kind] : undefined;
  const known = isRefusedAddress(error) ? refusedInput : ofStorage;
  // Core refuses what the job may not read; a storage refuses with a wrong key or clock, too.
  const isFinal = isStorageError(error, 'DENIED') && error.cause instanceof CoreRefused;
  const kind = { ...(known ?? otherInputError), ...(isFinal && { retryable: false }) };
  return attemptError(kind, `${shown} could not be fetched`, error);
}

function outputError(name: string, error: unknown): AttemptError {
  const ofStorage = isStorageError(error) ? outputErrors[error.kind] : undefined;
  const known = isRefusedAddress(error) ? refusedOutput : ofStorage;
  // What core refuses for its form, it refuses for each attempt.
  const isFinal = error instanceof CoreRefused && error.code === 'INVALID_VALUE';
  const kind = { ...(known ?? otherOutputError), ...(isFinal && { retryable: false }) };
  return attemptError(kind, `Output ${JSON.stringify(name)} could not be stored`, error);
}

function attemptError({ family, code, retryable }: FileError, text: string, cause: unknown): AttemptError {
  return new AttemptError(family, code, `${text}: ${messageOf(cause)}`, retryable, { cause });
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}
