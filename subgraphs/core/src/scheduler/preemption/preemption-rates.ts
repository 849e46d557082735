import type { Clock } from '@rhizome/clock';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

const windowMs = 60_000;

/** Numbers of attempts that were preempted in the last minute, by queue. */
export class PreemptionRates {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #recent = new Map<string, readonly { readonly atMs: number; readonly count: number }[]>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Number of attempts that may be preempted in the queue now. */
  left({ id, limits }: Pick<QueueFacts, 'id' | 'limits'>): number {
    const since = this.#clock.monotonicMs() - windowMs;
    const recent = (this.#recent.get(id) ?? []).filter(({ atMs }) => atMs > since);
    if (recent.length > 0) this.#recent.set(id, recent);
    else this.#recent.delete(id);
    return (limits.maxPreemptionsPerMinute ?? 0) - recent.reduce((sum, { count }) => sum + count, 0);
  }

  record({ id }: Pick<QueueFacts, 'id'>, count: number): void {
    this.#recent.set(id, [...(this.#recent.get(id) ?? []), { atMs: this.#clock.monotonicMs(), count }]);
  }
}
