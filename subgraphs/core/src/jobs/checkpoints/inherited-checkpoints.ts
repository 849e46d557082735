/** Checkpoints that the copy of a job continues from. Pure. */
import type { StoredPayload } from '../model/job.types.js';
import { jobProgressVersion, type JobProgressDocument } from './job-progress.document.js';

/** A job and its copy. */
export interface CopiedJob {
  readonly source: string;
  readonly copy: string;
}

/**
 * Returns true if the copy continues from the checkpoints of its source.
 * @param wanted what the caller states; without it, another image or command begins at the start
 */
export function inherits(
  source: Pick<StoredPayload, 'image' | 'command'>,
  copy: Pick<StoredPayload, 'image' | 'command'>,
  wanted: boolean | undefined,
): boolean {
  return wanted ?? (source.image === copy.image && source.command === copy.command);
}

/** The documents of copies whose sources have checkpoints. @param now time of the copies */
export function inheritedCheckpoints(
  copied: readonly CopiedJob[],
  known: readonly Pick<JobProgressDocument, '_id' | 'checkpoints'>[],
  now: Date,
): readonly JobProgressDocument[] {
  const bySource = new Map(known.map(({ _id, checkpoints = [] }) => [_id, checkpoints]));
  return copied.flatMap(({ source, copy }) => {
    const checkpoints = bySource.get(source) ?? [];
    if (checkpoints.length === 0) return [];
    // The notice was that of an attempt of the source: it plans no end of the copy.
    const own = checkpoints.map(({ noticedAt: _noticedAt, ...checkpoint }) => checkpoint);
    const common = { schemaVersion: jobProgressVersion, revision: 1, updatedAt: now, fence: 0 };
    return [{ _id: copy, ...common, checkpoints: own }];
  });
}
