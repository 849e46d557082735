import { AttemptError } from './attempt-error.js';
import type { PayloadLimits, PayloadResult } from './payload.js';

/** Reasons for which payloads end, for people. */
const reasons = {
  WALLTIME: 'at the end of its walltime',
  DRAIN: 'because its pilot drains',
  PREEMPTION: 'because its worker is needed for another job',
} as const;

/**
 * The error of an ended payload; undefined if it succeeded.
 * @param checkpointExitCode exit code by which it says after a notice that it has saved its state
 */
export function failureOf(
  result: PayloadResult,
  limits: PayloadLimits,
  checkpointExitCode: number | null = null,
): AttemptError | undefined {
  const { exitCode, exceeded, notice } = result;
  if (notice && exceeded === null && exitCode !== null && exitCode === checkpointExitCode) {
    const message = `The payload has saved its state after the notice that it ends ${reasons[notice.reason]}`;
    return new AttemptError('PAYLOAD', 'CHECKPOINTED', message, true);
  }
  const failure = ownFailureOf(result, limits);
  // A payload may fail because it received the notice.
  const isByNotice = exceeded === 'NOTICE' || ['SIGNAL', 'EXIT_CODE'].includes(failure?.code ?? '');
  if (notice?.reason !== 'DRAIN' || !isByNotice) return failure;
  const message = 'The payload ended after the notice that its pilot drains';
  return new AttemptError('WORKER', 'DRAINED', message, true, { cause: failure });
}

function ownFailureOf(result: PayloadResult, limits: PayloadLimits): AttemptError | undefined {
  const { exitCode, signal, exceeded, usage, peakDiskMiB } = result;
  if (exceeded === 'DISK') {
    const message = `The payload used ${peakDiskMiB} MiB of scratch space; the limit is ${Math.max(1, limits.diskMiB)} MiB`;
    return new AttemptError('LIMIT', 'DISK_EXCEEDED', message, false);
  }
  if (exceeded === 'MEMORY') {
    const message = `The payload used ${usage.peakMemoryMiB ?? '?'} MiB of memory; the limit is ${limits.memoryMiB} MiB`;
    return new AttemptError('LIMIT', 'MEMORY_EXCEEDED', message, false);
  }
  if (exceeded === 'WALLTIME') {
    return new AttemptError(
      'LIMIT',
      'WALLTIME_EXCEEDED',
      `The payload ran longer than its limit of ${limits.walltimeSeconds} s`,
      false,
    );
  }
  if (exceeded === 'CONTACT') {
    const message = 'Core was out of reach for longer than the payload may run on';
    return new AttemptError('WORKER', 'CONTACT_LOST', message, true);
  }
  if (!result.isStarted) {
    const message =
      'The payload could not be started in its sandbox, or ended it; the reason is in its error output';
    return new AttemptError('WORKER', 'START_FAILED', message, true);
  }
  if (signal !== null)
    return new AttemptError('PAYLOAD', 'SIGNAL', `The payload was ended by ${signal}`, true);
  if (exitCode === 0) return undefined;
  return new AttemptError('PAYLOAD', 'EXIT_CODE', `The payload ended with exit code ${exitCode}`, true);
}

/**
 * The error of a payload whose device failed while it ran: the host is the cause, and another attempt may
 * succeed.
 */
export function withDeviceFault(failure: AttemptError, fault: string | undefined): AttemptError {
  const isOwn = ['DISK_EXCEEDED', 'MEMORY_EXCEEDED', 'CHECKPOINTED'].includes(failure.code);
  if (fault === undefined || isOwn) return failure;
  return new AttemptError('WORKER', 'DEVICE_FAULT', `${fault}. ${failure.message}`, true, { cause: failure });
}

/** The error of a payload that could not be started. */
export function startFailure(command: string, error: unknown): AttemptError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'program not found on this host',
    EACCES: 'permission denied',
    ENOEXEC: 'not a program for this host',
    E2BIG: 'arguments and environment are too long',
  };
  const message = `The payload could not be started: ${JSON.stringify(command)}: ${reasons[code] ?? code}`;
  return new AttemptError('WORKER', 'START_FAILED', message, true, { cause: error });
}
