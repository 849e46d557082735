/**
 * The job of an event, with the fields that the event contains. Most subscribers select no others, and then
 * nothing is read.
 */
import type { JobDocument } from '../../jobs/model/job.types.js';
import { selectsOnly } from '../../shared/selects-only.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** Fields of a job whose resolvers need no more than an event has. */
const eventFields: ReadonlySet<string> = new Set([
  '__typename',
  'id',
  'experiment',
  'owner',
  'task',
  'taskId',
  'taskIndex',
  'share',
  'sharePath',
  'priority',
  'labels',
  'state',
  'attempt',
  'notBefore',
  'revision',
  'updatedAt',
  'worker',
  'workerId',
]);

/** Returns the job of an event. Only {@link eventFields} can be resolved from it. */
export function jobOfEvent({ jobId, last }: StreamedJobEvent): JobDocument {
  const known: Partial<JobDocument> = {
    _id: jobId,
    experiment: last.experiment,
    owner: last.owner,
    ...(last.taskId === undefined ? {} : { taskId: last.taskId }),
    ...(last.taskIndex === undefined ? {} : { taskIndex: last.taskIndex }),
    share: last.share,
    priority: last.priority,
    labels: last.labels.map(labelOf),
    state: last.to,
    attempt: last.attempt,
    ...(last.notBefore === undefined ? {} : { notBefore: last.notBefore }),
    ...(last.workerId === undefined ? {} : { workerId: last.workerId }),
    revision: last.revision,
    updatedAt: last.at,
  };
  return known as JobDocument;
}

/** Keys have no `=`. */
function labelOf(text: string): JobDocument['labels'][number] {
  const at = text.indexOf('=');
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

/** Checks that an operation selects only fields of the job that the event contains. */
export const isKnownFromEvent = selectsOnly(eventFields);
