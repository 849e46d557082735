/** Rules of uploads: creation, completion, removal. Bytes go from the client to the storage. */
import { assertCan, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { isStorageError } from '@rhizome/storage';
import type { StorageDocument } from '../../storages/storage.document.js';
import type { StoragesService } from '../../storages/storages.service.js';
import { storageForOutputs } from '../../storages/places.js';
import type { FileSigner, SignedFile } from '../file-signer.js';
import type { OpenStorages } from '../open-storages.js';
import { arrivals, type Arrivals } from './arrivals.js';
import {
  checkOneSize,
  checkPartSizes,
  checkUpload,
  partId,
  partKey,
  uploadDigest,
  type UploadErrors,
  type UploadSpec,
} from './upload-input.js';
import type { UploadLimits } from './upload-limits.js';
import type { UploadPartsRepository } from './upload-parts.repository.js';
import {
  type UploadDocument,
  type UploadPart,
  type UploadPartDocument,
  uploadSchemaVersion,
} from './upload.document.js';
import type { UploadsRepository } from './uploads.repository.js';
import type { UserOfUpload } from './user-of-upload.js';

/** Dependencies of {@link UploadsService}. */
export interface UploadsOptions {
  readonly uploads: UploadsRepository;
  readonly parts: UploadPartsRepository;
  readonly limits: UploadLimits;
  readonly storages: Pick<StoragesService, 'allFresh'>;
  readonly opened: Pick<OpenStorages, 'of'>;
  readonly signer: FileSigner;
  readonly experimentExists: (name: string) => Promise<boolean>;
  readonly userOf: UserOfUpload;
  readonly keepDays: number;
  /** Time for which addresses are valid. */
  readonly addressSeconds: number;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Codes of `createUpload` in addition to INVALID_VALUE. */
export type CreateUploadCode =
  | 'EXPERIMENT_NOT_FOUND'
  | 'STORAGE_NOT_FOUND'
  | 'STORAGE_UNAVAILABLE'
  | 'UPLOAD_LIMIT_EXCEEDED'
  | 'REVISION_CONFLICT';

/** Codes of `completeUpload`. */
export type CompleteUploadCode =
  'UPLOAD_NOT_FOUND' | 'PART_MISSING' | 'STORAGE_NOT_FOUND' | 'STORAGE_UNAVAILABLE';

/** Codes of `removeUpload`. */
export type RemoveUploadCode = 'UPLOAD_NOT_FOUND' | 'UPLOAD_IN_USE' | 'REVISION_CONFLICT';

/** The upload, or the errors because of which the call was refused. */
export interface UploadResult<C extends string> {
  readonly upload: UploadDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

/** Result of the creation of an upload. */
export interface CreatedUpload extends UploadResult<CreateUploadCode> {
  /** Addresses of the first parts that are missing. */
  readonly missing: readonly SignedFile[];
  /** Number of all parts that are missing. */
  readonly missingCount: number;
}

/** Addresses of one answer. */
const mostAddresses = 200;
/** Time for which an upload that is not complete, and each part that is wanted, is kept, in ms. */
const openMs = 86_400_000;
/**
 * Time for the rest of a call that gives addresses, and for a transfer that begins as they end, in
 * milliseconds.
 */
const transferMs = 1_800_000;
/** Time after which no submit that began before is still going on, in milliseconds. */
const submitMs = 600_000;
const dayMs = 86_400_000;
const mostErrors = 100;

/** Uploads of users. */
export class UploadsService {
  readonly #options: UploadsOptions;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** An upload of the caller; null if there is none. */
  async find(principal: Principal, id: string): Promise<UploadDocument | null> {
    const upload = await this.#options.uploads.find(id);
    return upload?.owner === principal.subject && !upload.removedAt ? upload : null;
  }

  /** The uploads of the caller, the newest first. */
  list(
    { subject }: Principal,
    page: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<UploadDocument>> {
    return this.#options.uploads.ofOwner(subject, page);
  }

  /**
   * Opens an upload and signs addresses for the parts that are missing. A repeated call renews them; parts
   * that have arrived meanwhile are left out.
   * @throws DomainError FORBIDDEN
   */
  async create(principal: Principal, spec: UploadSpec): Promise<CreatedUpload> {
    assertCan(principal, 'job:submit', spec.experiment);
    const { storages, experimentExists } = this.#options;
    const errors = new InputErrors<CreateUploadCode>();
    checkUpload(spec, errors);
    if (!errors.isEmpty) return notCreated(errors);
    if (!(await experimentExists(spec.experiment))) {
      errors.add(['experiment'], spec.experiment, 'a registered experiment', 'EXPERIMENT_NOT_FOUND');
      return notCreated(errors);
    }
    const storage = storageForOutputs(await storages.allFresh(), spec.experiment, undefined);
    if (storage) checkPartSizes(spec, storage, errors);
    else
      errors.report(
        'STORAGE_NOT_FOUND',
        ['experiment'],
        `experiment: ${spec.experiment} has no storage for uploads; an operator makes one the default, without queues`,
      );
    if (!storage || !errors.isEmpty) return notCreated(errors);
    return this.#open(principal.subject, spec, storage, errors);
  }

  async #open(
    owner: string,
    spec: UploadSpec,
    storage: StorageDocument,
    errors: InputErrors<CreateUploadCode>,
  ): Promise<CreatedUpload> {
    const { uploads, parts, limits, clock, addressSeconds } = this.#options;
    const { experiment } = spec;
    const place = { experiment, owner, storage: storage._id };
    const wanted = [...new Map([spec.manifest, ...spec.parts].map((part) => [part.sha256, part])).values()];
    const identified = wanted.map((part) => ({ ...part, _id: partId(storage._id, place, part.sha256) }));
    const before = await parts.findMany(identified.map(({ _id }) => _id));
    const known = new Map(before.map((part) => [part.sha256, part]));
    checkOneSize(spec, known, errors);
    if (!errors.isEmpty) return notCreated(errors);
    const content = { ...place, digest: uploadDigest([spec.manifest, ...spec.parts]) };
    const earlier = await uploads.withContent(content);
    if (!earlier) {
      const added = wanted.filter(({ sha256 }) => !known.has(sha256));
      const sizeBytes = sizeOf(added);
      await limits.check({ experiment, owner, uploads: 1, files: spec.fileCount, sizeBytes }, errors);
      if (!errors.isEmpty) return notCreated(errors);
    }
    const inserted = earlier ? null : await this.#insert(spec, content);
    const upload = inserted ?? (await this.#keep(earlier ?? (await uploads.withContent(content))));
    const now = clock.now();
    const isWanted =
      upload?.state === 'READY' ||
      (upload &&
        (await parts.want(place, identified, now, {
          dueAt: new Date(now.getTime() + openMs),
          addressesUntil: new Date(now.getTime() + addressSeconds * 1000 + transferMs),
        })));
    if (!upload || !isWanted) {
      const text =
        'A part is being removed, or another call removed the upload; repeat the call in some minutes.';
      errors.report('REVISION_CONFLICT', [], text);
      return notCreated(errors);
    }
    if (inserted) {
      // Other calls may have added uploads since the first check: both of two rivals may lose.
      await limits.check({ experiment, owner, uploads: 0, files: 0, sizeBytes: 0 }, errors);
      if (!errors.isEmpty) {
        if (!(await uploads.remove(inserted))) return notCreated(errors);
        // No address was given for them.
        await parts.forget(identified.filter(({ sha256 }) => !known.has(sha256)).map(({ _id }) => _id));
        return notCreated(errors);
      }
    }
    if (upload.state === 'READY') return { upload, missing: [], missingCount: 0, userErrors: [] };
    return this.#answer(upload, storage, wanted, known, errors);
  }

  /** Postpones the end of an upload. @returns null if it was removed meanwhile */
  async #keep(upload: UploadDocument | null): Promise<UploadDocument | null> {
    const { uploads, keepDays, clock } = this.#options;
    if (!upload) return null;
    const now = clock.now();
    const expiresAt = new Date(now.getTime() + (upload.state === 'READY' ? keepDays * dayMs : openMs));
    return (await uploads.keep(upload._id, now, expiresAt)) ? upload : null;
  }

  /** @returns null if the owner has an upload with this content */
  async #insert(
    { experiment, name, fileCount, manifest, parts }: UploadSpec,
    { owner, storage, digest }: { readonly owner: string; readonly storage: string; readonly digest: string },
  ): Promise<UploadDocument | null> {
    const { uploads, ids, clock } = this.#options;
    const now = clock.now();
    const all = [manifest, ...parts].map(({ sizeBytes, sha256 }) => ({ sizeBytes, sha256 }));
    const upload: UploadDocument = {
      _id: ids.next('upload'),
      ...{ schemaVersion: uploadSchemaVersion, revision: 1, createdAt: now, updatedAt: now },
      ...{ experiment, owner, name, storage, digest, fileCount },
      ...{ partCount: all.length, sizeBytes: sizeOf(all), parts: all },
      ...{ state: 'OPEN', lastUsedAt: now, expiresAt: new Date(now.getTime() + openMs) },
    };
    return (await uploads.insert(upload)) ? upload : null;
  }

  async #answer(
    upload: UploadDocument,
    storage: StorageDocument,
    wanted: readonly UploadPart[],
    known: ReadonlyMap<string, UploadPartDocument>,
    errors: InputErrors<CreateUploadCode>,
  ): Promise<CreatedUpload> {
    const open = wanted.filter(({ sha256 }) => known.get(sha256)?.state !== 'STORED');
    // A part that nobody wanted before is not there.
    const maybe = open.filter(({ sha256 }) => known.has(sha256));
    const found = await this.#arrivals(upload, storage, maybe, mostAddresses);
    if ('reason' in found) {
      reportUnavailable(errors, storage, found.reason);
      return notCreated(errors);
    }
    const toSend = open.filter(({ sha256 }) => !known.has(sha256) || found.missing.has(sha256));
    const planned = toSend.slice(0, mostAddresses).map(({ sha256, sizeBytes }) => ({
      ...{ storage, key: partKey(upload, sha256), name: sha256, jobId: null, method: 'PUT' as const },
      ...{ sizeBytes, sha256 },
    }));
    const files: SignedFile[] = [];
    for (const file of await this.#options.signer.sign(planned)) {
      if ('url' in file) files.push(file);
      else if (errors.isEmpty) reportUnavailable(errors, storage, file.reason);
    }
    if (!errors.isEmpty) return notCreated(errors);
    return { upload, missing: files, missingCount: toSend.length + found.unknown.length, userErrors: [] };
  }

  /** Verifies that all parts have arrived, and makes the upload usable. A repeated call returns it. */
  async complete(principal: Principal, id: string): Promise<UploadResult<CompleteUploadCode>> {
    const { uploads, parts, storages, keepDays, clock } = this.#options;
    const errors = new InputErrors<CompleteUploadCode>();
    const upload = await this.find(principal, id);
    if (!upload) errors.report('UPLOAD_NOT_FOUND', ['id'], notFound(id));
    if (!upload || upload.state === 'READY') return { upload, userErrors: errors.all };
    const storage = (await storages.allFresh()).find(({ _id }) => _id === upload.storage);
    if (!storage) {
      errors.report(
        'STORAGE_NOT_FOUND',
        ['id'],
        `id: the storage "${upload.storage}" was removed; upload again`,
      );
      return { upload: null, userErrors: errors.all };
    }
    const ids = [...new Set(upload.parts.map(({ sha256 }) => partId(upload.storage, upload, sha256)))];
    const notStored = async (): Promise<readonly UploadPart[]> => {
      const stored = (await parts.findMany(ids)).filter(({ state }) => state === 'STORED');
      const isStored = new Set(stored.map(({ sha256 }) => sha256));
      return upload.parts.filter(({ sha256 }) => !isStored.has(sha256));
    };
    const found = await this.#arrivals(upload, storage, await notStored(), mostErrors);
    if ('reason' in found) reportUnavailable(errors, storage, found.reason);
    else if (found.missing.size === 0 && found.unknown.length > 0)
      reportUnavailable(errors, storage, 'there was no time to look at all parts; repeat the call');
    else
      // A part that is being removed may still be in the storage.
      for (const { sha256 } of await notStored())
        errors.report(
          'PART_MISSING',
          ['id'],
          `Part ${sha256} ${found.missing.get(sha256) ?? otherReason(found, sha256)}.`,
        );
    if (!errors.isEmpty) return { upload: null, userErrors: errors.all.slice(0, mostErrors) };
    const now = clock.now();
    const complete = await uploads.complete(id, now, new Date(now.getTime() + keepDays * dayMs));
    if (!complete) errors.report('UPLOAD_NOT_FOUND', ['id'], notFound(id));
    return { upload: complete, userErrors: errors.all };
  }

  /** Removes an upload that nothing uses or will use. The leader removes parts that no other upload has. */
  async remove(principal: Principal, id: string): Promise<UploadResult<RemoveUploadCode>> {
    const { userOf } = this.#options;
    const errors = new InputErrors<RemoveUploadCode>();
    const upload = await this.find(principal, id);
    const user = upload?.state === 'READY' ? await userOf(upload) : null;
    if (!upload) errors.report('UPLOAD_NOT_FOUND', ['id'], notFound(id));
    else if (user === undefined)
      errors.report(
        'UPLOAD_IN_USE',
        ['id'],
        `id: the search for live jobs that use ${id} took too long; try later`,
      );
    else if (user !== null)
      errors.report('UPLOAD_IN_USE', ['id'], `id: ${user} uses ${id}; wait, or cancel it`);
    else if (!(await this.#remove(upload)))
      errors.report('REVISION_CONFLICT', ['id'], `id: ${id} was used meanwhile; repeat the call`);
    return { upload: errors.isEmpty ? upload : null, userErrors: errors.all };
  }

  /** @returns false if the upload was written since it was read */
  async #remove(upload: UploadDocument): Promise<boolean> {
    const { uploads, parts, clock } = this.#options;
    const now = clock.now();
    // A job that was checked before may be stored after the search for jobs: the leader searches again.
    if (upload.state === 'READY')
      return uploads.beginRemoval(upload, new Date(now.getTime() + submitMs), now);
    if (!(await uploads.remove(upload))) return false;
    const ids = upload.parts.map(({ sha256 }) => partId(upload.storage, upload, sha256));
    await parts.lookAt(ids, now);
    return true;
  }

  /** Looks which parts have arrived, and records them. */
  async #arrivals(
    upload: UploadDocument,
    storage: StorageDocument,
    open: readonly UploadPart[],
    most: number,
  ): Promise<Arrivals | { readonly reason: string }> {
    const { opened, parts, clock } = this.#options;
    if (open.length === 0) return { missing: new Map(), unknown: [] };
    const record = (arrived: readonly UploadPart[]): Promise<void> =>
      parts.stored(
        arrived.map(({ sha256 }) => partId(storage._id, upload, sha256)),
        clock.now(),
      );
    try {
      return await arrivals(await opened.of(storage), upload, open, { most, record });
    } catch (error) {
      if (isStorageError(error)) return { reason: error.message };
      if (error instanceof DOMException && error.name === 'TimeoutError')
        return { reason: 'no answer in time' };
      throw error;
    }
  }
}

const notCreated = ({ all }: InputErrors<CreateUploadCode>): CreatedUpload => ({
  ...{ upload: null, missing: [], missingCount: 0 },
  userErrors: all.slice(0, mostErrors),
});

function reportUnavailable(
  errors: UploadErrors<'STORAGE_UNAVAILABLE'>,
  { _id }: StorageDocument,
  reason: string,
): void {
  errors.report('STORAGE_UNAVAILABLE', [], `The storage ${_id} cannot be used now: ${reason}`);
}

const otherReason = ({ unknown }: Arrivals, sha256: string): string =>
  unknown.some((part) => part.sha256 === sha256)
    ? 'was not looked at, since others are missing'
    : 'is being removed from the storage; send it again in some minutes';

const notFound = (id: string): string => `Upload ${JSON.stringify(id)} not found, or you may not use it.`;

const sizeOf = (parts: readonly UploadPart[]): number =>
  parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
