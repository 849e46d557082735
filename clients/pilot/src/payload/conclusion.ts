import { AttemptError } from './attempt-error.js';
import type { PayloadLimits, PayloadResult } from './payload.js';

/** The error of an ended payload; undefined if it succeeded. */
export function failureOf(result: PayloadResult, limits: PayloadLimits): AttemptError | undefined {
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
  const isOwn = ['DISK_EXCEEDED', 'MEMORY_EXCEEDED'].includes(failure.code);
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
