/** Lines that payloads wrote to their standard output, from the log of an attempt in core. */
import type { ApiClient } from '@rhizome/client';
import { ExperimentJobLogDocument } from '../operations.generated.js';

/** Longest line that is returned, in characters; longer ones are left out. */
const maxLineLength = 8192;
/** Pages of a log that are read at most. One of 50 chunks of 64 KiB is not too large, however escaped. */
const maxPages = 4000;

/** An attempt of a job. */
export interface LoggedAttempt {
  readonly jobId: string;
  /** From 1. */
  readonly attempt: number;
}

/**
 * The lines of the standard output of an attempt, in order, with a bound on their number and length; none if
 * the job does not exist. @throws RhizomeApiError
 */
export async function* outputLines(
  core: ApiClient,
  { jobId, attempt }: LoggedAttempt,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  let after: string | null = null;
  let rest = '';
  for (let page = 0; page < maxPages; page += 1) {
    const variables: { id: string; attempt: number; after: string | null } = { id: jobId, attempt, after };
    const { job } = await core.query(ExperimentJobLogDocument, variables, { signal });
    if (!job) return;
    for (const { stream, text } of job.log.chunks) {
      if (stream !== 'STDOUT') continue;
      const lines = (rest + text).split('\n');
      // A line without an end must not grow without a bound.
      rest = (lines.pop() ?? '').slice(0, maxLineLength + 1);
      for (const line of lines) if (line.length <= maxLineLength) yield line;
    }
    if (!job.log.hasNextPage) break;
    after = job.log.endCursor;
  }
  if (rest !== '' && rest.length <= maxLineLength) yield rest;
}
