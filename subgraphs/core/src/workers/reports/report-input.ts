/** Validates reports about jobs, and converts them to their stored form. */
import { type InputErrors, jobErrorsOfCore } from '@rhizome/errors';
import {
  isDeclaredBy,
  kindOfOutput,
  longestOutputBytes,
  mostOutputPathBytes,
  mostOutputs,
} from '@rhizome/storage';
import type {
  JobErrorFamily,
  MemoryLimitMethod,
  StoredJobError,
  StoredMetrics,
  StoredOutput,
} from '../../jobs/model/job.types.js';
import type { AttemptEndChange } from '../../jobs/transitions/transition.types.js';
import { isInStorage } from '../../storages/places.js';
import type { WorkerProblem } from '../worker-errors.js';

type Maybe<T> = T | null | undefined;
type Path = readonly (string | number)[];

/** Report that a payload starts. */
export interface StartSpec {
  readonly id: string;
  readonly fence: number;
  readonly phase: 'STARTING' | 'RUNNING';
  readonly memoryLimit?: Maybe<MemoryLimitMethod>;
}

/** Reported resource use of an attempt. */
export interface MetricsSpec {
  readonly cpuSeconds?: Maybe<number>;
  readonly wallSeconds?: Maybe<number>;
  readonly peakMemoryMiB?: Maybe<number>;
  readonly readBytes?: Maybe<number>;
  readonly writeBytes?: Maybe<number>;
  readonly gpuUtilisation?: Maybe<number>;
  readonly gpuPeakMemoryMiB?: Maybe<number>;
  readonly peakDiskMiB?: Maybe<number>;
  readonly isPartial?: Maybe<boolean>;
}

/** Report that a payload ended well. */
export interface FinishSpec {
  readonly id: string;
  readonly fence: number;
  /** FINISHED by default. */
  readonly phase?: Maybe<'HOLDING' | 'TRANSFERRING' | 'FINISHED'>;
  readonly exitCode?: Maybe<number>;
  readonly metrics?: Maybe<MetricsSpec>;
  readonly outputs?: Maybe<readonly StoredOutput[]>;
}

/** Report that an attempt failed. */
export interface FailSpec {
  readonly id: string;
  readonly fence: number;
  /** GraphQL admits exactly one member (`@oneOf`). */
  readonly exit?: Maybe<{ readonly code?: Maybe<number>; readonly signal?: Maybe<string> }>;
  readonly error: {
    readonly family: JobErrorFamily;
    readonly code: string;
    readonly message: string;
    readonly isRetryable?: Maybe<boolean>;
  };
  readonly metrics?: Maybe<MetricsSpec>;
  readonly outputs?: Maybe<readonly StoredOutput[]>;
}

const maxAmount = Number.MAX_SAFE_INTEGER;
/** Most outputs that a failed attempt keeps: its job may have twenty attempts. */
const mostKeptOutputs = 100;
/** Most seconds of processors or of time in a report. */
const maxSeconds = 1e12;

/** Adds all errors of a report that a payload ended well. */
export function checkFinish(errors: InputErrors, at: Path, report: FinishSpec): void {
  errors.int([...at, 'exitCode'], report.exitCode, -1, 255);
  checkMetrics(errors, [...at, 'metrics'], report.metrics);
  checkOutputs(errors, at, report, mostOutputs);
}

/**
 * True for the form of the locations that core signs for an attempt, with its own fence or an earlier one: a
 * worker must not register another file, and the report cannot be mended later. Experiment and owner are
 * checked when the file is signed for others.
 */
function isOwnFile(
  { name, location }: { name: string; location: string },
  { id, fence }: Pick<FinishSpec, 'id' | 'fence'>,
): boolean {
  const [scheme, empty, storage, experiment, owner, jobs, job, written, ...rest] = location.split('/');
  return (
    scheme === 'rhizome:' &&
    empty === '' &&
    [storage, experiment, owner].every((part) => part !== undefined && part !== '') &&
    jobs === 'jobs' &&
    job === id &&
    /^\d{1,15}$/.test(written ?? '') &&
    Number(written) <= fence &&
    rest.join('/') === name
  );
}

/** Adds all errors of a report that an attempt failed. */
export function checkFail(errors: InputErrors, at: Path, report: FailSpec): void {
  const { code, signal } = report.exit ?? {};
  errors.int([...at, 'exit', 'code'], code, -1, 255);
  if (signal != null)
    errors.form([...at, 'exit', 'signal'], signal, /^SIG[A-Z0-9+-]{1,16}$/, 'a name such as SIGKILL');
  errors.form(
    [...at, 'error', 'code'],
    report.error.code,
    /^[A-Z][A-Z0-9_]{0,63}$/,
    'up to 64 letters A to Z, digits and "_"',
  );
  if (jobErrorsOfCore.includes(report.error.code))
    errors.add(
      [...at, 'error', 'code'],
      report.error.code,
      'another code: only core ends attempts with this one',
    );
  if (report.error.message.length > 2000)
    errors.add(
      [...at, 'error', 'message'],
      `${report.error.message.length} characters`,
      'up to 2000 characters',
    );
  checkMetrics(errors, [...at, 'metrics'], report.metrics);
  checkOutputs(errors, at, report, mostKeptOutputs);
}

