import type { OutputFolder } from '../files/output-folder.js';
import type { Scratch } from '../files/scratch.js';
import type { JobReports } from '../report/job-reports.js';
import type { AttemptProgress, AttemptRecord } from '../supervisor/attempt-record.js';
import type { PayloadHandle } from '../supervisor/payload-handle.js';

/** An attempt whose payload an earlier pilot has started. */
export interface AdoptedAttempt {
  readonly reports: JobReports;
  readonly record: AttemptRecord;
  /** The part of the scratch space in which it runs. */
  readonly scratch: Scratch;
  readonly payload: PayloadHandle;
  readonly outputs: OutputFolder;
  readonly phase: AttemptProgress['phase'];
  /** Folder with its secrets. */
  readonly secrets: string | null;
}
