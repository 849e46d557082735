/** Long work on the event loop, in slices. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@rhizome/clock';

/** Lets other work run whenever a slice of time is used up. */
export class TimeSlices {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #sliceMs: number;
  #since: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>, sliceMs: number) {
    this.#clock = clock;
    this.#sliceMs = sliceMs;
    this.#since = clock.monotonicMs();
  }

  /** Call it between two steps. */
  async next(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#since < this.#sliceMs) return;
    await turn();
    this.#since = this.#clock.monotonicMs();
  }
}
