/**
 * Jobs that avoid hosts and sites where they failed. A job prefers another site, then another host; it waits
 * for one only while some worker there could run it, unless a rule requires it.
 */
import { LRUCache } from 'lru-cache';
import { admits, isExcluded, secondsLeft } from '../cache/equivalent-workers.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { ReadyJob } from '../scheduler.types.js';
import type { StoredAvoidance } from '../../jobs/model/decision.types.js';

/** Accepts the workers that a job may go to now. */
export type AcceptsWorker = (worker: FleetWorker) => boolean;

/** Where a job may go. */
export interface Destination {
  readonly accepts: AcceptsWorker;
  /** True if none of the accepted candidates has free capacity in this pass: it only shrinks. */
  isExhausted: boolean;
}

/** Most workers visited in one pass to find out whether a job has an alternative. */
const maxVisits = 100_000;
/** Most searches among the candidates of one pass; jobs beyond it wait for the next. */
const maxSearches = 1000;
/** Time for which an answer holds, in milliseconds. Visiting the workers of a large fleet costs that many. */
const answerMs = 1000;

/** Where jobs could go, as earlier passes found out. */
export class Alternatives {
  readonly #known = new LRUCache<string, { readonly accepts?: AcceptsWorker; readonly atMs: number }>({
    max: 1000,
  });

  /** The answer for a key, if there is one that still holds. */
  find(key: string, wallMs: number): { readonly accepts?: AcceptsWorker } | undefined {
    const known = this.#known.get(key);
    const ageMs = known ? wallMs - known.atMs : answerMs;
    return ageMs >= 0 && ageMs < answerMs ? known : undefined;
  }

  set(key: string, accepts: AcceptsWorker | undefined, wallMs: number): void {
    this.#known.set(key, { ...(accepts ? { accepts } : {}), atMs: wallMs });
  }
}

/** Decides where jobs may go during one pass. */
export class Elsewhere {
  readonly #fleet: { workers(): Iterable<FleetWorker> };
  readonly #wallMs: number;
  readonly #alternatives: Alternatives;
  /** By class, experiment and avoided hosts and sites. */
  readonly #known = new Map<string, Destination | undefined>();
  #visits = 0;
  #searches = 0;

  constructor(
    fleet: { workers(): Iterable<FleetWorker> },
    wallMs: number,
    alternatives = new Alternatives(),
  ) {
    this.#fleet = fleet;
    this.#wallMs = wallMs;
    this.#alternatives = alternatives;
  }

  /** Where the job may go; undefined if it may go anywhere. */
  destinationOf(
    { avoid }: Pick<ReadyJob, 'avoid'>,
    cls: RequirementClass,
    experiment: string,
  ): Destination | undefined {
    if (!avoid || avoid.until.getTime() <= this.#wallMs) return undefined;
    const key = [cls.id, experiment, avoid.isRequired, ...avoid.hosts, '', ...avoid.sites].join('\n');
    if (!this.#known.has(key)) {
      const accepts = this.#acceptsOf(key, avoid, cls, experiment);
      this.#known.set(key, accepts && { accepts, isExhausted: false });
    }
    return this.#known.get(key);
  }

  /** Returns true if another search among the candidates fits into the pass. */
  maySearch(): boolean {
    this.#searches += 1;
    return this.#searches <= maxSearches;
  }

  #acceptsOf(
    key: string,
    avoid: StoredAvoidance,
    cls: RequirementClass,
    experiment: string,
  ): AcceptsWorker | undefined {
    const [everywhereElse] = accepting(avoid);
    if (avoid.isRequired) return everywhereElse;
    const known = this.#alternatives.find(key, this.#wallMs);
    if (known) return known.accepts;
    const accepts = this.#decide(avoid, cls, experiment);
    // Beyond the bound, jobs wait for the next pass, and until their time is over at most.
    if (this.#visits > maxVisits) return everywhereElse;
    this.#alternatives.set(key, accepts, this.#wallMs);
    return accepts;
  }

  #decide(avoid: StoredAvoidance, cls: RequirementClass, experiment: string): AcceptsWorker | undefined {
    const [everywhereElse, onAnotherHost] = accepting(avoid);
    let hasOtherHost = false;
    for (const worker of this.#fleet.workers()) {
      this.#visits += 1;
      if (this.#visits > maxVisits) return everywhereElse;
      if (!onAnotherHost(worker) || !couldRun(worker, cls, experiment, this.#wallMs)) continue;
      if (everywhereElse(worker)) return everywhereElse;
      hasOtherHost = true;
    }
    return hasOtherHost ? onAnotherHost : undefined;
  }
}

/** Workers outside the avoided sites and hosts, and workers outside the avoided hosts. */
export function accepting({ hosts, sites }: StoredAvoidance): readonly [AcceptsWorker, AcceptsWorker] {
  const onAnotherHost: AcceptsWorker = ({ facts }) => !hosts.includes(facts.host);
  return [(worker) => onAnotherHost(worker) && !sites.includes(worker.shape.queue.site), onAnotherHost];
}

function couldRun(worker: FleetWorker, cls: RequirementClass, experiment: string, wallMs: number): boolean {
  const { facts, shape } = worker;
  if (facts.state !== 'READY' || isExcluded(worker, wallMs)) return false;
  const mayTake = admits(shape.queue, experiment) && worker.fits(cls);
  return mayTake && secondsLeft(worker, wallMs) >= cls.requirements.walltimeSeconds;
}

/** Number of workers that could run a job, by whether it avoids them. */
export interface AlternativesOfJob {
  readonly elsewhere: number;
  readonly onAnotherHost: number;
}

/** Counts the workers that a job does not avoid, for explanations. */
export function alternatives(
  avoid: StoredAvoidance,
  { fleet, wallMs }: { readonly fleet: { workers(): Iterable<FleetWorker> }; readonly wallMs: number },
  cls: RequirementClass,
  experiment: string,
): AlternativesOfJob {
  const [everywhereElse, onAnotherHost] = accepting(avoid);
  let [elsewhere, otherHosts] = [0, 0];
  for (const worker of fleet.workers()) {
    if (!onAnotherHost(worker) || !couldRun(worker, cls, experiment, wallMs)) continue;
    otherHosts += 1;
    if (everywhereElse(worker)) elsewhere += 1;
  }
  return { elsewhere, onAnotherHost: otherHosts };
}
