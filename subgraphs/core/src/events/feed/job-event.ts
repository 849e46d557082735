/**
 * Event of the stream, made from the part of a job document that a transition or a submission has written.
 */
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import type { StoredLastEvent } from '../../jobs/model/job.types.js';

/** An event of the stream. */
export type StreamedJobEvent = JobEvent;

/** Notice that a document other than a job was written: a queue, a share, a task. */
export interface DocumentNotice {
  /** Position in the stream, as {@link StreamedJobEvent.token}. */
  readonly token: string;
  readonly collection: string;
  readonly id: string;
}

/**
 * Texts that occur repeatedly in events are kept once. A plain map that is cleared when it is full, not an
 * LRU cache: there are ten lookups per event, and each would have to move its entry.
 */
const kept = new Map<string, string>();
const maxKept = 20_000;

function once(text: string): string {
  const known = kept.get(text);
  if (known !== undefined) return known;
  if (kept.size >= maxKept) kept.clear();
  kept.set(text, text);
  return text;
}

const repeated = [
  'actor',
  'reason',
  'experiment',
  'taskId',
  'queue',
  'previousQueue',
  'share',
  'previousShare',
  'owner',
  'classId',
  'previousClassId',
  'workerId',
] as const;

/** Makes an event from a change of the stream, see `change-feed.repository.ts`. */
export function toJobEvent(token: string, jobId: string, stored: Record<string, unknown>): StreamedJobEvent {
  for (const field of repeated) {
    const text = stored[field] as string | undefined;
    if (text !== undefined) stored[field] = once(text);
  }
  return { token, jobId, last: stored as unknown as StoredLastEvent };
}
