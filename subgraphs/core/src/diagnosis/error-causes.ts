/** Causes that the code of an error, an exit code or a signal states. Pure. */
import type { JobDocument, StoredAttempt, StoredJobError } from '../jobs/model/job.types.js';
import { plural } from '../shared/plural.js';
import type { Cause, CauseKind, Evidence } from './diagnosis.types.js';

/** Job whose attempt failed. */
export type FailedJob = Pick<JobDocument, '_id' | 'requirements'>;

/** Attempt that failed. */
export type FailedAttempt = StoredAttempt & { readonly error: StoredJobError };

const longestMessage = 300;

type CauseOf = readonly [CauseKind, string | ((job: FailedJob, attempt: FailedAttempt) => string)];

/** Kind and statement of each code; `reference/job-errors.md` has what the codes mean. */
const byCode: Readonly<Record<string, CauseOf>> = {
  MEMORY_EXCEEDED: [
    'MEMORY',
    ({ requirements }) => `The payload used more memory than the requested ${requirements.memoryMiB} MiB.`,
  ],
  WALLTIME_EXCEEDED: [
    'WALLTIME',
    ({ requirements }) => `The payload ran longer than the requested ${requirements.walltimeSeconds} s.`,
  ],
  DISK_EXCEEDED: [
    'DISK',
    ({ requirements }) =>
      `The payload used more scratch space than the requested ${requirements.diskMiB} MiB.`,
  ],
  INPUT_INVALID: ['INPUT', 'The declaration of an input is not valid.'],
  INPUT_UNAVAILABLE: ['INPUT', 'An input could not be fetched.'],
  INPUT_CORRUPT: ['INPUT', 'An input differs from its expected size or checksum.'],
  INPUT_GONE: ['INPUT', 'The storage no longer has an input.'],
  INPUT_DENIED: ['CREDENTIAL', 'The storage refused access to an input.'],
  INPUT_ADDRESS_REFUSED: ['INPUT', 'The site does not allow the address of an input.'],
  INPUT_UNREACHABLE: ['NETWORK', 'The storage of an input did not answer.'],
  INPUT_MISSING: ['INPUT', 'A node of the workflow has not stored an output that the job reads.'],
  SECRET_UNAVAILABLE: ['CREDENTIAL', 'A secret of the job was not available.'],
  OUTPUT_MISSING: ['OUTPUT', 'The payload did not write a declared output.'],
  OUTPUT_NOT_STORED: ['OUTPUT', 'An output could not be stored.'],
  OUTPUT_ADDRESS_REFUSED: ['OUTPUT', 'The site does not allow the address of the storage for an output.'],
  OUTPUT_DENIED: ['CREDENTIAL', 'The storage refused an output.'],
  OUTPUT_STORAGE_FULL: ['OUTPUT', 'No space was left in the storage for an output.'],
  OUTPUT_TOO_LARGE: ['OUTPUT', 'An output is larger than its storage permits.'],
  OUTPUT_LIMIT_EXCEEDED: ['OUTPUT', 'The payload wrote more files or bytes than one attempt may store.'],
  CHECKPOINT_UNAVAILABLE: ['INPUT', 'The checkpoint of an earlier attempt could not be fetched.'],
  START_FAILED: ['SOFTWARE', 'The program could not be started on the host.'],
  IMAGE_UNSUPPORTED: ['CONTAINER', 'The worker has no container runtime that can run the image.'],
  ISOLATION_MISSING: ['CONTAINER', 'The worker cannot isolate payloads, which the job requires.'],
  SCRATCH_UNSUITED: ['CONTAINER', 'The scratch folder of the pilot cannot be mounted in a container.'],
  DEVICE_MISSING: ['DEVICE', 'A GPU of the job disappeared.'],
  DEVICE_FAULT: ['DEVICE', 'A GPU of the job became unhealthy while the payload ran.'],
  CONTACT_LOST: ['WORKER', 'The pilot had no contact with core for too long.'],
  LEASE_LOST: ['WORKER', 'The worker fell silent, and core gave the job to another one.'],
  PILOT_RESTARTED: ['WORKER', 'The pilot was restarted and lost the payload.'],
  WORKER_ENDED: ['WORKER', 'The worker ended before the payload.'],
  DRAINED: ['WORKER', 'The payload ended because its worker was drained.'],
  PREEMPTED: ['WORKER', 'The worker was needed for a job of a higher priority class.'],
  CHECKPOINTED: ['WORKER', 'The worker ended; the payload stored a checkpoint and continues from it.'],
  GRANT_LOST: ['WORKER', 'The worker did not learn that it got the job.'],
  JOB_LOST: ['WORKER', 'The worker lost the job.'],
  PILOT_FAULT: ['WORKER', 'The pilot had an internal error.'],
  REPORT_REFUSED: ['WORKER', 'Core refused a report of the pilot about the job.'],
};