function checkMetrics(errors: InputErrors, at: Path, metrics: Maybe<MetricsSpec>): void {
  if (!metrics) return;
  for (const name of ['cpuSeconds', 'wallSeconds'] as const)
    errors.number([...at, name], metrics[name], { min: 0, max: maxSeconds });
  for (const name of ['peakMemoryMiB', 'readBytes', 'writeBytes', 'gpuPeakMemoryMiB', 'peakDiskMiB'] as const)
    errors.int([...at, name], metrics[name], 0, maxAmount);
  errors.number([...at, 'gpuUtilisation'], metrics.gpuUtilisation, { min: 0, max: 1 });
}

/** Checks the form of reported outputs. */
function checkOutputs(
  errors: InputErrors,
  at: Path,
  report: Pick<FinishSpec, 'id' | 'fence' | 'outputs'>,
  most: number,
): void {
  const outputs = report.outputs ?? [];
  errors.distinct(
    [...at, 'outputs'],
    outputs.map(({ name }) => name),
    most,
  );
  const bytes = outputs.reduce((sum, { name }) => sum + Buffer.byteLength(name), 0);
  if (bytes > mostOutputPathBytes)
    errors.add(
      [...at, 'outputs'],
      `${bytes} bytes of names`,
      `at most ${mostOutputPathBytes} bytes of names together`,
    );
  outputs.forEach((output, index) => {
    const outputPath = [...at, 'outputs', index];
    errors.text([...outputPath, 'name'], output.name, 1, longestOutputBytes);
    errors.text([...outputPath, 'location'], output.location, 1, 4096);
    if (isInStorage(output.location) && !isOwnFile(output, report))
      errors.add(
        [...outputPath, 'location'],
        output.location,
        `rhizome://STORAGE/EXPERIMENT/OWNER/jobs/${report.id}/FENCE/${output.name}, the file of the attempt as it was signed`,
      );
    errors.int([...outputPath, 'sizeBytes'], output.sizeBytes, 0, maxAmount);
    errors.form(
      [...outputPath, 'sha256'],
      output.sha256,
      /^[0-9a-f]{64}$/,
      '64 hexadecimal digits, lower case',
    );
  });
}

/** Returns the error if a failed attempt keeps an output that the job does not keep then. */
export function undeclaredKept(
  report: FailSpec,
  kept: readonly string[],
  index: number,
): WorkerProblem<never> | undefined {
  return undeclared(report.outputs ?? [], kept, index, 'is not kept of failed attempts', 'keeps none');
}

function undeclared(
  outputs: readonly StoredOutput[],
  entries: readonly string[],
  index: number,
  fault: string,
  none: string,
): WorkerProblem<never> | undefined {
  const unknown = outputs.find(({ name }) => !entries.some((entry) => isDeclaredBy(name, entry)));
  if (!unknown) return undefined;
  const expected = entries.length > 0 ? `one of ${entries.join(', ')}` : `none: the job ${none}`;
  return {
    code: 'INVALID_VALUE',
    path: ['jobs', String(index), 'outputs'],
    message: `jobs.${index}.outputs: ${JSON.stringify(unknown.name)} ${fault}; must be ${expected}`,
  };
}

/**
 * Returns the error if a job would be FINISHED without all declared files and one file of each pattern, or an
 * output was never declared. A folder may be empty.
 */
export function missingOutput(
  report: FinishSpec,
  declared: readonly string[],
  index: number,
): WorkerProblem<'OUTPUT_MISSING'> | undefined {
  const outputs = report.outputs ?? [];
  const problem = undeclared(outputs, declared, index, 'was not declared', 'declares no outputs');
  if (problem) return problem;
  const isMissing = (entry: string): boolean =>
    kindOfOutput(entry) !== 'FOLDER' && !outputs.some(({ name }) => isDeclaredBy(name, entry));
  const missing = (report.phase ?? 'FINISHED') === 'FINISHED' ? declared.filter(isMissing) : [];
  if (missing.length === 0) return undefined;
  return {
    code: 'OUTPUT_MISSING',
    path: ['jobs', String(index), 'outputs'],
    message: `jobs.${index}.outputs: ${missing.join(', ')} missing; all declared outputs are needed for FINISHED`,
  };
}

/** Stored form of the end of an attempt. */
export function storedEnd({ exitCode, metrics }: FinishSpec): AttemptEndChange {
  return { exitCode: exitCode ?? 0, ...(metrics ? { metrics: storedMetrics(metrics) } : {}) };
}

/** Stored form of the failure of an attempt. */
export function storedFailure({
  exit,
  error,
  metrics,
  outputs,
}: FailSpec): AttemptEndChange & { readonly error: StoredJobError } {
  const { family, code, message, isRetryable } = error;
  return {
    ...(exit?.code == null ? {} : { exitCode: exit.code }),
    ...(exit?.signal ? { signal: exit.signal } : {}),
    error: { family, code, message, retryable: isRetryable ?? true },
    ...(metrics ? { metrics: storedMetrics(metrics) } : {}),
    ...(outputs?.length ? { keptOutputs: storedOutputs({ outputs }) } : {}),
  };
}

/** Stored form of outputs. */
export function storedOutputs({ outputs }: Pick<FinishSpec, 'outputs'>): readonly StoredOutput[] {
  return (outputs ?? []).map(({ name, location, sizeBytes, sha256 }) => ({
    name,
    location,
    sizeBytes,
    sha256,
  }));
}

function storedMetrics(metrics: MetricsSpec): StoredMetrics {
  const { isPartial, ...amounts } = metrics;
  const known = Object.fromEntries(Object.entries(amounts).filter(([, value]) => typeof value === 'number'));
  return { ...known, isPartial: isPartial ?? false };
}
