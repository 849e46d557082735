import { describe, expect, it } from '@jest/globals';
import type { StorageDocument } from '../../storages/storage.document.js';
import { manifestName, planPart } from './part-plan.js';
import type { UploadDocument } from './upload.document.js';

const uploadId = 'upload_1';
const [manifest, part] = ['a', 'b'].map((digit, at) => ({ sizeBytes: at + 1, sha256: digit.repeat(64) }));
const upload = {
  ...{ _id: uploadId, experiment: 'alpha', owner: 'ada', storage: 'site', parts: [manifest, part] },
} as unknown as UploadDocument;
const storage = { _id: 'site' } as unknown as StorageDocument;
const job = { experiment: 'alpha', owner: 'ada', payload: { uploadId } };
const request = { uploadId, name: part?.sha256 ?? '' };

describe('planPart', () => {
  it('finds the parts by their digests, and the manifest by its name', () => {
    expect(planPart(job, request, upload, [storage])).toEqual({
      ...{ storage, key: `alpha/ada/uploads/${part?.sha256}`, name: part?.sha256, ...part },
    });
    expect(planPart(job, { uploadId, name: manifestName }, upload, [storage])).toEqual({
      ...{ storage, key: `alpha/ada/uploads/${manifest?.sha256}`, name: manifestName, ...manifest },
    });
  });

  it.each([
    ['of a job without it', { ...job, payload: {} }, request, upload, [storage], 'FILE_NOT_FOUND'],
    ['that was removed', job, request, undefined, [storage], 'FILE_NOT_FOUND'],
    ['of another owner', { ...job, owner: 'bob' }, request, upload, [storage], 'FILE_FORBIDDEN'],
    ['of another experiment', { ...job, experiment: 'beta' }, request, upload, [storage], 'FILE_FORBIDDEN'],
    ['without the part', job, { uploadId, name: 'c'.repeat(64) }, upload, [storage], 'FILE_NOT_FOUND'],
    ['in a storage that was removed', job, request, upload, [], 'STORAGE_NOT_FOUND'],
  ] as const)('refuses an upload %s', (_what, given, asked, found, storages, code) => {
    expect(planPart(given, asked, found, storages)).toMatchObject({ code });
  });
});
