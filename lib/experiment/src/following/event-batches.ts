/**
 * The event stream in batches: one transaction for events that arrive together costs as much as one for a
 * single event.
 */
import type { RhizomeApiError } from '@rhizome/client';
import type {
  ExperimentJobEventsSubscription,
  ExperimentWorkflowJobEventsSubscription,
} from '../operations.generated.js';

/** Messages of core's stream: jobs of tasks, or jobs of workflows with all that is derived from them. */
export type JobEvents = ExperimentJobEventsSubscription | ExperimentWorkflowJobEventsSubscription;

/** A message of core's stream. */
export type JobMessage = JobEvents['jobStateChanged'];

/** A message with the error of its unreadable part. */
export interface ReceivedEvent {
  readonly message: JobMessage;
  readonly fault?: RhizomeApiError | undefined;
}

/** Errors of the current event, set just before it is returned. */
export interface EventErrors {
  current?: RhizomeApiError | undefined;
}

/** Maximum number of events in a batch. */
const maxBatch = 500;
/** Time that the first event of a batch waits for others, in milliseconds: the delay of a job's end. */
const collectMs = 25;

/** Each event of the stream with its own error. */
export async function* withErrors(
  stream: AsyncIterator<JobEvents>,
  errors: EventErrors,
): AsyncGenerator<ReceivedEvent, void, undefined> {
  for (;;) {
    errors.current = undefined;
    const item = await stream.next();
    if (item.done) return;
    yield { message: item.value.jobStateChanged, fault: errors.current };
  }
}

/** Groups events that arrive within {@link collectMs}. */
export async function* inBatches<T>(stream: AsyncIterator<T>): AsyncGenerator<readonly T[], void, undefined> {
  let next = stream.next();
  for (;;) {
    const first = await next;
    if (first.done) return;
    const batch = [first.value];
    next = stream.next();
    const over = after(collectMs);
    try {
      while (batch.length < maxBatch) {
        const more = await Promise.race([next, over.promise]);
        if (more === undefined || more.done) break;
        batch.push(more.value);
        next = stream.next();
      }
    } finally {
      over.clear();
    }
    // The consumer may stop here: a failure of the read ahead must not become an unhandled rejection.
    next.catch(() => undefined);
    yield batch;
  }
}

function after(ms: number): { readonly promise: Promise<undefined>; clear(): void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
  return { promise, clear: () => clearTimeout(timer) };
}
