import { isStorageError, StorageError, type StorageErrorKind } from '@rhizome/storage';
import { forEachConcurrently } from '@rhizome/retry';
import { AttemptError } from '../payload/attempt-error.js';
import { CoreRefused } from '../protocol/core-protocol.js';
import { AddressBook } from './address-book.js';
import type { Digest } from './checksum.js';
import type { FoundOutput, OutputFolder } from './output-folder.js';
import type { SignedRead, SignFiles } from './signed-files.types.js';
import { type AddressOf, fetchSigned, storeSigned } from './signed-transfers.js';
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
  DENIED: { family: 'DATA', code: 'INPUT_DENIED', retryable: false },
  SLOW: { family: 'DATA', code: 'INPUT_UNREACHABLE', retryable: true },
  CORRUPT: { family: 'DATA', code: 'INPUT_CORRUPT', retryable: true },
};
const outputErrors: Readonly<Partial<Record<StorageErrorKind, FileError>>> = {
  DENIED: { family: 'DATA', code: 'OUTPUT_DENIED', retryable: true },
  FULL: { family: 'DATA', code: 'OUTPUT_STORAGE_FULL', retryable: true },
};
const otherInputError: FileError = { family: 'DATA', code: 'INPUT_UNAVAILABLE', retryable: true };
const otherOutputError: FileError = { family: 'DATA', code: 'OUTPUT_NOT_STORED', retryable: true };
/** Refusals of core as errors of a storage. */
const refusals: Readonly<Record<string, StorageErrorKind>> = {
  FILE_NOT_FOUND: 'GONE',
  FILE_FORBIDDEN: 'DENIED',
  STORAGE_NOT_FOUND: 'GONE',
  STORAGE_UNAVAILABLE: 'SLOW',
};

/** Concurrent transfers of one job. */
const concurrentTransfers = 8;

/** The files of one job that are in storages. */
export class SignedFiles {
  readonly #sign: SignFiles;
  readonly #pauseMs: number;

  /** @param sign asks core for addresses @param pauseMs pause before the first repetition of a transfer */
  constructor(sign: SignFiles, pauseMs = 250) {
    this.#sign = sign;
    this.#pauseMs = pauseMs;
  }

  /** Reads files, whose addresses are asked for with the first one. */
  reader(reads: readonly SignedRead[]): SignedReader {
    return new SignedReader(new AddressBook({ reads }, this.#sign), this.#pauseMs);
  }

  /**
   * Stores outputs.
   * @returns undefined if no storage takes them
   * @throws AttemptError DATA; the signal's reason
   */
  async store(
    outputs: readonly FoundOutput[],
    folder: OutputFolder,
    signal: AbortSignal,
  ): Promise<readonly StoredFile[] | undefined> {
    const writes = outputs.map(({ name, sizeBytes, sha256 }) => ({ name, sizeBytes, sha256 }));
    const book = new AddressBook({ writes }, this.#sign);
    const stored: StoredFile[] = [];
    let isStored = true;
    await forEachConcurrently([...outputs.entries()], concurrentTransfers, async ([at, output]) => {
      if (!isStored) return;
      try {
        const { name, sizeBytes, sha256 } = output;
        const { location } = await folder.withFile(output, (path) =>
          storeSigned(addressesOf(book, output, this.#pauseMs), path, { sizeBytes, sha256 }, signal),
        );
        stored[at] = { name, location, sizeBytes, sha256 };
      } catch (error) {
        signal.throwIfAborted();
        if (isWithoutStorage(error)) isStored = false;
        else throw outputError(output.name, error);
      }
    });
    return isStored ? stored : undefined;
  }
}

/** Reads files of one job. */
export class SignedReader {
  readonly #book: AddressBook;
  readonly #pauseMs: number;

  constructor(book: AddressBook, pauseMs: number) {
    this.#book = book;
    this.#pauseMs = pauseMs;
  }

  /** @throws AttemptError DATA; the signal's reason */
  async fetch(
    read: SignedRead,
    localPath: string,
    signal: AbortSignal,
    expected: Digest | undefined,
  ): Promise<void> {
    try {
      await fetchSigned(addressesOf(this.#book, read, this.#pauseMs), localPath, signal, expected);
    } catch (error) {
      signal.throwIfAborted();
      throw inputError(read, error);
    }
  }
}

function addressesOf(
  book: AddressBook,
  file: Pick<SignedRead, 'name'> & Partial<SignedRead>,
  pauseMs: number,
): AddressOf {
  const of = (signal: AbortSignal) => book.of(file, signal).catch(asStorageError);
  return Object.assign(of, { renew: () => book.renew(), pauseMs });
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

function inputError({ name, jobId }: SignedRead, error: unknown): AttemptError {
  const shown = `Input ${JSON.stringify(name)}${jobId === null ? '' : ` of job ${jobId}`}`;
  const known = isStorageError(error) ? inputErrors[error.kind] : undefined;
  return attemptError(known ?? otherInputError, `${shown} could not be fetched`, error);
}

function outputError(name: string, error: unknown): AttemptError {
  const known = isStorageError(error) ? outputErrors[error.kind] : undefined;
  return attemptError(known ?? otherOutputError, `Output ${JSON.stringify(name)} could not be stored`, error);
}

function attemptError({ family, code, retryable }: FileError, text: string, cause: unknown): AttemptError {
  return new AttemptError(family, code, `${text}: ${messageOf(cause)}`, retryable, { cause });
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}
