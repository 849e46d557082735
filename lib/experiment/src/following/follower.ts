/**
 * Follows the jobs of an experiment through core's event stream. The cursor is stored together with the data
 * derived from the events before it, so that each event takes effect exactly once, also after a crash.
 */
import {
  type ApiClient,
  isRhizomeApiError,
  type RhizomeApiError,
  type TypedDocumentNode,
} from '@rhizome/client';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { Following } from '../module.js';
import {
  ExperimentJobEventsDocument,
  type ExperimentJobEventsSubscriptionVariables,
  ExperimentWorkflowJobEventsDocument,
} from '../operations.generated.js';
import { Backoff, sleep } from '@rhizome/retry';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import {
  type EventErrors,
  type JobEvents,
  type JobMessage,
  inBatches,
  withErrors,
  type ReceivedEvent,
} from './event-batches.js';
import { type JobFact, followedNodeStates, followedStates } from './job-fact.js';
import { nodeRunOf } from './node-run.js';
import type { SnapshotOptions } from './snapshot.js';
import { takeSnapshot } from './snapshot.js';

type JobEventsVariables = ExperimentJobEventsSubscriptionVariables;

/** Dependencies of {@link JobFollower}. */
export interface FollowerOptions<T extends SubmissionDocument> extends SnapshotOptions<T> {
  readonly core: ApiClient;
  /** Experiment whose jobs are followed. */
  readonly experiment: string;
  /** Key of the label that names a job's submission. */
  readonly label: string;
  /** True if the submissions are workflows, whose jobs are followed in more detail. */
  readonly areWorkflows?: boolean;
  /** Called after events of its jobs were recorded. */
  readonly recorded?: (() => void) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Upper bound of the wait after a failure; doubles with each further one, up to 30 s. Default 500 ms. */
  readonly backoffMs?: number;
}

/** Interval at which the cursor is stored while there are only events of other experiments. */
const cursorIntervalMs = 1000;
const maxDelayMs = 30_000;
/** Errors after which the stream cannot continue from the stored cursor. */
const lostCodes: readonly string[] = ['CURSOR_EXPIRED', 'CURSOR_INVALID'];
/**
 * The experiment is not authenticated or not permitted: an operator must fix it; skipping an event does not
 * help.
 */
