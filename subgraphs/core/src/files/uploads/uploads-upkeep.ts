/**
 * Removes uploads that were not used for long, and parts that no upload refers to. Runs on the leader; every
 * step may be repeated, also by two leaders at once.
 *
 * A part is removed in three steps: its record is marked, so that no upload can want it; the file is deleted;
 * the record is removed. An upload is stored before it wants its parts, and the mark fails if the part was
 * wanted since the leader looked for uploads: so no part of an upload is removed.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import type { StorageDocument } from '../../storages/storage.document.js';
import type { StoragesService } from '../../storages/storages.service.js';
import type { OpenStorages } from '../open-storages.js';
import { partId, partKey } from './upload-input.js';
import type { UploadPartsRepository } from './upload-parts.repository.js';
import type { UploadDocument, UploadPartDocument } from './upload.document.js';
import type { UserOfUpload } from './user-of-upload.js';
import type { UploadsRepository } from './uploads.repository.js';

/** Dependencies of {@link UploadsUpkeep}. */
export interface UploadsUpkeepOptions {
  readonly uploads: Pick<UploadsRepository, 'expired' | 'postpone' | 'remove' | 'refersTo'>;
  readonly parts: Pick<
    UploadPartsRepository,
    'due' | 'findMany' | 'postpone' | 'beginRemoval' | 'remove' | 'lookAt'
  >;
  readonly userOf: UserOfUpload;
  readonly storages: Pick<StoragesService, 'allFresh'>;
  readonly opened: Pick<OpenStorages, 'of'>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Interval in milliseconds. */
  readonly everyMs: number;
}

/** Uploads per batch: each has up to a thousand parts. */
const uploadBatch = 20;
const partBatch = 100;
const dayMs = 86_400_000;
/** Longest deletion of one file, in milliseconds. */
const deletionMs = 10_000;
/** Time after which another process repeats a removal, in milliseconds; longer than any deletion. */
const takeOverMs = 600_000;
/** Time after which a part of an upload is checked, unless the upload is removed before. */
const keptMs = 30 * dayMs;

/** The work of the leader. */
export class UploadsUpkeep {
  readonly #options: UploadsUpkeepOptions;
  readonly #task: LeaderTask;

  constructor(options: UploadsUpkeepOptions) {
    this.#options = options;
    const { leader, log, everyMs } = options;
    const onError = (err: unknown): void => log.warn({ err }, 'uploads not looked at');
    this.#task = new LeaderTask(
      leader,
      (signal) => repeat(() => this.#round(signal), everyMs, signal, onError),
      log,
    );
  }

  start(): void {
    this.#task.start();
  }

  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { uploads, parts, storages, clock } = this.#options;
    for (let isFull = true; isFull && !signal.aborted;) {
      const expired = await uploads.expired(clock.now(), uploadBatch);
      isFull = expired.length === uploadBatch;
      for (const upload of expired) if (!signal.aborted) await this.#end(upload);
    }
    // The other parts in a storage that fails wait for the next round.
    const failed = new Set<string>();
    for (let isFull = true; isFull && !signal.aborted;) {
      const due = await parts.due(clock.now(), partBatch);
      isFull = due.length === partBatch;
      if (due.length === 0) return;
      const known = new Map((await storages.allFresh()).map((storage) => [storage._id, storage]));
      for (const part of due) {
        if (signal.aborted) return;
        const storage = failed.has(part.storage) ? undefined : known.get(part.storage);
        if (!(await this.#removePart(part, storage, signal))) failed.add(part.storage);
      }
    }
  }

  /** Removes an upload, unless something uses it, or will use it. */
  async #end(upload: UploadDocument): Promise<void> {
    const { uploads, parts, userOf, clock, log } = this.#options;
    const now = clock.now();
    if (upload.state === 'READY' && (await userOf(upload)) !== null)
      return uploads.postpone(upload, new Date(now.getTime() + dayMs), now);
    if (!(await uploads.remove(upload))) return;
    const { owner, experiment, storage } = upload;
    const ids = upload.parts.map(({ sha256 }) => partId(storage, { owner, experiment }, sha256));
    await parts.lookAt(ids, now);
    log.info({ uploadId: upload._id }, 'expired upload removed');
  }

  /** @returns false if the storage failed */
  async #removePart(
    part: UploadPartDocument,
    storage: StorageDocument | undefined,
    stopped: AbortSignal,
  ): Promise<boolean> {
    const { uploads, parts, opened, clock, log } = this.#options;
    const at = (ms: number): Date => new Date(clock.now().getTime() + ms);
    // Nobody has wanted a marked part: no upload that refers to it can be complete.
    const isKept = part.state !== 'REMOVING' && (await uploads.refersTo(part));
    // Without its storage nothing can be removed; it may be created again.
    if (isKept || !storage) await parts.postpone(part, at(isKept ? keptMs : takeOverMs), clock.now());
    const beganMs = clock.monotonicMs();
    const marked = isKept || !storage ? null : await parts.beginRemoval(part, at(takeOverMs), clock.now());
    if (!marked || !storage) return true;
    try {
      const provider = await opened.of(storage);
      // Another leader may have taken the part over while this process stood still.
      const [found] = await parts.findMany([marked._id]);
      const isOurs =
        found?.revision === marked.revision && found.createdAt.getTime() === marked.createdAt.getTime();
      if (!isOurs || clock.monotonicMs() - beganMs > takeOverMs / 2) return true;
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(deletionMs)]);
      await provider.delete(partKey(part, part.sha256), { signal });
    } catch (err) {
      // It stays marked: the storage may still carry out the deletion.
      log.warn({ err, storage: part.storage }, 'part of an upload not removed');
      return false;
    }
    await parts.remove(marked);
    return true;
  }
}