const byFamily: Readonly<Record<StoredJobError['family'], CauseKind>> = {
  PAYLOAD: 'PROGRAM',
  WORKER: 'WORKER',
  LIMIT: 'LIMIT',
  DATA: 'INPUT',
  SYSTEM: 'WORKER',
};

/** Exit codes and signals that a shell reports as 128 and the number of the signal. */
const byExitCode: Readonly<Record<number, readonly [CauseKind, string, number]>> = {
  126: ['PERMISSION', 'The program cannot be executed: it lacks the permission, or has another format.', 0.7],
  127: ['SOFTWARE', 'A program was not found.', 0.7],
  132: ['SOFTWARE', 'The program used an instruction that the processor does not have.', 0.7],
  134: ['PROGRAM', 'The program aborted itself.', 0.6],
  135: ['PROGRAM', 'The program crashed with a bus error.', 0.6],
  136: ['PROGRAM', 'The program crashed with an arithmetic error.', 0.6],
  137: ['MEMORY', 'A process of the payload was killed, often because memory was short.', 0.5],
  139: ['PROGRAM', 'The program crashed with an invalid memory access.', 0.6],
  143: ['WORKER', 'A process of the payload was ended from outside.', 0.4],
  152: ['WALLTIME', 'The payload used more CPU time than a limit of the host allows.', 0.6],
  153: ['DISK', 'The payload wrote a file larger than a limit of the host allows.', 0.6],
};

const exitCodeOfSignal: Readonly<Record<string, number>> = {
  ...{ SIGILL: 132, SIGABRT: 134, SIGBUS: 135, SIGFPE: 136, SIGKILL: 137, SIGSEGV: 139, SIGTERM: 143 },
  ...{ SIGXCPU: 152, SIGXFSZ: 153 },
};

/** Kind of cause that a code states; of codes of payloads that of the family. */
export function kindOfCode({ code, family }: Pick<StoredJobError, 'code' | 'family'>): CauseKind {
  return byCode[code]?.[0] ?? byFamily[family];
}

/** True if the code itself states the cause, other than "the payload failed". */
export function isStated(code: string): boolean {
  return byCode[code] !== undefined;
}

/** Cause that the error of an attempt states. */
export function causeOfError(job: FailedJob, attempt: FailedAttempt): Cause {
  const { error } = attempt;
  const evidence = [errorEvidence(attempt), ...metricEvidence(job, attempt)];
  const known = byCode[error.code];
  if (known) {
    const [kind, text] = known;
    const statement = typeof text === 'string' ? text : text(job, attempt);
    return { kind, statement, confidence: 1, evidence };
  }
  const ended = byExitCode[endOf(attempt) ?? -1];
  if (ended) {
    const [kind, statement, confidence] = ended;
    return { kind, statement, confidence, evidence };
  }
  const statement = `The payload failed: ${plainLine(error.message)}`;
  return { kind: byFamily[error.family], statement, confidence: 0.3, evidence };
}

/** A message of a worker as part of one sentence: one line of at most 300 characters. */
export function plainLine(message: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is replaced
  const line = message.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
  return line.length > longestMessage ? `${line.slice(0, longestMessage - 1)}…` : line;
}

/** Exit code, also of a signal. */
function endOf({ exitCode, signal }: FailedAttempt): number | undefined {
  return signal === undefined ? exitCode : exitCodeOfSignal[signal];
}

function errorEvidence({ number, error, endedAt }: FailedAttempt): Evidence {
  return {
    kind: 'ERROR',
    text: `Attempt ${number}: ${error.code}: ${plainLine(error.message)}`,
    target: { kind: 'ERROR_CODE', id: error.code },
    ...(endedAt ? { since: endedAt } : {}),
  };
}

/** Measured use of the requested amounts. */
function metricEvidence(
  { requirements }: FailedJob,
  { metrics, startedAt, endedAt }: FailedAttempt,
): Evidence[] {
  const { peakMemoryMiB, peakDiskMiB } = metrics ?? {};
  const parts = [
    peakMemoryMiB === undefined
      ? []
      : `${Math.round(peakMemoryMiB)} of ${requirements.memoryMiB} MiB of memory`,
    peakDiskMiB === undefined
      ? []
      : `${Math.round(peakDiskMiB)} of ${requirements.diskMiB} MiB of scratch space`,
    startedAt && endedAt ? secondsText(startedAt, endedAt, requirements.walltimeSeconds) : [],
  ].flat();
  return parts.length === 0 ? [] : [{ kind: 'METRICS', text: `Used ${parts.join(', ')}.` }];
}

function secondsText(from: Date, to: Date, walltimeSeconds: number): string {
  const seconds = Math.round((to.getTime() - from.getTime()) / 1000);
  return `${seconds} of ${plural(walltimeSeconds, 'second')} of walltime`;
}
