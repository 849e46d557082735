/** The job of an event, as far as the event itself tells: many subscribers want no more, and then nothing is read. */
import type { JobDocument } from '../../jobs/model/job.types.js';
import { selectsOnly } from '../../shared/selects-only.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** Fields of a job whose resolvers need no more than an event has. */
const told: ReadonlySet<string> = new Set([
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

/** A job as its event tells it: the fields of {@link told} can be resolved from it, and no others. */
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

/** Whether the event tells all that is selected of its job. */
export const isKnownFromEvent = selectsOnly(told);
