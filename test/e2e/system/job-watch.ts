/** Follows all jobs as a client does, by the resumable stream, and keeps what it saw. */
import { EventEmitter } from 'node:events';
import type { ApiClient, TypedDocumentNode } from '@rhizome/client';
import { leftovers, waitFor } from '@rhizome/testkit';
import { parse } from 'graphql';

/** One event of a job. */
export interface JobEvent {
  readonly cursor: string;
  readonly jobId: string;
  readonly previousState: string | null;
  readonly state: string;
  readonly attempt: number;
  readonly revision: number;
  readonly reason: string | null;
  readonly actor: { readonly subject: string };
}

interface Payload {
  readonly jobStateChanged: {
    readonly cursor: string;
    readonly event: (Omit<JobEvent, 'jobId' | 'cursor'> & { readonly job: { readonly id: string } }) | null;
  };
}

const document = parse(/* GraphQL */ `
  subscription WatchJobs($after: String) {
    jobStateChanged(after: $after) {
      cursor
      event {
        job {
          id
        }
        previousState
        state
        attempt
        revision
        reason
        actor {
          subject
        }
      }
    }
  }
`) as TypedDocumentNode<Payload, object>;

/** Seen events, and waiting for further ones. */
export interface JobWatch {
  /** In the order in which they came. */
  readonly events: readonly JobEvent[];
  /** Codes of the errors for which the stream was opened again. */
  readonly reconnects: readonly string[];
  /** The events of one job. */
  of(jobId: string): readonly JobEvent[];
  /** The first event that fits, past or to come. */
  until(what: string, fits: (event: JobEvent) => boolean, deadlineMs: number): Promise<JobEvent>;
  /** The event by which a job came into one of the states, past or to come. */
  untilState(jobId: string, states: string | readonly string[], deadlineMs: number): Promise<JobEvent>;
  stop(): Promise<void>;
}

/** Opens the stream; resolves when it is open, so that whatever happens from then on is seen. */
export async function watchJobs(client: ApiClient): Promise<JobWatch> {
  const events: JobEvent[] = [];
  const reconnects: string[] = [];
  const news = new EventEmitter().setMaxListeners(1000);
  const stream = client.subscribeResumable(
    document,
    {},
    {
      cursorOf: ({ jobStateChanged }) => jobStateChanged.cursor,
      onReconnect: ({ error }) => reconnects.push(error.code),
    },
  );
  await waitFor('the opening of the stream of jobs', stream.next(), { deadlineMs: 10_000 });
  const reading = read(stream, events, news);
  // A waiting test is notified; otherwise the next wait reports a failed stream.
  reading.catch(() => undefined);
  leftovers.defer('the stream of jobs', () => stream.return?.());
  const until: JobWatch['until'] = (what, fits, deadlineMs) =>
    found(what, fits, deadlineMs, { events, news, reading });
  return {
    events,
    reconnects,
    of: (jobId) => events.filter((event) => event.jobId === jobId),
    until,
    untilState: (jobId, states, deadlineMs) => {
      const wanted = typeof states === 'string' ? [states] : states;
      const fits = (event: JobEvent) => event.jobId === jobId && wanted.includes(event.state);
      return until(`${jobId} in ${wanted.join(' or ')}`, fits, deadlineMs);
    },
    stop: async () => void (await stream.return?.()),
  };
}

async function read(stream: AsyncIterable<Payload>, events: JobEvent[], news: EventEmitter): Promise<void> {
  for await (const { jobStateChanged } of stream) {
    const { cursor, event: reported } = jobStateChanged;
    if (!reported) continue;
    const { job, ...rest } = reported;
    const event = { ...rest, cursor, jobId: job.id };
    events.push(event);
    news.emit('event', event);
  }
}

interface Seen {
  readonly events: readonly JobEvent[];
  readonly news: EventEmitter;
  readonly reading: Promise<void>;
}

async function found(
  what: string,
  fits: (event: JobEvent) => boolean,
  deadlineMs: number,
  { events, news, reading }: Seen,
): Promise<JobEvent> {
  const past = events.find(fits);
  if (past) return past;
  let look = (_event: JobEvent): void => undefined;
  const coming = new Promise<JobEvent>((resolve) => {
    look = (event) => {
      if (fits(event)) resolve(event);
    };
    news.on('event', look);
  });
  // A stream that ended or failed brings nothing any more.
  const ended = reading.then(() => Promise.reject(new Error('the stream of jobs has ended')));
  ended.catch(() => undefined);
  try {
    return await waitFor(what, Promise.race([coming, ended]), { deadlineMs });
  } catch (error) {
    const seen = events
      .slice(-20)
      .map(({ jobId, state, attempt }) => `${jobId} ${state} (attempt ${attempt})`);
    throw new Error(`${String(error)}; the last events were:\n${seen.join('\n')}`, { cause: error });
  } finally {
    news.off('event', look);
  }
}

/**
 * Errors in the events of a job: gaps and repetitions of its revision, and states that do not follow each
 * other.
 */
export function faultsOf(events: readonly JobEvent[]): readonly string[] {
  return events.flatMap((event, index) => {
    const before = events[index - 1];
    if (!before) return [];
    const faults = [];
    if (event.revision <= before.revision) faults.push(`revision ${event.revision} after ${before.revision}`);
    if (event.previousState !== before.state)
      faults.push(`${event.previousState} → ${event.state} after ${before.state}`);
    return faults;
  });
}
