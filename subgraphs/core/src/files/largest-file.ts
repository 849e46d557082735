import type { StorageDocument } from '../storages/storage.document.js';

/**
 * Size of the largest file that a storage takes, in MiB. S3 accepts at most 5 GiB in the one request that an
 * address permits.
 */
export function largestFileMiB({ provider, maxFileMiB = Infinity }: StorageDocument): number {
  return provider === 'S3' ? Math.min(maxFileMiB, 5 * 1024) : maxFileMiB;
}
