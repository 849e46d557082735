/** Signs addresses of planned files. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { forEachConcurrently } from '@rhizome/retry';
import { isStorageError, type StorageProvider } from '@rhizome/storage';
import { locationOf } from '../storages/places.js';
import type { OpenStorages } from './open-storages.js';
import type { PlannedFile } from './signing-plan.js';

/** Dependencies of {@link FileSigner}. */
export interface FileSignerOptions {
  readonly storages: Pick<OpenStorages, 'of'>;
  /** Time for which addresses are valid. */
  readonly addressSeconds: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A file with its address. */
export interface SignedFile {
  readonly name: string;
  readonly jobId: string | null;
  readonly method: 'GET' | 'PUT';
  readonly url: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly trustedOrigins: readonly string[];
  readonly expiresAt: Date;
  readonly validSeconds: number;
  readonly location: string;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
}

/** The reason why a file could not be signed. */
export interface UnsignedFile {
  readonly reason: string;
}

/**
 * Signatures at the same time, as some providers ask their server for a token, and in one turn of the event
 * loop, as others compute for a millisecond.
 */
const concurrent = 16;
const longestMs = 10_000;

/** Parts of the address of a file at a URL. */
const unsigned = { headers: [], trustedOrigins: [] };

/** Signs files. */
export class FileSigner {
  readonly #options: FileSignerOptions;

  constructor(options: FileSignerOptions) {
    this.#options = options;
  }

  /** One entry per file, in order. */
  async sign(files: readonly PlannedFile[]): Promise<readonly (SignedFile | UnsignedFile)[]> {
    const results: (SignedFile | UnsignedFile)[] = [];
    const signal = AbortSignal.timeout(longestMs);
    await forEachConcurrently([...files.entries()], concurrent, async ([at, file]) => {
      if (at >= concurrent) await turn();
      results[at] = await this.#sign(file, signal);
    });
    return results;
  }

  async #sign(file: PlannedFile, signal: AbortSignal): Promise<SignedFile | UnsignedFile> {
    const { storages, addressSeconds, clock, log } = this.#options;
    const expiresAt = new Date(clock.now().getTime() + addressSeconds * 1000);
    const { name, jobId, method, sizeBytes, sha256 } = file;
    const known = { name, jobId, method, sizeBytes: sizeBytes ?? null, sha256: sha256 ?? null };
    if ('url' in file) {
      const { url } = file;
      return { ...known, url, location: url, ...unsigned, expiresAt, validSeconds: addressSeconds };
    }
    const { storage, key } = file;
    const content = {
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...(sha256 === undefined ? {} : { sha256 }),
    };
    let provider: StorageProvider;
    try {
      provider = await storages.of(storage);
    } catch (err) {
      if (!isStorageError(err)) throw err;
      // Only those who manage storages see the names of credentials.
      log.warn({ err, storage: storage._id }, 'storage not opened');
      return { reason: 'it has no valid credential; see the log of core' };
    }
    try {
      const signed = await provider.sign(key, { method, expiresAt, signal, ...content });
      return {
        ...{ ...known, url: signed.url, expiresAt: signed.expiresAt },
        trustedOrigins: signed.trustedOrigins ?? [],
        validSeconds: Math.floor((signed.expiresAt.getTime() - clock.now().getTime()) / 1000),
        headers: Object.entries(signed.headers).map(([header, value]) => ({ name: header, value })),
        location: locationOf(storage._id, key),
      };
    } catch (error) {
      if (isStorageError(error)) return { reason: error.message };
      if (signal.aborted) return { reason: `no answer within ${longestMs / 1000} s` };
      throw error;
    }
  }
}
