/** Flags for the notice that a payload receives before its end. */
import { type Command, Option } from 'commander';
import { CliError, exitCodes } from '../exit-codes.js';
import { wholeNumber } from '../flags/flags.js';
import type { JobNoticeInput, NoticeSignal } from '../operations.generated.js';
import { noticeSignals } from '../states.js';

/** Flags of a job. */
export interface NoticeFlags {
  readonly notice?: number;
  readonly noticeSignal?: NoticeSignal;
  readonly checkpointExitCode?: number;
}

/** Adds the flags of a job. */
export function withNotice(command: Command): Command {
  return command
    .option(
      '--notice <seconds>',
      'time before its end at which the payload receives notice (default: none)',
      wholeNumber(1, 3600),
    )
    .addOption(
      new Option('--notice-signal <signal>', 'signal of the notice (default: SIGTERM)').choices(
        noticeSignals,
      ),
    )
    .option(
      '--checkpoint-exit-code <n>',
      'exit code by which the payload says that it has saved its state',
      wholeNumber(1, 255),
    );
}

/** The notice of a job; undefined if no flag asks for one. @throws CliError without its time */
export function noticeOf({
  notice: seconds,
  noticeSignal: signal,
  checkpointExitCode,
}: NoticeFlags): JobNoticeInput | undefined {
  const more = {
    ...(signal === undefined ? {} : { signal }),
    ...(checkpointExitCode === undefined ? {} : { checkpointExitCode }),
  };
  if (seconds !== undefined) return { seconds, ...more };
  if (Object.keys(more).length === 0) return undefined;
  throw new CliError(exitCodes.usage, '--notice-signal and --checkpoint-exit-code need --notice');
}

/** Notice of a job, for people. */
export function noticeText({
  seconds,
  signal,
  checkpointExitCode,
}: {
  readonly seconds: number;
  readonly signal: NoticeSignal;
  readonly checkpointExitCode: number | null;
}): string {
  const text = `${signal === 'NONE' ? 'without a signal' : signal}, ${seconds} s before the end`;
  return checkpointExitCode === null ? text : `${text}; exit code ${checkpointExitCode} after a checkpoint`;
}
