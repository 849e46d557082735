import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { sleep } from '@rhizome/retry';
import { LeaderTask, type LeaderWork } from '../shared/leader-task.js';
import type { Completion } from './completion.js';
import type { TasksRepository } from './tasks.repository.js';

/** What {@link TaskUpkeep} works with. */
export interface TaskUpkeepOptions {
  readonly tasks: TasksRepository;
  readonly completion: Completion;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** How often it is done, in milliseconds; 60,000 unless given. */
  readonly everyMs?: number;
}

/** Parameter sets this old without a task that needs them are left over, in milliseconds: a submit writes its task within seconds. */
const leftOverMs = 3_600_000;

/** What processes that ended between two steps leave behind is set right by the leader: tasks that nobody counts, sets that nobody reads. */
export class TaskUpkeep {
  readonly #options: TaskUpkeepOptions;
  readonly #task: LeaderTask;

  constructor(options: TaskUpkeepOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal));
  }

  /** Works whenever this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Ends after the step under way. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { completion, everyMs = 60_000 } = this.#options;
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const count = isFirst ? completion.recover(signal) : completion.lookThrough(signal);
      await this.#logged(count, 'running tasks could not be looked through');
      await this.#logged(this.#dropLeftOver(signal), 'left over parameter sets could not be looked for');
      await sleep(everyMs, signal);
    }
  }

  async #dropLeftOver(signal: AbortSignal): Promise<void> {
    const { tasks, clock, log } = this.#options;
    const pieces = await tasks.dropLeftOver(new Date(clock.now().getTime() - leftOverMs), signal);
    if (pieces > 0) log.info({ pieces }, 'left over parameter sets were deleted');
  }

  async #logged(work: Promise<void>, message: string): Promise<void> {
    await work.catch((error: unknown) => this.#options.log.warn({ err: error }, message));
  }
}
