import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { sleep } from '@rhizome/retry';
import type { JobsRepository } from '../model/jobs.repository.js';
import type { EventHandler } from './event-work.js';
import { LeaderTask, type LeaderWork } from '../../shared/leader-task.js';
import type { TransitionWriter } from './transition.types.js';

/** Dependencies of {@link BackoffTimer}. */
export interface BackoffTimerOptions {
  readonly jobs: JobsRepository;
  readonly writer: TransitionWriter;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
}

const pageSize = 1000;
/** Longest sleep: prevents a timer overflow and bounds the effect of a changed clock. */
const longestSleepMs = 60_000;

/**
 * Timer of the leader that activates jobs when their backoff ends. It sleeps until the next end and wakes up
 * if an earlier one is added.
 */
export class BackoffTimer implements EventHandler {
  readonly name = 'backoff';
  readonly #options: BackoffTimerOptions;
  readonly #task: LeaderTask;
  #expectNoMore: (() => void) | undefined;
  /** End of the next known backoff, in milliseconds since the epoch. */
  #next = Number.POSITIVE_INFINITY;
  #wake = new AbortController();

  constructor(options: BackoffTimerOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  /** Runs while this process leads. */
  start(): void {
    this.#task.start();
    this.#expectNoMore = this.#options.writer.onApplied((applied) =>
      applied.forEach(({ last }) => this.#expect(last.notBefore)),
    );
  }

  /** Declines further leadership and waits for the work in progress. */
  async stop(): Promise<void> {
    this.#expectNoMore?.();
    await this.#task.stop();
  }

  async handle(events: Parameters<EventHandler['handle']>[0]): Promise<void> {
    events.forEach(({ last }) => this.#expect(last.notBefore));
  }

  async recover(): Promise<void> {
    this.#expect(this.#options.clock.now());
  }

  /** Notifies the timer of the end of a backoff. */
  #expect(at: Date | undefined): void {
    if (!at || at.getTime() >= this.#next) return;
    this.#next = at.getTime();
    this.#wake.abort();
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { jobs, clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#activateDue(signal);
        this.#next = Number.POSITIVE_INFINITY;
        this.#expect((await jobs.nextBackoff()) ?? undefined);
        this.#wake = new AbortController();
        const milliseconds = Math.min(Math.max(this.#next - clock.now().getTime() + 1, 0), longestSleepMs);
        await sleep(milliseconds, AbortSignal.any([signal, this.#wake.signal]));
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'backoff timer interrupted');
        await sleep(500, signal);
      }
    }
  }

  async #activateDue(signal: AbortSignal): Promise<void> {
    const { jobs, writer, clock } = this.#options;
    while (!signal.aborted) {
      const due = await jobs.dueBackoffs(clock.now(), pageSize);
      if (due.length === 0) return;
      await writer.apply(
        due.map(({ _id }) => ({
          jobId: _id,
          from: 'PENDING',
          to: 'ACTIVATED',
          by: 'backoff',
          actor: 'system:backoff',
          reason: 'its backoff ended',
          change: { notBefore: null },
        })),
      );
    }
  }
}
