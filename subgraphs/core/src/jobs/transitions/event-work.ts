import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { JobEventStream } from '../ports.js';
import type { JobEvent } from '../model/job-event.types.js';
import type { ConsumersRepository } from './consumers.repository.js';
import { keepFollowing } from '../../shared/keep-following.js';
import { LeaderTask, type LeaderWork } from '../../shared/leader-task.js';

/** Handler of job events. A batch may be delivered more than once. */
export interface EventHandler {
  readonly name: string;
  handle(events: readonly JobEvent[], signal: AbortSignal): Promise<void>;
  /** Called if there is no usable position in the stream: the handler must read the store instead. */
  recover(signal: AbortSignal): Promise<void>;
}

/** Dependencies of {@link EventWork}. */
export interface EventWorkOptions {
  readonly stream: JobEventStream;
  readonly consumers: ConsumersRepository;
  readonly leader: LeaderWork;
  readonly handlers: readonly EventHandler[];
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Name under which the position is stored; defaults to `core`. Handlers with a name of their own delay no
   * others.
   */
  readonly consumer?: string;
  /** Delay after a failure before the stream is reopened, in milliseconds; defaults to 500. */
  readonly retryMs?: number;
  /**
   * Minimum interval between two records of the position, in milliseconds; defaults to 500. Repeated work
   * after a crash is harmless.
   */
  readonly saveMs?: number;
}

/**
 * Follows the event stream while this process leads: passes each batch to the handlers, then records the
 * position.
 */
export class EventWork {
  readonly #options: EventWorkOptions;
  readonly #consumer: string;
  readonly #task: LeaderTask;

  constructor(options: EventWorkOptions) {
    this.#options = options;
    this.#consumer = options.consumer ?? 'core';
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
    const { log, retryMs } = this.#options;
    await keepFollowing(
      {
        follow: () => this.#follow(signal),
        forget: () => this.#forget(),
        onError: (err) => log.warn({ err }, 'event processing interrupted'),
        retryMs,
      },
      signal,
    );
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { stream, consumers, handlers, clock, saveMs = 500 } = this.#options;
    const after = await consumers.cursorOf(this.#consumer);
    let recovered = after !== null;
    let savedAt = Number.NEGATIVE_INFINITY;
    let position: string | undefined;
    for await (const { events, cursor } of stream.follow({ after, signal })) {
      if (!recovered) {
        // The stream is open: earlier changes are in the store, later ones arrive as events.
        await this.#recover(signal);
        recovered = true;
      }
      if (events.length > 0) await Promise.all(handlers.map((handler) => handler.handle(events, signal)));
      if (signal.aborted) return;
      position = cursor;
      if (clock.monotonicMs() - savedAt < saveMs) continue;
      await consumers.save(this.#consumer, position, clock.now());
      savedAt = clock.monotonicMs();
      position = undefined;
    }
    if (position !== undefined && !signal.aborted)
      await consumers.save(this.#consumer, position, clock.now());
  }

  async #recover(signal: AbortSignal): Promise<void> {
    for (const handler of this.#options.handlers) await handler.recover(signal);
  }

  /** Without a position, the handlers read the store once the stream is open. */
  async #forget(): Promise<void> {
    await this.#options.consumers.forget(this.#consumer);
    this.#options.log.warn('event stream position expired, reading the store instead');
  }
}
