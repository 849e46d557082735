/** Workers that are alike for a class: what holds for one of them holds for all. Pure. */
import type { QueueFacts } from './broker.types.js';
import type { Fleet, FleetWorker, Shape } from './fleet.js';
import type { RequirementClass } from './requirement-class.js';

/** Workers that are alike for the class. */
export interface Alike {
  readonly one: FleetWorker;
  readonly workers: readonly FleetWorker[];
  /** Whether they end too soon for the class. */
  readonly endsTooSoon: boolean;
}

/** Seconds until the worker's end; Infinity where it has none, or where the time is not known. */
export function secondsLeft({ facts: { endsAt } }: FleetWorker, wallMs: number | undefined): number {
  return endsAt === undefined || wallMs === undefined ? Infinity : (endsAt.getTime() - wallMs) / 1000;
}

/**
 * Workers that take jobs, of queues that take work (also by name only, where the job names it) and admit the experiment.
 * Those of one shape differ at most in who they are and in when they end.
 */
export function alike(
  fleet: Fleet,
  experiment: string,
  cls: RequirementClass,
  wallMs: number | undefined,
): readonly Alike[] {
  const { selector, requirements } = cls;
  const picks = selector?.usesIdentity ? selector : undefined;
  /** By whether they are picked and whether they end too soon; null for shapes of queues that are not considered. */
  const byShape = new Map<Shape, FleetWorker[][] | null>();
  for (const worker of fleet.workers()) {
    if (worker.facts.state !== 'READY') continue;
    let groups = byShape.get(worker.shape);
    if (groups === undefined) {
      groups = isConsidered(worker.shape.queue, experiment, cls) ? [[], [], [], []] : null;
      byShape.set(worker.shape, groups);
    }
    if (groups === null) continue;
    const isPicked = picks === undefined || picks.accepts(worker.candidate.view());
    const endsTooSoon = secondsLeft(worker, wallMs) < requirements.walltimeSeconds;
    groups[(isPicked ? 0 : 2) + (endsTooSoon ? 1 : 0)]?.push(worker);
  }
  return [...byShape.values()].flatMap((groups) =>
    (groups ?? []).flatMap((workers, index): Alike[] => {
      const [one] = workers;
      return one ? [{ one, workers, endsTooSoon: index % 2 === 1 }] : [];
    }),
  );
}

/** Whether jobs of the experiment with this class can be sent to the queue's workers. */
function isConsidered(queue: QueueFacts, experiment: string, { requirements }: RequirementClass): boolean {
  const isNamed =
    requirements.queue === queue.name && (queue.state === 'TEST' || queue.state === 'BROKEROFF');
  return admits(queue, experiment) && (queue.state === 'ONLINE' || isNamed);
}

/** Whether the queue takes jobs of the experiment at all. */
export function admits({ experiments }: QueueFacts, experiment: string): boolean {
  return experiments.length === 0 || experiments.includes(experiment);
}
