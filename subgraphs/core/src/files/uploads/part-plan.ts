/** Pure rule for the parts of the upload of a job: which may be read, and where they are. */
import type { Place, PlaceOwner } from '../../storages/places.js';
import type { StorageDocument } from '../../storages/storage.document.js';
import { partKey } from './upload-input.js';
import type { UploadDocument } from './upload.document.js';

/** A part that a worker asks for. */
export interface PartRequest {
  readonly uploadId: string;
  /** SHA-256 of the part, or `manifest`. */
  readonly name: string;
}

/** Parts of a job that decide about its upload. */
export interface JobWithUpload extends PlaceOwner {
  readonly payload: { readonly uploadId?: string | undefined };
}

/** A part to read, or the reason why it must not be read. */
export type PlannedPart =
  | (Place<StorageDocument> & {
      readonly name: string;
      readonly sizeBytes: number;
      readonly sha256: string;
    })
  | {
      readonly code: 'FILE_NOT_FOUND' | 'FILE_FORBIDDEN' | 'STORAGE_NOT_FOUND';
      readonly field: 'uploadId' | 'name';
      readonly message: string;
    };

/** Name under which a worker asks for the manifest, whose digest it does not know. */
export const manifestName = 'manifest';

/**
 * Finds a part of the upload of a job.
 * @param upload that of the job; undefined if it does not exist or is not complete
 * @param storages those that the experiment uses
 */
export function planPart(
  job: JobWithUpload,
  { uploadId, name }: PartRequest,
  upload: UploadDocument | undefined,
  storages: readonly StorageDocument[],
): PlannedPart {
  const shown = JSON.stringify(uploadId);
  if (job.payload.uploadId !== uploadId)
    return { code: 'FILE_NOT_FOUND', field: 'uploadId', message: `the job does not use upload ${shown}` };
  if (!upload)
    return {
      code: 'FILE_NOT_FOUND',
      field: 'uploadId',
      message: `upload ${shown} was removed, or has expired`,
    };
  if (upload.owner !== job.owner || upload.experiment !== job.experiment)
    return {
      code: 'FILE_FORBIDDEN',
      field: 'uploadId',
      message: `upload ${shown} belongs to another owner or experiment`,
    };
  const part = upload.parts.find(({ sha256 }, at) => (name === manifestName ? at === 0 : sha256 === name));
  if (!part)
    return {
      code: 'FILE_NOT_FOUND',
      field: 'name',
      message: `upload ${shown} has no part ${JSON.stringify(name)}`,
    };
  const storage = storages.find(({ _id }) => _id === upload.storage);
  if (!storage)
    return {
      code: 'STORAGE_NOT_FOUND',
      field: 'uploadId',
      message: `the storage "${upload.storage}" of upload ${shown} was removed, or ${job.experiment} no longer uses it`,
    };
  const { sizeBytes, sha256 } = part;
  return { storage, key: partKey(job, sha256), name, sizeBytes, sha256 };
}
