/**
 * Follows the jobs of an experiment by core's event stream. The cursor is stored together with what was derived from the events before it,
 * so that each event has its effect once, whatever breaks off in between.
 */
import { type ApiClient, isRhizomeApiError, type RhizomeApiError } from '@rhizome/client';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { Following } from '../module.js';
import { ExperimentJobEventsDocument } from '../operations.generated.js';
import { Backoff, sleep } from '@rhizome/retry';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import { type JobMessage, type Faults, inBatches, told, type Told } from './event-batches.js';
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
  /** Upper bound of the wait after a failure; doubles with each further one, up to 30 s. Default 500 ms. */
  readonly backoffMs?: number;
}

/** How often the place is noted while there are only events of others. */
const placeMs = 1000;
const maxDelayMs = 30_000;
/** The stream cannot go on from the cursor that is stored. */
const lostCodes: readonly string[] = ['CURSOR_EXPIRED', 'CURSOR_INVALID'];
/** Who asks is not known or not let in: no event is to blame, and an operator can mend it. */
const identityCodes: readonly string[] = ['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'FORBIDDEN'];
/** How often an event is asked for that cannot be told: where trying again may help, for about half an hour. */
const maxTries = { later: 60, never: 6 } as const;

const notStuck: { readonly cursor: string; readonly tries: number } = { cursor: '', tries: 0 };

/** See the head of this file. */
export class JobFollower<T extends SubmissionDocument> {
  readonly #options: FollowerOptions<T>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isFollowing = false;
  #parked = 0;
  /** The event that could not be told last, or the place that the stream could not be read from, and how often. */
  readonly #stuck = { event: notStuck, place: notStuck };
  /** The fault of an event, which is no fault of the stream. */
  #fault: unknown;

  constructor(options: FollowerOptions<T>) {
    this.#options = options;
  }

  /** Whether the stream is open, and a gap before it was closed; how many events were put aside. */
  get following(): Following {
    return { isOpen: this.#isFollowing, parked: this.#parked };
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
    const { ledger, log, backoffMs: initialDelayMs = 500 } = this.#options;
    const { signal } = this.#stopping;
    this.#parked = await ledger.parkedCount().catch(() => 0);
    const backoff = new Backoff({ initialDelayMs, maxDelayMs });
    while (!signal.aborted) {
      try {
        await this.#follow(() => backoff.reset());
        if (!signal.aborted) log.warn('the stream of events was ended by core; it is opened again');
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error }, 'the stream of events broke; it is opened again');
        if (isLost(error) || (error !== this.#fault && (await this.#isStuck(error))))
          await ledger.forgetCursor().catch(() => undefined);
      }
      this.#isFollowing = false;
      await sleep(backoff.next(), signal);
    }
  }

  /** Takes the stream in from the stored cursor, or, after a look at all jobs, from now. @param going told when events were taken in */
  async #follow(going: () => void): Promise<void> {
    const { core, experiment, ledger, clock, log } = this.#options;
    const { signal } = this.#stopping;
    const cursor = await ledger.cursor();
    const faults: Faults = {};
    const stream = core.subscribeResumable(
      ExperimentJobEventsDocument,
      { experiment, states: [...tellingStates], after: cursor },
      {
        cursorOf: ({ jobStateChanged }) => jobStateChanged.cursor,
        signal,
        onErrors: ([error]) => (faults.current = error),
        onReconnect: ({ attempt, error }) =>
          log.info({ attempt, code: error.code }, 'following goes on after a break'),
      },
    );
    let isCaughtUp = cursor !== null;
    let notedAt = clock.monotonicMs();
    this.#isFollowing = isCaughtUp;
    try {
      for await (const batch of inBatches(told(stream, faults))) {
        if (!isCaughtUp) await takeSnapshot(this.#options, signal);
        if (signal.aborted) return;
        // Events of others are told again after a crash; that costs less than to note the place behind each of them.
        const isDue = !isCaughtUp || clock.monotonicMs() - notedAt >= placeMs;
        if (await this.#takeIn(batch, isDue)) notedAt = clock.monotonicMs();
        isCaughtUp = true;
        this.#isFollowing = true;
        going();
      }
    } finally {
      this.#isFollowing = false;
      await stream.return?.();
    }
  }

  /**
   * Takes a batch in, up to the first event that could not be told; then that one is asked for again, or put aside.
   * @returns whether the place was noted
   * @throws RhizomeApiError of an event that is to be asked for again
   */
  async #takeIn(batch: readonly Told[], isDue: boolean): Promise<boolean> {
    const at = batch.findIndex(({ fault }) => fault !== undefined);
    const messages = (at < 0 ? batch : batch.slice(0, at)).map(({ message }) => message);
    const facts = this.#factsOf(messages);
    const isNoted = (isDue || facts.length > 0) && messages.length > 0;
    if (isNoted) await this.#options.ledger.takeIn(facts, messages.at(-1)?.cursor);
    const broken = batch[at];
    if (!broken?.fault) return isNoted;
    await this.#passBy(broken.message, broken.fault);
    await this.#takeIn(batch.slice(at + 1), true);
    return true;
  }

  /** An event whose job could not be told is not passed by lightly; but those behind it must not wait for ever. */
  async #passBy({ cursor, event }: JobMessage, fault: RhizomeApiError): Promise<void> {
    const { ledger, log } = this.#options;
    const tries = this.#tried('event', cursor);
    this.#fault = fault;
    if (tries < (fault.retry === 'never' ? maxTries.never : maxTries.later)) throw fault;
    const { code, message } = fault;
    const jobId = event ? { jobId: event.job.id } : {};
    this.#parked = await ledger.park({
      _id: cursor,
      ...jobId,
      code: code.slice(0, 100),
      message: message.slice(0, 2000),
      tries,
    });
    log.error({ err: fault, cursor, ...jobId, tries }, 'an event cannot be read; it was put aside');
    // What it would have told may be seen at its job.
    await takeSnapshot(this.#options, this.#stopping.signal).catch((error: unknown) =>
      log.warn({ err: error }, 'jobs could not be looked at after an event was put aside'),
    );
  }

  /** Whether the stream fails at its first event, again and again, for a reason that trying does not mend. */
  async #isStuck(error: unknown): Promise<boolean> {
    if (!isRhizomeApiError(error) || error.retry !== 'never' || identityCodes.includes(error.code))
      return false;
    const cursor = await this.#options.ledger.cursor().catch(() => null);
    if (cursor === null || this.#tried('place', cursor) < maxTries.never) return false;
    this.#options.log.error(
      { err: error, cursor },
      'the stream cannot be read from its place on; it is followed from now on, after a look at all jobs',
    );
    return true;
  }

  #tried(what: 'event' | 'place', cursor: string): number {
    const before = this.#stuck[what];
    const tries = before.cursor === cursor ? before.tries + 1 : 1;
    this.#stuck[what] = { cursor, tries };
    return tries;
  }

  #factsOf(messages: readonly JobMessage[]): readonly JobFact[] {
    const { label } = this.#options;
    return messages.flatMap(({ event }): JobFact[] => {
      if (!event) return [];
      const { job, state, revision } = event;
      const submissionId = job.labels.find(({ key }) => key === label)?.value;
      // A job outside of a task, or one that this experiment did not submit.
      if (!job.task || job.taskIndex == null || submissionId === undefined) return [];
      return [{ submissionId, taskId: job.task.id, index: job.taskIndex, jobId: job.id, revision, state }];
    });
  }
}

function isLost(error: unknown): boolean {
  return isRhizomeApiError(error) && lostCodes.includes(error.code);
}
