/** Explains why no worker is eligible for a job. Pure. */
import { admits, isExcluded } from '../cache/equivalent-workers.js';
import type { Fleet } from '../cache/fleet.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import { plural } from '../../shared/plural.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

/** Maximum number of queues named. */
const maxNamed = 3;

/**
 * Reason why no worker available to the job accepts jobs, or undefined if one does.
 * @param wallMs current time, with which the ends of exclusions are compared; without it they are ignored
 */
export function noEligibleWorkers(
  fleet: Fleet,
  experiment: string,
  { requirements: { queue: bound } }: RequirementClass,
  wallMs?: number,
): string | undefined {
  const queues = [...fleet.queues()];
  if (bound !== undefined) return boundReason(fleet, experiment, bound, { queues, wallMs });
  if (queues.length === 0) return 'There is no queue yet.';
  const admitting = queues.filter((queue) => admits(queue, experiment));
  if (admitting.length === 0) return `None of ${plural(queues.length, 'queue')} admits ${experiment}.`;
  const online = admitting.filter(({ state }) => state === 'ONLINE');
  if (online.length === 0) {
    const some = admitting.slice(0, maxNamed).map(({ name, state }) => `${name} is ${state}`);
    const more = admitting.length > maxNamed ? `, and ${admitting.length - maxNamed} more` : '';
    return `No queue that admits ${experiment} is online: ${some.join(', ')}${more}.`;
  }
  const which = `${plural(online.length, 'queue')} that ${online.length === 1 ? 'is' : 'are'} online and ${online.length === 1 ? 'admits' : 'admit'} ${experiment}`;
  return workersReason(fleet, online, which, wallMs);
}

function boundReason(
  fleet: Fleet,
  experiment: string,
  bound: string,
  { queues, wallMs }: { readonly queues: readonly QueueFacts[]; readonly wallMs: number | undefined },
): string | undefined {
  const queue = queues.find(({ name }) => name === bound);
  if (!queue) return `Queue "${bound}" not found. The job requires this queue.`;
  if (!admits(queue, experiment))
    return `Queue ${bound}, which the job requires, does not admit ${experiment}.`;
  if (queue.state === 'OFFLINE' || queue.state === 'PAUSED')
    return `Queue ${bound}, which the job requires, is ${queue.state}.`;
  return workersReason(fleet, [queue], `queue ${bound}, which the job requires`, wallMs);
}

/** Undefined if one of their workers accepts jobs. */
function workersReason(
  fleet: Fleet,
  queues: readonly QueueFacts[],
  which: string,
  wallMs: number | undefined,
): string | undefined {
  const ids = new Set(queues.map(({ id }) => id));
  let [draining, excluded] = [0, 0];
  for (const worker of fleet.workers()) {
    if (!ids.has(worker.facts.queueId)) continue;
    if (worker.facts.state !== 'READY') draining += 1;
    else if (isExcluded(worker, wallMs)) excluded += 1;
    else return undefined;
  }
  const others = draining + excluded;
  if (others === 0) return `No live worker of ${which}.`;
  if (others === 1)
    return `The only live worker of ${which} accepts no more jobs: ${excluded === 1 ? 'its host is excluded' : 'it is draining'}.`;
  const all = `All ${others} live workers of ${which} accept no more jobs:`;
  if (excluded === 0) return `${all} they are draining.`;
  return draining === 0
    ? `${all} their hosts are excluded.`
    : `${all} ${draining} are draining, and the hosts of ${excluded} are excluded.`;
}
