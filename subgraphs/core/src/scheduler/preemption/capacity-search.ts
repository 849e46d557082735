/** Finds out whether a worker has free capacity for a job now, without the end of other jobs. */
import { isConsidered, secondsLeft } from '../cache/equivalent-workers.js';
import type { Fleet } from '../cache/fleet.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import type { Ledger } from '../cache/ledger.js';
import { experimentOf } from '../cache/ready-windows.js';
import { fitsNow } from '../placement/fits-now.js';
import { QueueAllowance } from '../placement/queue-limits.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { ReadyJob } from '../scheduler.types.js';
import type { PreemptionHolds } from './preemption-holds.js';

/** Most workers that one step visits; beyond it, jobs wait for the next. */
const mostVisits = 200_000;

/** A ready job. */
export interface WaitingForCapacity {
  readonly job: ReadyJob;
  readonly share: string;
  readonly cls: RequirementClass;
}

/** Searches during one step. */
export class CapacitySearch {
  readonly #cache: { readonly fleet: Fleet; readonly ledger: Ledger };
  readonly #holds: PreemptionHolds;
  readonly #nowMs: number;
  /** By class and experiment. */
  readonly #known = new Map<string, boolean>();
  #visits = 0;

  constructor(
    cache: { readonly fleet: Fleet; readonly ledger: Ledger },
    holds: PreemptionHolds,
    nowMs: number,
  ) {
    this.#cache = cache;
    this.#holds = holds;
    this.#nowMs = nowMs;
  }

  /** True if a worker could start the job now. */
  isFreeFor({ job, share, cls }: WaitingForCapacity): boolean {
    const experiment = experimentOf(share);
    const key = `${cls.id} ${experiment}`;
    const known = this.#known.get(key) ?? this.#search(job, cls, experiment);
    this.#known.set(key, known);
    return known;
  }

  #search(job: ReadyJob, cls: RequirementClass, experiment: string): boolean {
    const { fleet, ledger } = this.#cache;
    const facts = { ledger, seconds: cls.requirements.walltimeSeconds, nowMs: this.#nowMs };
    for (const worker of fleet.workers()) {
      this.#visits += 1;
      if (this.#visits > mostVisits) return true;
      const isHeld = (this.#holds.of(worker.facts.id)?.priority ?? -Infinity) > job.priority;
      // Hosts that are not healthy get no job, or one at a time.
      if (isHeld || worker.standing(this.#nowMs)) continue;
      if (!couldRun(worker, cls, experiment, facts)) continue;
      if (fitsNow(worker, cls, worker.shape.deviceMatch(cls), ledger)) return true;
    }
    return false;
  }
}

/**
 * True if jobs of the class may go to the worker, apart from what is free on it.
 * @param facts.seconds time that the worker must have left
 */
export function couldRun(
  worker: FleetWorker,
  cls: RequirementClass,
  experiment: string,
  facts: { readonly ledger: Ledger; readonly seconds: number; readonly nowMs: number },
): boolean {
  const { queue } = worker.shape;
  if (worker.facts.state !== 'READY' || !isConsidered(queue, experiment, cls) || !worker.fits(cls))
    return false;
  if (secondsLeft(worker, facts.nowMs) < facts.seconds) return false;
  return new QueueAllowance(queue, facts.ledger).admits(experiment, cls);
}
