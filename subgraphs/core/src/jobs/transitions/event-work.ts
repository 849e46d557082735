import { isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { sleep } from '@rhizome/retry';
import type { JobEventStream } from '../ports.js';
import type { JobEvent } from '../model/job-event.types.js';
import type { ConsumersRepository } from './consumers.repository.js';
import { LeaderTask, type LeaderWork } from '../../shared/leader-task.js';

/** A part of core that follows the events of jobs. Each batch may come more than once. */
export interface EventHandler {
  readonly name: string;
  handle(events: readonly JobEvent[], signal: AbortSignal): Promise<void>;
  /** The place in the stream was lost, or there was none yet: look at the store instead. */
  recover(signal: AbortSignal): Promise<void>;
}

/** What {@link EventWork} works with. */
export interface EventWorkOptions {
  readonly stream: JobEventStream;
  readonly consumers: ConsumersRepository;
  readonly leader: LeaderWork;
  readonly handlers: readonly EventHandler[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Wait after a failure before the stream is opened again, in milliseconds; 500 unless given. */
  readonly retryMs?: number;
  /** The place is noted at most so often, in milliseconds; 500 unless given. What is done twice after a crash is harmless. */
  readonly saveMs?: number;
}

const consumer = 'core';

/** The leader's walk along the event stream: hands each batch to the handlers, then notes the place. */
export class EventWork {
  readonly #options: EventWorkOptions;
  readonly #task: LeaderTask;

  constructor(options: EventWorkOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal));
  }

  /** Works whenever this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Takes no more leadership and waits for the end of the work under way. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { log, retryMs = 500 } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error }, 'the work on events was interrupted and goes on');
        if (isDomainError(error) && error.code === 'CURSOR_EXPIRED') await this.#forget(signal);
        await sleep(retryMs, signal);
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { stream, consumers, handlers, clock, saveMs = 500 } = this.#options;
    const after = await consumers.cursorOf(consumer);
    let recovered = after !== null;
    let savedAt = Number.NEGATIVE_INFINITY;
    let position: string | undefined;
    for await (const { events, cursor } of stream.follow({ after, signal })) {
      if (!recovered) {
        // The stream is open: what happened before is in the store, what happens from now on comes as events.
        await this.#recover(signal);
        recovered = true;
      }
      if (events.length > 0) await Promise.all(handlers.map((handler) => handler.handle(events, signal)));
      if (signal.aborted) return;
      position = cursor;
      if (clock.monotonicMs() - savedAt < saveMs) continue;
      await consumers.save(consumer, position, clock.now());
      savedAt = clock.monotonicMs();
      position = undefined;
    }
    if (position !== undefined && !signal.aborted) await consumers.save(consumer, position, clock.now());
  }

  async #recover(signal: AbortSignal): Promise<void> {
    for (const handler of this.#options.handlers) await handler.recover(signal);
  }

  /** Begins anew from now on, and from the store. */
  async #forget(signal: AbortSignal): Promise<void> {
    await this.#options.consumers.forget(consumer);
    this.#options.log.warn('the event stream no longer reaches back: the store is looked through instead');
    if (!signal.aborted) await this.#recover(signal);
  }
}
