/** Submits what a crash or an unreachable core left behind. */
import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import { Rounds } from './rounds.js';
import type { SubmissionDocument } from './submission.document.js';
import type { SubmissionsRepository } from './submissions.repository.js';
import type { Submitter } from './submitter.js';

/** Dependencies of {@link sweepWhile}. */
export interface SweepOptions<T extends SubmissionDocument, C> {
  readonly submissions: SubmissionsRepository<T>;
  readonly submitter: Pick<Submitter<T, C, string>, 'submitToCore'>;
  /** Called for each submission that was submitted late: events of its jobs may have been missed. */
  readonly healed: (submission: T) => Promise<void>;
  /** Notes which workflows have ended in core. */
  readonly ends: () => Promise<void>;
  /** Called in each round. */
  readonly recorded?: (() => void) | undefined;
  readonly log: Logger;
  /** Time between two rounds, in milliseconds. */
  readonly everyMs: number;
}

/** Runs a sweep at once and then periodically until the signal aborts. Never rejects. */
export async function sweepWhile<T extends SubmissionDocument, C>(
  options: SweepOptions<T, C>,
  signal: AbortSignal,
): Promise<void> {
  const left = new Rounds<T>((behind, limit) => options.submissions.inStage('SUBMITTING', behind, limit));
  do {
    try {
      options.recorded?.();
      await left.next((submission) => heal(options, submission), signal);
    } catch (error) {
      options.log.warn({ err: error }, 'sweep of submissions failed; it is retried');
    }
    try {
      await options.ends();
    } catch (error) {
      if (!signal.aborted) options.log.warn({ err: error }, 'ends of workflows unknown; this is retried');
    }
  } while (await sleep(options.everyMs, signal));
}

/** Submits one that core has not accepted. */
async function heal<T extends SubmissionDocument, C>(
  { submitter, healed, log }: SweepOptions<T, C>,
  submission: T,
): Promise<void> {
  const result = await submitter.submitToCore(submission);
  if ('faults' in result)
    log.warn({ submission: submission._id, faults: result.faults }, 'submission rejected by core');
  else await healed(result.submission);
}
