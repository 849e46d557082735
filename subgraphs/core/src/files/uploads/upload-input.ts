/** Pure checks of uploads, and the keys of their parts. */
import type { InputErrors, InputPath } from '@rhizome/errors';
import { digestOfText } from '@rhizome/digest';
import { locationOf, uploadsPrefix, type PlaceOwner } from '../../storages/places.js';
import { largestFileMiB } from '../largest-file.js';
import type { StorageDocument } from '../../storages/storage.document.js';
import { mostParts, type UploadPart } from './upload.document.js';

/** Upload as the client describes it. */
export interface UploadSpec {
  readonly experiment: string;
  readonly name: string;
  readonly fileCount: number;
  readonly manifest: UploadPart;
  readonly parts: readonly UploadPart[];
}

/** Collects errors of an upload, for callers whose own list may have further codes. */
export type UploadErrors<C extends string = never> = Omit<InputErrors<C>, 'all'>;

/** Largest manifest: it is read as a whole. */
export const largestManifestBytes = 32 * 1024 ** 2;
/** Largest part. */
export const largestPartBytes = 1024 ** 3;
/** Largest number of files in one upload. */
const mostFiles = 100_000;

/** Checks the form of an upload. */
export function checkUpload(
  { experiment, name, fileCount, manifest, parts }: UploadSpec,
  errors: UploadErrors,
): void {
  errors.verbatim(['experiment'], experiment, 1, 31);
  errors.text(['name'], name, 1, 255);
  errors.int(['fileCount'], fileCount, 0, mostFiles);
  checkPart(manifest, ['manifest'], errors, { min: 1, max: largestManifestBytes });
  errors.list(['parts'], parts, mostParts - 1);
  parts.slice(0, mostParts).forEach((part, at) => {
    checkPart(part, ['parts', at], errors, { min: 1, max: largestPartBytes });
  });
}

function checkPart(
  { sizeBytes, sha256 }: UploadPart,
  path: InputPath,
  errors: UploadErrors,
  { min, max }: { readonly min: number; readonly max: number },
): void {
  errors.int([...path, 'sizeBytes'], sizeBytes, min, max);
  errors.form([...path, 'sha256'], sha256, /^[0-9a-f]{64}$/, '64 hexadecimal digits, lower case');
}

/** Checks the parts against the limit of the storage that gets them. */
export function checkPartSizes(
  { manifest, parts }: Pick<UploadSpec, 'manifest' | 'parts'>,
  storage: StorageDocument,
  errors: UploadErrors,
): void {
  const largestMiB = largestFileMiB(storage);
  [manifest, ...parts].forEach(({ sizeBytes }, at) => {
    if (sizeBytes <= largestMiB * 1024 ** 2) return;
    const path = at === 0 ? ['manifest', 'sizeBytes'] : ['parts', at - 1, 'sizeBytes'];
    errors.add(path, sizeBytes, `at most ${largestMiB} MiB, the limit of storage ${storage._id}`);
  });
}

/**
 * Reports parts whose size differs from that of another part, or of the record, with the same SHA-256: a
 * content has one size.
 * @param recorded sizes of the records, by SHA-256
 */
export function checkOneSize(
  { manifest, parts }: Pick<UploadSpec, 'manifest' | 'parts'>,
  recorded: ReadonlyMap<string, Pick<UploadPart, 'sizeBytes'>>,
  errors: UploadErrors,
): void {
  const sizes = new Map([...recorded].map(([sha256, { sizeBytes }]) => [sha256, sizeBytes]));
  [manifest, ...parts].forEach(({ sizeBytes, sha256 }, at) => {
    const known = sizes.get(sha256) ?? sizeBytes;
    sizes.set(sha256, known);
    if (known === sizeBytes) return;
    const path = at === 0 ? ['manifest', 'sizeBytes'] : ['parts', at - 1, 'sizeBytes'];
    errors.add(path, sizeBytes, `${known}, the size that was given with the same SHA-256 before`);
  });
}

/** Digest of an upload: equal for equal parts in the same order. */
export function uploadDigest(parts: readonly UploadPart[]): string {
  return digestOfText(parts.map(({ sizeBytes, sha256 }) => `${sha256} ${sizeBytes}\n`).join(''));
}

/** Key of a part in its storage. */
export function partKey(owner: PlaceOwner, sha256: string): string {
  return `${uploadsPrefix(owner)}${sha256}`;
}

/** Id of the record of a part. */
export function partId(storage: string, owner: PlaceOwner, sha256: string): string {
  return locationOf(storage, partKey(owner, sha256));
}
