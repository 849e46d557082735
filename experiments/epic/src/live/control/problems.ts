/** Refusals by core, by part of the work for a run: a part that is refused does not stop the others. */
import { isRhizomeApiError } from '@rhizome/client';
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { LiveRunDocument } from '../model/live-run.document.js';
import type { LiveRunsRepository } from '../store/live-runs.repository.js';
import { CoreRefusal, laneName, type LanePlace } from './core-calls.js';

/** Dependencies of {@link Problems}. */
export interface ProblemsOptions {
  readonly runs: LiveRunsRepository;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Time after which work that was refused is tried again, in milliseconds. */
const pauseMs = 5000;
const maxLength = 1000;

export class Problems {
  readonly #options: ProblemsOptions;
  /** Messages by part, with the monotonic time before which it is not tried again. */
  readonly #refused = new Map<string, { readonly message: string; readonly until: number }>();
  readonly #closed = new Map<string, string>();

  constructor(options: ProblemsOptions) {
    this.#options = options;
  }

  /**
   * Does a part of the work, unless it was refused a moment ago.
   * @returns its result; undefined if it was refused, which is noted
   * @throws what is no refusal
   */
  async note<T>(part: string, work: () => Promise<T>): Promise<T | undefined> {
    const { clock, log } = this.#options;
    const known = this.#refused.get(part);
    if (known && clock.monotonicMs() < known.until) return undefined;
    try {
      const done = await work();
      this.#refused.delete(part);
      return done;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (known?.message !== error.message)
        log.warn({ err: error, part }, 'core refuses work for a live run');
      this.#refused.set(part, { message: error.message, until: clock.monotonicMs() + pauseMs });
      return undefined;
    }
  }

  /** Notes that a lane was closed by somebody before the end of the run. */
  noteClosed(place: LanePlace): void {
    const { lane, run, path } = place;
    const isEarly = run.stage === 'OPEN' || (run.paths[path]?.fed ?? 0) < run.frames.announced;
    const left = (lane.observed?.waiting ?? 0) > 0 && lane.observed?.isFleetEnded;
    const name = laneName(place);
    if (lane.observed?.isClosed && (isEarly || left))
      this.#closed.set(name, `${name}: its pool or its fleet was closed or drained`);
    else this.#closed.delete(name);
  }

  /** Stores the problems, if they have changed. */
  async store({ _id, problem }: LiveRunDocument): Promise<void> {
    const { runs, clock } = this.#options;
    const all = [...this.#refused].map(([part, { message }]) => `${part}: ${message}`);
    const text = [...all, ...this.#closed.values()].join(' ').slice(0, maxLength);
    if (text === (problem ?? '')) return;
    const update = text === '' ? { $unset: { problem: '' as const } } : { $set: { problem: text } };
    await runs.change(_id, {}, update, clock.now());
  }
}

/** True if core refused a call for its input, or for lack of rights. */
function isRefusal(error: unknown): error is Error {
  return error instanceof CoreRefusal || (isRhizomeApiError(error) && error.code === 'FORBIDDEN');
}
