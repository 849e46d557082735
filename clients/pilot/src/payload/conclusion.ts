import { AttemptError } from './attempt-error.js';
import type { PayloadLimits, PayloadResult } from './payload.js';

/** The error of an ended payload; undefined if it succeeded. */
export function failureOf(result: PayloadResult, limits: PayloadLimits): AttemptError | undefined {
  const { exitCode, signal, exceeded, usage, peakDiskMiB } = result;
  if (exceeded === 'DISK') {
    const message = `the payload had ${peakDiskMiB} MiB in its scratch space; its limit is ${Math.max(1, limits.diskMiB)} MiB`;
    return new AttemptError('LIMIT', 'DISK_EXCEEDED', message, false);
  }
  if (exceeded === 'MEMORY') {
    const message = `the payload used ${usage.peakMemoryMiB ?? '?'} MiB of memory; its limit is ${limits.memoryMiB} MiB`;
    return new AttemptError('LIMIT', 'MEMORY_EXCEEDED', message, false);
  }
  if (exceeded === 'WALLTIME') {
    return new AttemptError(
      'LIMIT',
      'WALLTIME_EXCEEDED',
      `the payload ran longer than its limit of ${limits.walltimeSeconds} s`,
      false,
    );
  }
  if (signal !== null)
    return new AttemptError('PAYLOAD', 'SIGNAL', `the payload was ended by ${signal}`, true);
  if (exitCode === 0) return undefined;
  return new AttemptError('PAYLOAD', 'EXIT_CODE', `the payload ended with exit code ${exitCode}`, true);
}

/**
 * The error of a payload whose device failed while it ran: the host is the cause, and another attempt may
 * succeed.
 */
export function withDeviceFault(failure: AttemptError, fault: string | undefined): AttemptError {
  const isOwn = ['DISK_EXCEEDED', 'MEMORY_EXCEEDED'].includes(failure.code);
  if (fault === undefined || isOwn) return failure;
  return new AttemptError('WORKER', 'DEVICE_FAULT', `${fault}; ${failure.message}`, true, { cause: failure });
}

/** The error of a payload that could not be started. */
export function startFailure(command: string, error: unknown): AttemptError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such program on this host',
    EACCES: 'it may not be executed',
    ENOEXEC: 'it is no program for this host',
    E2BIG: 'its arguments and its environment are too long',
  };
  const message = `the payload could not be started: ${JSON.stringify(command)}: ${reasons[code] ?? code}`;
  return new AttemptError('WORKER', 'START_FAILED', message, true, { cause: error });
}
