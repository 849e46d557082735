import type { JobEvent } from '../model/job-event.types.js';
import type { Dependencies } from './dependencies.js';
import type { EventHandler } from '../transitions/event-work.js';
import { isTerminal } from '../model/job-state.js';

/** Notifies {@link Dependencies} of each job that ends. */
export class DependencyWork implements EventHandler {
  readonly name = 'dependencies';
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  async handle(events: readonly JobEvent[]): Promise<void> {
    const ended = events
      .filter(({ last }) => isTerminal(last.to))
      .map(({ jobId, last }) => ({ id: jobId, state: last.to }));
    await this.#dependencies.parentsEnded(ended);
  }

  async recover(signal: AbortSignal): Promise<void> {
    await this.#dependencies.recover(signal);
  }
}
