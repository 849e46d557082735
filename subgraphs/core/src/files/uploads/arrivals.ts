/** Looks which parts of an upload have arrived in the storage. */
import { forEachConcurrently } from '@rhizome/retry';
import type { StorageProvider } from '@rhizome/storage';
import type { PlaceOwner } from '../../storages/places.js';
import { partKey } from './upload-input.js';
import type { UploadPart } from './upload.document.js';

/** Parts that are looked at together. */
const concurrent = 16;
/** Parts whose arrival is recorded together. */
const groupLength = 64;
/** Longest time for the parts of one call, in milliseconds. */
const longestMs = 30_000;

/** State of parts in the storage. */
export interface Arrivals {
  /** Reason why a part has not arrived, by its SHA-256. */
  readonly missing: ReadonlyMap<string, string>;
  /** Parts that were not looked at: enough others are missing, or there was no time left. */
  readonly unknown: readonly UploadPart[];
}

/** Options of {@link arrivals}. */
export interface ArrivalsOptions {
  /** Missing parts after which no more are looked at. */
  readonly most: number;
  /** Records parts that have arrived. */
  readonly record: (parts: readonly UploadPart[]) => Promise<void>;
}

/**
 * Looks which parts have arrived, and records them group by group: a later call continues. Only the size is
 * compared where the storage does not know the digest: the pilot checks it in any case.
 * @throws StorageError; the reason of a signal if there was no time for the first group
 */
export async function arrivals(
  provider: Pick<StorageProvider, 'head'>,
  owner: PlaceOwner,
  parts: readonly UploadPart[],
  { most, record }: ArrivalsOptions,
): Promise<Arrivals> {
  const missing = new Map<string, string>();
  const signal = AbortSignal.timeout(longestMs);
  let at = 0;
  for (; at < parts.length && missing.size < most; at += groupLength) {
    const group = parts.slice(at, at + groupLength);
    try {
      for (const [sha256, reason] of await missingIn(provider, owner, group, signal))
        missing.set(sha256, reason);
    } catch (error) {
      if (at === 0 || !signal.aborted) throw error;
      break;
    }
    await record(group.filter(({ sha256 }) => !missing.has(sha256)));
  }
  return { missing, unknown: parts.slice(at) };
}

async function missingIn(
  provider: Pick<StorageProvider, 'head'>,
  owner: PlaceOwner,
  parts: readonly UploadPart[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const missing = new Map<string, string>();
  await forEachConcurrently(parts, concurrent, async ({ sha256, sizeBytes }) => {
    const found = await provider.head(partKey(owner, sha256), { signal });
    if (!found) missing.set(sha256, 'is not in the storage');
    else if (found.sizeBytes !== sizeBytes)
      missing.set(sha256, `has ${found.sizeBytes} bytes in the storage instead of ${sizeBytes}`);
    else if (found.sha256 !== undefined && found.sha256 !== sha256)
      missing.set(sha256, `has the SHA-256 ${found.sha256} in the storage`);
  });
  return missing;
}
