import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { sleep } from '@rhizome/retry';
import { LeaderTask, type LeaderWork } from '../shared/leader-task.js';
import type { Completion } from './completion.js';
import type { Scouting } from './scouts/scouting.js';
import type { TasksRepository } from './tasks.repository.js';

/** Dependencies of {@link TaskUpkeep}. */
export interface TaskUpkeepOptions {
  readonly tasks: TasksRepository;
  readonly completion: Completion;
  readonly scouting: Pick<Scouting, 'lookThrough'>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Interval in milliseconds; defaults to 60,000. */
  readonly everyMs?: number;
}

/**
 * Age at which parameter sets without a task are deleted, in milliseconds. A submit writes its task within
 * seconds.
 */
const leftOverMs = 3_600_000;

/**
 * Cleans up after processes that ended between two steps: uncounted tasks and unused parameter sets. Runs on
 * the leader.
 */
export class TaskUpkeep {
  readonly #options: TaskUpkeepOptions;
  readonly #task: LeaderTask;

  constructor(options: TaskUpkeepOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  /** Runs while this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Stops after the step in progress. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { completion, scouting, everyMs = 60_000 } = this.#options;
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const count = isFirst ? completion.recover(signal) : completion.lookThrough(signal);
      await this.#logged(count, 'check of running tasks failed');
      await this.#logged(scouting.lookThrough(signal), 'check of scouting tasks failed');
      await this.#logged(this.#dropLeftOver(signal), 'search for unused parameter sets failed');
      await sleep(everyMs, signal);
    }
  }

  async #dropLeftOver(signal: AbortSignal): Promise<void> {
    const { tasks, clock, log } = this.#options;
    const pieces = await tasks.dropLeftOver(new Date(clock.now().getTime() - leftOverMs), signal);
    if (pieces > 0) log.info({ pieces }, 'unused parameter sets deleted');
  }

  async #logged(work: Promise<void>, message: string): Promise<void> {
    await work.catch((error: unknown) => this.#options.log.warn({ err: error }, message));
  }
}
