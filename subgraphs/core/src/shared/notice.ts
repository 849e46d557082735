/**
 * Notice that a payload receives before its end. A job states how long before and by which signal; the queue
 * limits the time. Pure.
 */
import type { InputErrors } from '@rhizome/errors';

/** Signals by which payloads receive notice. */
export const noticeSignals = ['NONE', 'SIGHUP', 'SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;

/** One of {@link noticeSignals}. */
export type NoticeSignal = (typeof noticeSignals)[number];

/** Notice as the caller describes it. */
export interface NoticeSpec {
  readonly seconds: number;
  readonly signal?: NoticeSignal | null | undefined;
  readonly checkpointExitCode?: number | null | undefined;
}

/** Longest notice, in seconds: one hour, in a queue that allows it. */
export const longestNoticeSeconds = 3600;

/** Longest notice in a queue without a limit of its own, in seconds. */
export const usualLongestNoticeSeconds = 300;

/** Adds the errors of a stated notice. @param walltimeSeconds walltime of the job */
export function checkNotice(
  { seconds, checkpointExitCode }: NoticeSpec,
  path: readonly (string | number)[],
  errors: Pick<InputErrors<string>, 'add' | 'int'>,
  walltimeSeconds: number,
): void {
  errors.int([...path, 'seconds'], seconds, 1, longestNoticeSeconds);
  if (seconds >= walltimeSeconds)
    errors.add([...path, 'seconds'], seconds, `less than the walltime, which is ${walltimeSeconds} s`);
  if (checkpointExitCode != null) errors.int([...path, 'checkpointExitCode'], checkpointExitCode, 1, 255);
}
