import type { FolderIdentity } from '@rhizome/storage/open-folder';
import type { StoredFile } from '../files/stored-file.types.js';

/** Step and completed part of a payload; null if it gives none. */
export interface ProgressPoint {
  readonly step: number | null;
  /** 0 to 1. */
  readonly fraction: number | null;
}

/** Progress that a payload has reported. */
export interface Progress extends ProgressPoint {
  readonly at: Date;
}

/** A checkpoint whose files are in the store. */
export interface Checkpoint extends ProgressPoint {
  /** Number of the attempt that made it. */
  readonly attempt: number;
  /** ISO 8601. */
  readonly madeAt: string;
  /** Time of the notice, if the payload had received notice of its end before; ISO 8601. */
  readonly noticedAt?: string;
  readonly files: readonly StoredFile[];
}

/** A checkpoint from which a payload continues. */
export interface RestoredCheckpoint {
  readonly folder: string;
  readonly step: number | null;
}

/** Source of the progress of a job, for heartbeats. */
export interface ProgressSource {
  /** Latest progress that core does not know; undefined if there is none. */
  unreported(): Promise<Progress | undefined>;
  /** Core knows this progress. */
  recordReported(progress: Progress): void;
}

/** Checkpoints of a job, as the pilot records them for the one that adopts the attempt. */
export interface RecordedCheckpoints {
  /** The job's folder, and the one for requests, which a payload must not replace. */
  readonly root: FolderIdentity;
  readonly requests: FolderIdentity;
  /** Number of checkpoints that the attempt has made. */
  readonly made: number;
  /** Newest first. */
  readonly kept: readonly Checkpoint[];
  /** Files stay until core knows the newer checkpoints. */
  readonly obsolete: readonly Checkpoint[];
}
