/** Validates progress and checkpoints that workers report. */
import type { InputErrors } from '@rhizome/errors';
import type { StoredCheckpoint, StoredCheckpointFile } from '../../jobs/checkpoints/job-progress.document.js';
import { mostKeptCheckpoints } from '../../jobs/checkpoints/kept-checkpoints.js';
import { workerLimits } from '../worker.document.js';

type Maybe<T> = T | null | undefined;
type Path = readonly (string | number)[];

interface PointSpec {
  readonly step?: Maybe<number>;
  readonly fraction?: Maybe<number>;
}

/** Progress of a job. */
export interface ProgressSpec extends PointSpec {
  readonly id: string;
  readonly fence: number;
  readonly at: Date;
}

/** A checkpoint. */
export interface CheckpointSpec extends PointSpec {
  readonly attempt: number;
  readonly madeAt: Date;
  readonly noticedAt?: Maybe<Date>;
  readonly files: readonly StoredCheckpointFile[];
}

/** Checkpoints of a job. */
export interface CheckpointsSpec {
  readonly id: string;
  readonly fence: number;
  readonly checkpoints: readonly CheckpointSpec[];
}

const mostFiles = 32;
/** Highest number of an attempt. */
const mostAttempts = 1_000_000;
const maxAmount = Number.MAX_SAFE_INTEGER;

/** Adds all errors of progress in a heartbeat. */
export function checkProgress(errors: InputErrors, reports: readonly ProgressSpec[]): void {
  errors.distinct(
    ['progress'],
    reports.map(({ id }) => id),
    workerLimits.heldJobs,
  );
  reports.forEach((report, index) => checkPoint(errors, ['progress', index], report));
}

/** Adds all errors of the checkpoints of a job. */
export function checkCheckpoints(errors: InputErrors, at: Path, { checkpoints }: CheckpointsSpec): void {
  errors.list([...at, 'checkpoints'], checkpoints, mostKeptCheckpoints);
  checkpoints.forEach((checkpoint, index) => {
    const own = [...at, 'checkpoints', index];
    checkPoint(errors, own, checkpoint);
    errors.int([...own, 'attempt'], checkpoint.attempt, 1, mostAttempts);
    errors.list([...own, 'files'], checkpoint.files, mostFiles, 1);
    errors.distinct(
      [...own, 'files'],
      checkpoint.files.map(({ name }) => name),
    );
    checkpoint.files.forEach((file, at) => checkFile(errors, [...own, 'files', at], file));
  });
}

function checkPoint(errors: InputErrors, at: Path, { step, fraction }: PointSpec): void {
  errors.int([...at, 'step'], step, 0, maxAmount);
  errors.number([...at, 'fraction'], fraction, { min: 0, max: 1 });
}

function checkFile(errors: InputErrors, at: Path, file: StoredCheckpointFile): void {
  errors.text([...at, 'name'], file.name, 1, 255);
  errors.text([...at, 'location'], file.location, 1, 1024);
  errors.int([...at, 'sizeBytes'], file.sizeBytes, 0, maxAmount);
  errors.form([...at, 'sha256'], file.sha256, /^[0-9a-f]{64}$/, '64 hexadecimal digits, lower case');
}

/** Stored form of a step and a completed part. */
export function storedPoint({ step, fraction }: PointSpec): {
  readonly step?: number;
  readonly fraction?: number;
} {
  return { ...(step == null ? {} : { step }), ...(fraction == null ? {} : { fraction }) };
}

/** Stored form of a checkpoint. The clock of a worker may be ahead. */
export function storedCheckpoint(spec: CheckpointSpec, now: Date): StoredCheckpoint {
  const { attempt, madeAt, noticedAt, files } = spec;
  return {
    attempt,
    ...storedPoint(spec),
    madeAt: earlier(madeAt, now),
    ...(noticedAt && noticedAt <= madeAt ? { noticedAt: earlier(noticedAt, now) } : {}),
    files: files.map(({ name, location, sizeBytes, sha256 }) => ({ name, location, sizeBytes, sha256 })),
  };
}

/** The earlier of two times. */
export function earlier(one: Date, other: Date): Date {
  return one < other ? one : other;
}
