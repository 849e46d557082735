/** Uploads a packed folder: sends the parts that are missing, and completes the upload. */
import { Readable } from 'node:stream';
import { forEachConcurrently, sleep } from '@rhizome/retry';
import {
  type FileSource,
  isStorageError,
  sourceOfBytes,
  type StorageError,
  writeSigned,
} from '@rhizome/storage';
import { type Session, printErrors } from '../command.js';
import { CliError, exitCodes } from '../exit-codes.js';
import {
  CliCompleteUploadDocument,
  CliCreateUploadDocument,
  type CliCreateUploadMutation,
  type CliUploadFragment,
} from '../operations.generated.js';
import { assertUnchanged, bytesOf, type PackedFolder } from './pack.js';
import type { FoundFolder } from './find-files.js';

/** A folder to upload. */
export interface FolderToUpload {
  readonly experiment: string;
  /** Name for people. */
  readonly name: string;
  readonly found: FoundFolder;
  readonly packed: PackedFolder;
}

/** Options of {@link uploadFolder}. */
export interface UploadOptions {
  readonly signal: AbortSignal;
  /** Called when the bytes to send are known, and again as parts arrive. */
  readonly onProgress?: ((sentBytes: number, ofBytes: number) => void) | undefined;
  /** Pause before the first repetition, in milliseconds. */
  readonly pauseMs?: number;
}

type Address = CliCreateUploadMutation['createUpload']['missing'][number];

/** Parts that are sent at the same time. */
const concurrent = 6;
/** Rounds in which no part arrives, after which the upload is given up. */
const mostIdleRounds = 5;
/** Refusals that may pass: a part is being removed, or the storage does not answer. */
const mayPass: ReadonlySet<string> = new Set(['REVISION_CONFLICT', 'STORAGE_UNAVAILABLE']);
const longestPauseMs = 30_000;
/** Time before its end at which an address is not used any more: a transfer has to begin in it. */
const reserveMs = 30_000;

/**
 * Uploads a folder. What is there already is not sent again, also after an interruption.
 * @returns the upload; null if it was refused, and the reasons were printed
 * @throws CliError if a file changes, or the storage cannot be used; the reason of the signal
 */
export async function uploadFolder(
  session: Session,
  folder: FolderToUpload,
  options: UploadOptions,
): Promise<CliUploadFragment | null> {
  const { client, output } = session;
  const content = contentOf(folder.packed);
  const [manifest] = content.values();
  if (!manifest) throw new Error('a packed folder has a manifest');
  const { experiment, name, packed } = folder;
  const input = {
    ...{ experiment, name, fileCount: packed.manifest.files.length },
    manifest: digestOf(manifest),
    parts: packed.parts.map(digestOf),
  };
  const sender = new Sender(content, options);
  for (let idle = 0; ;) {
    const { createUpload } = await client.mutate(CliCreateUploadDocument, { input }, { idempotent: true });
    const { upload, missing, missingCount, userErrors } = createUpload;
    if (!upload && (idle === mostIdleRounds || !userErrors.every(({ code }) => mayPass.has(code)))) {
      printErrors(output, userErrors);
      return null;
    }
    if (upload && missingCount === 0) {
      await assertUnchanged(folder.found.files);
      const completed = await complete(session, upload.id);
      if (completed !== 'REPEAT') return completed;
    }
    const arrived = await sender.send(missing, missingCount, performance.now());
    idle = arrived > 0 ? 0 : idle + 1;
    if (upload && idle >= mostIdleRounds) throw sender.failure();
    const pauseMs = options.pauseMs ?? 500;
    if (idle > 0) await sleep(Math.min(longestPauseMs, pauseMs * 2 ** idle), options.signal);
    options.signal.throwIfAborted();
  }
}

