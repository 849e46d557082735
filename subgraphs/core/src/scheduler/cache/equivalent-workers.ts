/** Groups workers that are equivalent for a class: what holds for one of them holds for all. Pure. */
import { secondsUntilDowntime } from '../../queues/downtimes/downtime-window.js';
import type { Fleet } from './fleet.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { Selector } from '../requirements/selector.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import type { FleetWorker, Shape } from './fleet.types.js';

/** A group of workers that are equivalent for the class. */
export interface EquivalentWorkers {
  readonly one: FleetWorker;
  readonly workers: readonly FleetWorker[];
  /** True if they end, or are down, too soon for the class. */
  readonly endsTooSoon: boolean;
}

/** Seconds until the worker ends or is down; Infinity if neither is planned or the time is unknown. */
export function secondsLeft(
  { facts: { endsAt }, downtimes }: Pick<FleetWorker, 'facts' | 'downtimes'>,
  wallMs: number | undefined,
): number {
  if (wallMs === undefined) return Infinity;
  const untilEnd = endsAt === undefined ? Infinity : (endsAt.getTime() - wallMs) / 1000;
  return Math.min(untilEnd, secondsUntilDowntime(downtimes, wallMs));
}

/** Returns true if the host of the worker is excluded. @param wallMs current time; none are if undefined */
export function isExcluded(worker: Pick<FleetWorker, 'standing'>, wallMs: number | undefined): boolean {
  return wallMs !== undefined && worker.standing(wallMs)?.state === 'EXCLUDED';
}

/**
 * Groups the workers that accept jobs, of queues that accept work (or work by name, if the job names the
 * queue) and admit the experiment; those of excluded hosts are left out.
 * Workers of one shape differ at most in labels, identity, amounts and end
 * time; they are grouped by which of the constraints on these they meet.
 */
export function equivalentWorkers(
  fleet: Fleet,
  experiment: string,
  cls: RequirementClass,
  wallMs: number | undefined,
): readonly EquivalentWorkers[] {
  const { selector, requirements } = cls;
  const { cores, memoryMiB, diskMiB, walltimeSeconds } = requirements;
  const isPicked = selector ? pickedBy(selector) : () => true;
  /** Groups by a bit mask of unmet constraints; null for shapes of queues that are not considered. */
  const byShape = new Map<Shape, FleetWorker[][] | null>();
  for (const worker of fleet.workers()) {
    if (worker.facts.state !== 'READY' || isExcluded(worker, wallMs)) continue;
    let groups = byShape.get(worker.shape);
    if (groups === undefined) {
      groups = isConsidered(worker.shape.queue, experiment, cls) ? [] : null;
      byShape.set(worker.shape, groups);
    }
    if (groups === null) continue;
    const { hardware } = worker.facts;
    const unmet =
      Number(secondsLeft(worker, wallMs) < walltimeSeconds) * endsTooSoon +
      Number(hardware.cores < cores) * 2 +
      Number(hardware.memoryMiB < memoryMiB) * 4 +
      Number(hardware.diskMiB < diskMiB) * 8 +
      Number(!isPicked(worker)) * 16;
    (groups[unmet] ??= []).push(worker);
  }
  return [...byShape.values()].flatMap((groups) =>
    (groups ?? []).flatMap((workers, unmet): EquivalentWorkers[] => {
      const [one] = workers;
      return one ? [{ one, workers, endsTooSoon: (unmet & endsTooSoon) !== 0 }] : [];
    }),
  );
}

const endsTooSoon = 1;

/** Returns the selector's decision on a worker, evaluated once for all workers that it cannot distinguish. */
function pickedBy({ scope, accepts }: Selector): (worker: FleetWorker) => boolean {
  const known = new Map<object, boolean>();
  return (worker) => {
    const equivalenceKey = worker.equivalenceKey(scope);
    let picks = known.get(equivalenceKey);
    if (picks === undefined) known.set(equivalenceKey, (picks = accepts(worker.profile.view())));
    return picks;
  };
}

/** Returns true if jobs of the experiment with this class can be sent to the queue's workers. */
export function isConsidered(
  queue: QueueFacts,
  experiment: string,
  { requirements }: RequirementClass,
): boolean {
  const isNamed =
    requirements.queue === queue.name && (queue.state === 'TEST' || queue.state === 'BROKEROFF');
  return admits(queue, experiment) && (queue.state === 'ONLINE' || isNamed);
}

/** Queues to whose workers jobs of the experiment with this class can be sent. */
export function consideredQueues(
  fleet: Pick<Fleet, 'queues'>,
  experiment: string,
  cls: RequirementClass,
): readonly QueueFacts[] {
  const { queue: bound } = cls.requirements;
  return [...fleet.queues()].filter(
    (queue) => (bound ?? queue.name) === queue.name && isConsidered(queue, experiment, cls),
  );
}

/** Returns true if the queue admits jobs of the experiment. */
export function admits({ experiments }: QueueFacts, experiment: string): boolean {
  return experiments.length === 0 || experiments.includes(experiment);
}
