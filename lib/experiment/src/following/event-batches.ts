/** The event stream in batches: what comes within a moment is taken in by one transaction, which costs as much as one event alone. */
import type { RhizomeApiError } from '@rhizome/client';
import type { ExperimentJobEventsSubscription } from '../operations.generated.js';

/** A message of core's stream. */
export type JobMessage = ExperimentJobEventsSubscription['jobStateChanged'];

/** A message, and what could not be read of it. */
export interface Told {
  readonly message: JobMessage;
  readonly fault?: RhizomeApiError | undefined;
}

/** Where the errors of an event are put, just before it is handed out. */
export interface Faults {
  current?: RhizomeApiError | undefined;
}

/** Events of a batch at most. */
const maxBatch = 500;
/** How long the first event of a batch waits for others, in milliseconds: nobody sees a job's end that much later. */
const collectMs = 25;

/** Each event of the stream with its own fault. */
export async function* told(
  stream: AsyncIterator<ExperimentJobEventsSubscription>,
  faults: Faults,
): AsyncGenerator<Told, void, undefined> {
  for (;;) {
    faults.current = undefined;
    const item = await stream.next();
    if (item.done) return;
    yield { message: item.value.jobStateChanged, fault: faults.current };
  }
}

/** What comes within a moment is handed out together. */
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
    // Whoever takes the batch may give up: the read ahead must not fail unheard.
    next.catch(() => undefined);
    yield batch;
  }
}

function after(ms: number): { readonly promise: Promise<undefined>; clear(): void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
  return { promise, clear: () => clearTimeout(timer) };
}
