/**
 * Largest amounts that workers offer to jobs, for rules that change requirements. Live workers that a class
 * does not distinguish are one kind, so that an answer visits few of them.
 */
import type { Clock } from '@rhizome/clock';
import { LRUCache } from 'lru-cache';
import type { AmountOffers } from '../../policies/failure-policies.js';
import type { OfferedAmounts } from '../../policies/failure.types.js';
import { allowedWalltimeSeconds } from '../../queues/walltime.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { prepareClass, type RequirementClass } from '../requirements/requirement-class.js';
import type { SelectorScope } from '../requirements/selector.js';
import { consideredQueues, isConsidered } from './equivalent-workers.js';
import type { Fleet } from './fleet.js';
import type { FleetWorker } from './fleet.types.js';

/** Number of memory and disk steps per doubling: workers within one step are of one kind. */
const steps = 16;
/** Kinds of workers that an answer visits; with more, only the limits of queues count. */
const mostVisited = 10_000;
/** Workers per millisecond for which the kinds are kept although the fleet has changed: 2 s for 100,000. */
const workersPerMs = 50;

/** Dependencies of {@link WorkerOffers}. */
export interface WorkerOffersOptions {
  readonly fleet: Fleet;
  readonly classes: { get(classId: string): RequirementClass | undefined };
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** Knows what the live workers offer. */
export class WorkerOffers implements AmountOffers {
  readonly #options: WorkerOffersOptions;
  readonly #known = new LRUCache<string, readonly OfferedAmounts[]>({ max: 1000 });
  readonly #kinds = new Map<SelectorScope, readonly FleetWorker[]>();
  #revision = -1;
  #keptUntilMs = -Infinity;

  constructor(options: WorkerOffersOptions) {
    this.#options = options;
  }

  /**
   * Amounts that workers which could run the job offer; without such a worker, those that the queues which
   * admit the job allow. Empty if there are none.
   */
  of({ experiment, classId, requirements }: Parameters<AmountOffers['of']>[0]): readonly OfferedAmounts[] {
    this.#forgetOld();
    const key = `${experiment} ${classId}`;
    let found = this.#known.get(key);
    if (!found) {
      const cls = this.#options.classes.get(classId) ?? prepareClass(classId, -1, requirements);
      found = this.#ofWorkers(experiment, cls) ?? this.#ofQueues(experiment, cls);
      this.#known.set(key, found);
    }
    return found;
  }

  #ofWorkers(experiment: string, cls: RequirementClass): readonly OfferedAmounts[] | undefined {
    const workers = this.#kindsFor(cls.selector?.scope ?? 'SHAPE');
    if (workers.length > mostVisited) return undefined;
    const offers: OfferedAmounts[] = [];
    for (const worker of workers) {
      const { queue } = worker.shape;
      if (isConsidered(queue, experiment, cls) && worker.fits(cls))
        addLargest(offers, offerOf(queue, worker.facts.hardware));
    }
    return offers.length > 0 ? offers : undefined;
  }

  #ofQueues(experiment: string, cls: RequirementClass): readonly OfferedAmounts[] {
    const offers: OfferedAmounts[] = [];
    for (const queue of consideredQueues(this.#options.fleet, experiment, cls))
      addLargest(offers, offerOf(queue));
    return offers;
  }

  #kindsFor(scope: SelectorScope): readonly FleetWorker[] {
    let kinds = this.#kinds.get(scope);
    if (!kinds) this.#kinds.set(scope, (kinds = kindsOf(this.#options.fleet.workers(), scope)));
    return kinds;
  }

  #forgetOld(): void {
    const { fleet, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#revision === fleet.revision || nowMs < this.#keptUntilMs) return;
    this.#revision = fleet.revision;
    this.#known.clear();
    this.#kinds.clear();
    this.#keptUntilMs = nowMs + Math.floor(fleet.size / workersPerMs);
  }
}

/** The largest worker of each kind that accepts jobs. */
function kindsOf(workers: Iterable<FleetWorker>, scope: SelectorScope): readonly FleetWorker[] {
  const kinds = new Map<object, Map<string, FleetWorker>>();
  for (const worker of workers) {
    if (worker.facts.state !== 'READY') continue;
    const { cores, memoryMiB, diskMiB } = worker.facts.hardware;
    const alike = worker.equivalenceKey(scope);
    let sizes = kinds.get(alike);
    if (!sizes) kinds.set(alike, (sizes = new Map()));
    const size = [cores, step(memoryMiB), step(diskMiB)].join(' ');
    const known = sizes.get(size);
    if (!known || known.facts.hardware.memoryMiB < memoryMiB) sizes.set(size, worker);
  }
  return [...kinds.values()].flatMap((sizes) => [...sizes.values()]);
}

function step(amount: number): number {
  return Math.round(Math.log2(Math.max(1, amount)) * steps);
}

const unlimited = { memoryMiB: Infinity, diskMiB: Infinity };

function offerOf(
  queue: QueueFacts,
  { memoryMiB, diskMiB }: Pick<OfferedAmounts, 'memoryMiB' | 'diskMiB'> = unlimited,
): OfferedAmounts {
  const most = queue.limits.maxMemoryMiB ?? Infinity;
  return {
    memoryMiB: Math.min(memoryMiB, most),
    diskMiB,
    walltimeSeconds: allowedWalltimeSeconds(queue),
  };
}

/** Adds an offer, unless another one is at least as large in everything. */
function addLargest(offers: OfferedAmounts[], added: OfferedAmounts): void {
  if (offers.some((one) => covers(one, added))) return;
  const kept = offers.filter((one) => !covers(added, one));
  offers.splice(0, offers.length, ...kept, added);
}

function covers(a: OfferedAmounts, b: OfferedAmounts): boolean {
  return a.memoryMiB >= b.memoryMiB && a.diskMiB >= b.diskMiB && a.walltimeSeconds >= b.walltimeSeconds;
}
