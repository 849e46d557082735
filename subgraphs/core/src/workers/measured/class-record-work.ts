/**
 * Measures the attempts of jobs with preferences from the event stream, each once, while this process leads.
 * The position in the stream is stored after the records; every record also has the position up to which it
 * is complete, so that events which are delivered again after a crash or a change of the leader are left out.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { JobEventStream } from '../../jobs/ports.js';
import type { ConsumersRepository } from '../../jobs/transitions/consumers.repository.js';
import { keepFollowing } from '../../shared/keep-following.js';
import { LeaderTask, type LeaderWork } from '../../shared/leader-task.js';
import { type EndedRun, endedRun } from './class-record-changes.js';
import type { ClassRecordsRepository } from './class-records.repository.js';

/** Dependencies of {@link ClassRecordWork}. */
export interface ClassRecordWorkOptions {
  readonly stream: JobEventStream;
  readonly records: ClassRecordsRepository;
  readonly consumers: ConsumersRepository;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Least time between two writes of the records, in milliseconds; defaults to 30,000: records are large. */
  readonly saveMs?: number;
  /** Delay after an error, in milliseconds; defaults to 500. */
  readonly retryMs?: number;
}

/** Name of the position in the stream. */
const consumer = 'class-records';
/** Most attempts that are collected before they are written. */
const maxCollected = 10_000;
/** Longest time between two records of the position while no such attempt ends, in milliseconds. */
const idleSaveMs = 30_000;

/** Keeps the records of classes. */
export class ClassRecordWork {
  readonly #options: ClassRecordWorkOptions;
  readonly #task: LeaderTask;

  constructor(options: ClassRecordWorkOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  /** Runs while this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Declines further leadership and waits for the work in progress. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { log, retryMs, consumers } = this.#options;
    await keepFollowing(
      {
        follow: () => this.#follow(signal),
        forget: () => consumers.forget(consumer),
        onError: (err) => log.warn({ err }, 'measuring of classes interrupted'),
        retryMs,
      },
      signal,
    );
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { stream, records, consumers, clock, saveMs = 30_000 } = this.#options;
    const after = await consumers.cursorOf(consumer);
    let collected: EndedRun[] = [];
    let savedAtMs = after === null ? Number.NEGATIVE_INFINITY : clock.monotonicMs();
    for await (const { events, cursor } of stream.follow({ after, signal })) {
      for (const event of events) {
        const run = endedRun(event);
        if (run) collected.push(run);
      }
      const sinceMs = clock.monotonicMs() - savedAtMs;
      const isDue = collected.length > 0 ? sinceMs >= saveMs : sinceMs >= idleSaveMs;
      if (!isDue && collected.length < maxCollected) continue;
      if (signal.aborted) return;
      await records.add(collected, clock.now());
      collected = [];
      await consumers.save(consumer, cursor, clock.now());
      savedAtMs = clock.monotonicMs();
    }
  }
}
