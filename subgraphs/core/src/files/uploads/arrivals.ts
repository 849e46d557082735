/** Looks which parts of an upload have arrived in the storage. */
import { forEachConcurrently } from '@rhizome/retry';
import type { StorageProvider } from '@rhizome/storage';
import type { PlaceOwner } from '../../storages/places.js';
import { partKey } from './upload-input.js';
import type { UploadPart } from './upload.document.js';

/** Parts that are looked at together. */
const concurrent = 16;
/** Longest time for all parts of an upload, in milliseconds. */
const longestMs = 30_000;

/**
 * Reason why a part has not arrived, by its SHA-256; parts that have arrived are absent. Only the size is
 * compared where the storage does not know the digest: the pilot checks it in any case.
 * @throws StorageError; the reason of a signal
 */
export async function missingParts(
  provider: Pick<StorageProvider, 'head'>,
  owner: PlaceOwner,
  parts: readonly UploadPart[],
): Promise<ReadonlyMap<string, string>> {
  const missing = new Map<string, string>();
  const signal = AbortSignal.timeout(longestMs);
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
