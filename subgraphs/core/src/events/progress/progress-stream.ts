/**
 * Progress of jobs for a subscriber. It is read from the store in intervals, for the jobs that the subscriber
 * names: reports of progress are far more frequent than changes of state, and few of them are watched.
 */
import { badInput, DomainError } from '@rhizome/errors';
import { sleep } from '@rhizome/retry';
import type { JobProgressDocument } from '../../jobs/checkpoints/job-progress.document.js';

/** Message of the stream. */
export interface JobProgressChange {
  readonly token: string;
  /** Jobs whose progress or checkpoints changed. */
  readonly jobIds: readonly string[];
}

/** Reads of jobs. */
export interface ProgressJobs {
  /** The jobs among these that the subscriber may read. */
  readable(ids: readonly string[]): Promise<readonly string[]>;
  /** Progress of jobs, one entry for each id. */
  progress(
    ids: readonly string[],
  ): Promise<readonly (Pick<JobProgressDocument, '_id' | 'revision'> | null)[]>;
}

/** Jobs of a subscriber. */
export interface ProgressRequest {
  readonly ids: readonly string[];
  readonly intervalMs: number;
}

/** Most jobs of one subscriber. */
const maxJobs = 100;

/** @throws DomainError BAD_USER_INPUT */
export function assertFewJobs(ids: readonly string[]): void {
  if (ids.length === 0 || ids.length > maxJobs)
    throw badInput('ids', `${ids.length} ids`, `1 to ${maxJobs} ids`);
}

function assertAllFound(ids: readonly string[], found: readonly string[]): void {
  const known = new Set(found);
  const value = ids.find((id) => !known.has(id));
  if (value !== undefined)
    throw new DomainError('JOB_NOT_FOUND', `Job ${JSON.stringify(value)} not found, or you may not see it.`, {
      value,
    });
}

/** Streams the jobs whose progress has changed; the first message has all that have any. */
export async function* streamJobProgress(
  { ids, intervalMs }: ProgressRequest,
  jobs: ProgressJobs,
  { signal, head }: { readonly signal: AbortSignal; readonly head: () => string },
): AsyncGenerator<JobProgressChange, void, undefined> {
  const known = new Map<string, number>();
  let isFirst = true;
  while (!signal.aborted) {
    // Each time: a permission may end while the stream lasts.
    const readable = await jobs.readable(ids);
    if (isFirst) assertAllFound(ids, readable);
    const changed: string[] = [];
    for (const found of await jobs.progress(readable)) {
      if (!found || known.get(found._id) === found.revision) continue;
      known.set(found._id, found.revision);
      changed.push(found._id);
    }
    if (isFirst || changed.length > 0) yield { token: head(), jobIds: changed };
    isFirst = false;
    await sleep(intervalMs, signal);
  }
}
