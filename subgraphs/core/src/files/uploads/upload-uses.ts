/** Uses of uploads by jobs, which keep them from their end. */
import type { Clock } from '@rhizome/clock';
import type { PlaceOwner } from '../../storages/places.js';
import type { UploadDocument } from './upload.document.js';
import type { UploadsRepository } from './uploads.repository.js';

/** Dependencies of {@link UploadUses}. */
export interface UploadUsesOptions {
  readonly uploads: Pick<UploadsRepository, 'find' | 'ready' | 'use'>;
  /** Time after its latest use for which an upload is kept. */
  readonly keepDays: number;
  readonly clock: Clock;
}

/**
 * Interval in which one use is recorded, in milliseconds. An upload that is kept for longer than this is not
 * removed before a job that was checked is stored.
 */
const recordedMs = 3_600_000;
const dayMs = 86_400_000;

/** Looks up uploads for jobs. */
export class UploadUses {
  readonly #options: UploadUsesOptions;

  constructor(options: UploadUsesOptions) {
    this.#options = options;
  }

  /** Finds which of the uploads a job of the owner may use. Each is kept for some days from now on. */
  async usable({ owner, experiment }: PlaceOwner, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await this.#options.uploads.ready(ids);
    const own = found.filter((upload) => upload.owner === owner && upload.experiment === experiment);
    const kept = await Promise.all(own.map((upload) => this.#use(upload)));
    return new Set(own.filter((_upload, at) => kept[at]).map(({ _id }) => _id));
  }

  /** The upload of a job with its parts; undefined if it was removed. Whose it is, the caller checks. */
  async forJob({ owner }: PlaceOwner, id: string): Promise<UploadDocument | undefined> {
    const upload = await this.#options.uploads.find(id);
    if (upload?.state !== 'READY') return undefined;
    if (upload.owner === owner) await this.#use(upload);
    return upload;
  }

  /** @returns false if the upload was removed meanwhile */
  async #use({
    _id,
    lastUsedAt,
    expiresAt,
  }: Pick<UploadDocument, '_id' | 'lastUsedAt' | 'expiresAt'>): Promise<boolean> {
    const { uploads, keepDays, clock } = this.#options;
    const now = clock.now();
    const isRecent =
      now.getTime() - lastUsedAt.getTime() < recordedMs && expiresAt.getTime() - now.getTime() > recordedMs;
    return isRecent || uploads.use(_id, now, new Date(now.getTime() + keepDays * dayMs));
  }
}