const identityCodes: readonly string[] = ['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'FORBIDDEN'];
/** Number of attempts to read an event that fails: about half an hour if a retry may help. */
const maxTries = { later: 60, never: 6 } as const;

const notStuck: { readonly cursor: string; readonly tries: number } = { cursor: '', tries: 0 };

export class JobFollower<T extends SubmissionDocument> {
  readonly #options: FollowerOptions<T>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isFollowing = false;
  #deadLetters = 0;
  /**
   * Last event that could not be read, or last position at which the stream failed, with the number of
   * attempts.
   */
  readonly #stuck = { event: notStuck, position: notStuck };
  /** Error of an event, which is not an error of the stream. */
  #fault: unknown;

  constructor(options: FollowerOptions<T>) {
    this.#options = options;
  }

  /** True while the stream is open and a gap before it is closed; with the number of dead letters. */
  get following(): Following {
    return { isOpen: this.#isFollowing, deadLetters: this.#deadLetters };
  }

  /** Starts; core may be unreachable at first. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Stops after the current batch. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { ledger, log, backoffMs: initialDelayMs = 500 } = this.#options;
    const { signal } = this.#stopping;
    this.#deadLetters = await ledger.deadLetterCount().catch(() => 0);
    const backoff = new Backoff({ initialDelayMs, maxDelayMs });
    while (!signal.aborted) {
      try {
        await this.#follow(() => backoff.reset());
        if (!signal.aborted) log.warn('event stream ended by core; it is opened again');
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error }, 'event stream failed; it is opened again');
        if (isCursorLost(error) || (error !== this.#fault && (await this.#isStuck(error))))
          await ledger.forgetCursor().catch(() => undefined);
      }
      this.#isFollowing = false;
      await sleep(backoff.next(), signal);
    }
  }

  /**
   * Reads the stream from the stored cursor, or from now after a snapshot of all jobs. @param going called
   * after events were recorded
   */
  async #follow(going: () => void): Promise<void> {
    const { core, experiment, areWorkflows = false, ledger, clock, log } = this.#options;
    const { signal } = this.#stopping;
    const cursor = await ledger.cursor();
    const errors: EventErrors = {};
    const document: TypedDocumentNode<JobEvents, JobEventsVariables> = areWorkflows
      ? ExperimentWorkflowJobEventsDocument
      : ExperimentJobEventsDocument;
    const stream = core.subscribeResumable(
      document,
      { experiment, states: [...(areWorkflows ? followedNodeStates : followedStates)], after: cursor },
      {
        cursorOf: ({ jobStateChanged }: JobEvents) => jobStateChanged.cursor,
        signal,
        onErrors: ([error]) => (errors.current = error),
        onReconnect: ({ attempt, error }) =>
          log.info({ attempt, code: error.code }, 'event stream reconnected'),
      },
    );
    let isCaughtUp = cursor !== null;
    let notedAt = clock.monotonicMs();
    this.#isFollowing = isCaughtUp;
    try {
      for await (const batch of inBatches(withErrors(stream, errors))) {
        if (!isCaughtUp) await takeSnapshot(this.#options, signal);
        if (signal.aborted) return;
        // Events of other experiments are repeated after a crash, which costs less than to store the cursor
        // after each.
        const isDue = !isCaughtUp || clock.monotonicMs() - notedAt >= cursorIntervalMs;
        if (await this.#record(batch, isDue)) notedAt = clock.monotonicMs();
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
   * Records a batch up to the first event that could not be read; that one is retried, or becomes a dead
   * letter.
   * @returns true if the cursor was stored
   * @throws RhizomeApiError of an event to retry
   */
  async #record(batch: readonly ReceivedEvent[], isDue: boolean): Promise<boolean> {
    const at = batch.findIndex(({ fault }) => fault !== undefined);
    const messages = (at < 0 ? batch : batch.slice(0, at)).map(({ message }) => message);
    const facts = this.#factsOf(messages);
    const isNoted = (isDue || facts.length > 0) && messages.length > 0;
    if (isNoted) await this.#options.ledger.record(facts, messages.at(-1)?.cursor);
    if (facts.length > 0) this.#options.recorded?.();
    const broken = batch[at];
    if (!broken?.fault) return isNoted;
    await this.#skipUnreadable(broken.message, broken.fault);
    await this.#record(batch.slice(at + 1), true);
    return true;
  }

  /** An event whose job cannot be read is retried first; later events must not wait without limit. */
  async #skipUnreadable({ cursor, event }: JobMessage, fault: RhizomeApiError): Promise<void> {
    const { ledger, log } = this.#options;
    const tries = this.#tried('event', cursor);
    this.#fault = fault;
    if (tries < (fault.retry === 'never' ? maxTries.never : maxTries.later)) throw fault;
    const { code, message } = fault;
    const jobId = event ? { jobId: event.job.id } : {};
    this.#deadLetters = await ledger.addDeadLetter({
      _id: cursor,
      ...jobId,
      code: code.slice(0, 100),
      message: message.slice(0, 2000),
      tries,
    });
    log.error({ err: fault, cursor, ...jobId, tries }, 'event skipped as unreadable');
    // The skipped change may be visible in the current state of the job.
    await takeSnapshot(this.#options, this.#stopping.signal).catch((error: unknown) =>
      log.warn({ err: error }, 'snapshot of jobs failed after a skipped event'),
    );
  }

  /** Returns true if the stream fails repeatedly at its first event, and retries do not help. */
  async #isStuck(error: unknown): Promise<boolean> {
    if (!isRhizomeApiError(error) || error.retry !== 'never' || identityCodes.includes(error.code))
      return false;
    const cursor = await this.#options.ledger.cursor().catch(() => null);
    if (cursor === null || this.#tried('position', cursor) < maxTries.never) return false;
    this.#options.log.error(
      { err: error, cursor },
      'event stream unreadable at its cursor; it restarts from now, after a snapshot of all jobs',
    );
    return true;
  }

  #tried(what: 'event' | 'position', cursor: string): number {
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
      // A job outside of tasks and workflows, or one that this experiment did not submit.
      if (submissionId === undefined) return [];
      const fact = { submissionId, jobId: job.id, revision, state };
      if (job.task && job.taskIndex != null) return [{ ...fact, coreId: job.task.id, index: job.taskIndex }];
      if (!('workflowId' in job) || job.workflowId == null || job.workflowIndex == null) return [];
      return [{ ...fact, coreId: job.workflowId, index: job.workflowIndex, run: nodeRunOf(job) }];
    });
  }
}

/** True if a stream cannot continue from its cursor. */
export function isCursorLost(error: unknown): boolean {
  return isRhizomeApiError(error) && lostCodes.includes(error.code);
}
