/** Hands over what a crash, or a core that could not be reached, left behind. */
import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import type { SubmissionDocument } from './submission.document.js';
import type { SubmissionsRepository } from './submissions.repository.js';
import type { Submitter } from './submitter.js';

/** What {@link sweepWhile} works with. */
export interface SweepOptions<T extends SubmissionDocument, C> {
  readonly submissions: SubmissionsRepository<T>;
  readonly submitter: Pick<Submitter<T, C, string>, 'handOver'>;
  /** Told of each submission that was handed over late: events of its jobs may have gone by. */
  readonly healed: (submission: T) => Promise<void>;
  readonly log: Logger;
  /** Time between two rounds, in milliseconds. */
  readonly everyMs: number;
}

const pageSize = 100;

/** Looks at once, and then again and again until the signal aborts. Never rejects. */
export async function sweepWhile<T extends SubmissionDocument, C>(
  options: SweepOptions<T, C>,
  signal: AbortSignal,
): Promise<void> {
  do {
    try {
      await round(options, signal);
    } catch (error) {
      options.log.warn({ err: error }, 'submissions could not be handed over; they are tried again');
    }
  } while (await sleep(options.everyMs, signal));
}

/** One look at all submissions that core has not taken. Stops at the first that cannot be handed over now. */
async function round<T extends SubmissionDocument, C>(
  { submissions, submitter, healed, log }: SweepOptions<T, C>,
  signal: AbortSignal,
): Promise<void> {
  let behind = '';
  for (;;) {
    const page = await submissions.inStage('SUBMITTING', behind, pageSize);
    for (const submission of page) {
      if (signal.aborted) return;
      const result = await submitter.handOver(submission);
      if ('faults' in result) {
        log.warn(
          { submission: submission._id, faults: result.faults },
          'core refused a submission that was left behind',
        );
      } else await healed(result.submission);
    }
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    behind = last._id;
  }
}