/** @returns REPEAT if a part is missing: it may have been removed meanwhile */
async function complete(
  { client, output }: Session,
  id: string,
): Promise<CliUploadFragment | null | 'REPEAT'> {
  const { completeUpload } = await client.mutate(
    CliCompleteUploadDocument,
    { input: { id } },
    { idempotent: true },
  );
  if (completeUpload.upload) return completeUpload.upload;
  if (completeUpload.userErrors.every(({ code }) => code === 'PART_MISSING')) return 'REPEAT';
  printErrors(output, completeUpload.userErrors);
  return null;
}

/** Manifest and parts by their SHA-256; the manifest is the first. */
function contentOf({ manifest, parts }: PackedFolder): ReadonlyMap<string, FileSource> {
  const first = sourceOfBytes(JSON.stringify(manifest));
  const sources = parts.map((part): [string, FileSource] => {
    const { sizeBytes, sha256 } = part;
    return [sha256, { sizeBytes, sha256, open: () => Readable.from(bytesOf(part), { objectMode: false }) }];
  });
  return new Map([[first.sha256, first], ...sources]);
}

const digestOf = ({ sizeBytes, sha256 }: FileSource | PackedFolder['parts'][number]) => ({
  sizeBytes,
  sha256,
});

/** Sends parts, and counts what has arrived. */
class Sender {
  readonly #content: ReadonlyMap<string, FileSource>;
  readonly #options: UploadOptions;
  #sentBytes = 0;
  #fault: unknown;

  constructor(content: ReadonlyMap<string, FileSource>, options: UploadOptions) {
    this.#content = content;
    this.#options = options;
  }

  /**
   * Sends the parts that have addresses. Faults that may pass are left to the next round.
   * @param signedAtMs time of the addresses, on the monotonic clock
   * @returns the number of parts that have arrived
   * @throws CliError if a file has changed
   */
  async send(missing: readonly Address[], missingCount: number, signedAtMs: number): Promise<number> {
    const { onProgress, signal } = this.#options;
    const known = missing.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
    // Sizes of parts without an address are about those of the others.
    const ofBytes = this.#sentBytes + (missing.length > 0 ? (known / missing.length) * missingCount : 0);
    onProgress?.(this.#sentBytes, ofBytes);
    let arrived = 0;
    await forEachConcurrently(missing, concurrent, async (address) => {
      const leftMs = signedAtMs + address.validSeconds * 1000 - performance.now();
      const source = this.#content.get(address.name);
      signal.throwIfAborted();
      if (!source || leftMs < reserveMs) return;
      if (!(await this.#sendOne(address, source))) return;
      arrived += 1;
      this.#sentBytes += source.sizeBytes;
      onProgress?.(this.#sentBytes, Math.max(ofBytes, this.#sentBytes));
    });
    return arrived;
  }

  async #sendOne({ url, headers, trustedOrigins, expiresAt }: Address, source: FileSource): Promise<boolean> {
    const { signal } = this.#options;
    let changed: CliError | undefined;
    const open = (): Readable =>
      source.open().once('error', (error) => {
        if (error instanceof CliError) changed = error;
      });
    const signed = {
      ...{ method: 'PUT' as const, url, trustedOrigins, expiresAt: new Date(expiresAt) },
      headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
    };
    try {
      await writeSigned(signed, { ...source, open }, { signal });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (changed) throw changed;
      if (!isStorageError(error)) throw error;
      this.#fault = error;
      if (isFinal(error)) throw this.failure();
      return false;
    }
  }

  /** The error for an upload that is given up. */
  failure(): CliError {
    const reason = this.#fault instanceof Error ? `: ${this.#fault.message}` : '';
    const isDenied = isStorageError(this.#fault, 'DENIED');
    return new CliError(
      isDenied ? exitCodes.denied : exitCodes.unavailable,
      `The storage does not take the files${reason}; run the command again to continue`,
    );
  }
}

const isFinal = ({ kind }: StorageError): boolean => kind === 'TOO_LARGE' || kind === 'INVALID';
