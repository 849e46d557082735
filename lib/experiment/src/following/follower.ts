/**
 * Follows the jobs of an experiment by core's event stream. The cursor is stored together with what was derived from the events before it,
 * so that each event has its effect once, whatever breaks off in between.
 */
import { type ApiClient, isRhizomeApiError, type RhizomeApiError } from '@rhizome/client';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/mongo';
import {
  ExperimentJobEventsDocument,
  type ExperimentJobEventsSubscription,
} from '../operations.generated.js';
import { pause } from '../pause.js';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import { type JobFact, tellingStates } from './job-fact.js';
import type { SnapshotOptions } from './snapshot.js';
import { takeSnapshot } from './snapshot.js';

/** What {@link JobFollower} works with. */
export interface FollowerOptions<T extends SubmissionDocument> extends SnapshotOptions<T> {
  readonly core: ApiClient;
  /** Whose jobs. */
  readonly experiment: string;
  /** The key of the label that names a job's submission. */
  readonly label: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Wait after a failure, doubled with each further one up to 30 seconds; 500 ms unless given. */
  readonly backoffMs?: number;
}

type Event = ExperimentJobEventsSubscription['jobStateChanged'];

/** Events taken in at once. */
const maxBatch = 500;
/** How often the place is noted while there are only events of others. */
const placeMs = 1000;
const longestBackoffMs = 30_000;
/** The stream cannot go on from the cursor that is stored. */
const lostCodes: readonly string[] = ['CURSOR_EXPIRED', 'CURSOR_INVALID'];

/** See the head of this file. */
export class JobFollower<T extends SubmissionDocument> {
  readonly #options: FollowerOptions<T>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isFollowing = false;

  constructor(options: FollowerOptions<T>) {
    this.#options = options;
  }

  /** Whether the stream is open, and a gap before it was closed. */
  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** Begins; core need not be reachable yet. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends after what is being taken in. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { ledger, log, backoffMs = 500 } = this.#options;
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.#follow(() => (failures = 0));
        if (!signal.aborted) log.warn('the stream of events was ended by core; it is opened again');
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error }, 'the stream of events broke; it is opened again');
        if (isLost(error)) await ledger.forgetCursor().catch(() => undefined);
      }
      this.#isFollowing = false;
      await pause(Math.min(backoffMs * 2 ** Math.min(failures, 16), longestBackoffMs), signal);
      failures += 1;
    }
  }

  /** Takes the stream in from the stored cursor, or, after a look at all jobs, from now. @param going told when events were taken in */
  async #follow(going: () => void): Promise<void> {
    const { core, experiment, ledger, clock, log } = this.#options;
    const { signal } = this.#stopping;
    const cursor = await ledger.cursor();
    let fault: RhizomeApiError | undefined;
    const stream = core.subscribeResumable(
      ExperimentJobEventsDocument,
      { experiment, states: [...tellingStates], after: cursor },
      {
        cursorOf: ({ jobStateChanged }) => jobStateChanged.cursor,
        signal,
        onErrors: ([error]) => (fault = error),
        onReconnect: ({ attempt, error }) =>
          log.info({ attempt, code: error.code }, 'following goes on after a break'),
      },
    );
    let isCaughtUp = cursor !== null;
    let notedAt = clock.monotonicMs();
    this.#isFollowing = isCaughtUp;
    try {
      for await (const events of inBatches(stream)) {
        // An event whose job could not be told must not be passed by.
        if (fault) throw fault;
        if (!isCaughtUp) await takeSnapshot(this.#options, signal);
        if (signal.aborted) return;
        const facts = this.#factsOf(events);
        // Events of others are told again after a crash; that costs less than to note the place behind each of them.
        const isDue = facts.length > 0 || !isCaughtUp || clock.monotonicMs() - notedAt >= placeMs;
        if (isDue) {
          await ledger.takeIn(facts, events.at(-1)?.cursor);
          notedAt = clock.monotonicMs();
        }
        isCaughtUp = true;
        this.#isFollowing = true;
        going();
      }
    } finally {
      this.#isFollowing = false;
      await stream.return?.();
    }
  }

  #factsOf(events: readonly Event[]): readonly JobFact[] {
    const { label } = this.#options;
    return events.flatMap(({ job, state, revision }): JobFact[] => {
      const submissionId = job?.labels.find(({ key }) => key === label)?.value;
      // The opening message; a job outside of a task; one that this experiment did not submit.
      if (!job?.task || job.taskIndex == null || state == null || revision == null) return [];
      if (submissionId === undefined) return [];
      return [{ submissionId, taskId: job.task.id, index: job.taskIndex, jobId: job.id, revision, state }];
    });
  }
}

function isLost(error: unknown): boolean {
  return isRhizomeApiError(error) && lostCodes.includes(error.code);
}

/** What is there at once is handed out together; a stream that is quiet hands out one event at a time. */
async function* inBatches(
  stream: AsyncIterator<ExperimentJobEventsSubscription>,
): AsyncGenerator<readonly Event[], void, undefined> {
  let next = stream.next();
  for (;;) {
    const first = await next;
    if (first.done) return;
    const batch = [first.value.jobStateChanged];
    next = stream.next();
    while (batch.length < maxBatch) {
      const more = await Promise.race([next, nothingNow()]);
      if (more === undefined || more.done) break;
      batch.push(more.value.jobStateChanged);
      next = stream.next();
    }
    // Whoever takes the batch may give up: the read ahead must not fail unheard.
    next.catch(() => undefined);
    yield batch;
  }
}

function nothingNow(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(() => resolve(undefined)));
}
