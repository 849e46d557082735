/** Explains what the limits of queues on running jobs mean for a job. Pure. */
import { requestedGpus } from '../../gpus/capacity/gpu-equivalents.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { plural } from '../../shared/plural.js';
import { consideredQueues } from '../cache/equivalent-workers.js';
import type { Fleet } from '../cache/fleet.js';
import { QueueAllowance, type QueueSums } from '../placement/queue-limits.js';
import type { RequirementClass } from '../requirements/requirement-class.js';

/**
 * Sentences about the limits that keep a job from the queues whose workers could run it; undefined if there
 * is none. The first of several queues, by name, is described.
 */
export function queueLimitReason(
  { fleet, ledger }: { readonly fleet: Fleet; readonly ledger: QueueSums },
  experiment: string,
  cls: RequirementClass,
): string | undefined {
  const closed = consideredQueues(fleet, experiment, cls).filter(
    (queue) => !new QueueAllowance(queue, ledger).admits(experiment, cls),
  );
  if (closed.length === 0) return undefined;
  const fitting = new Set(
    [...fleet.shapes()].flatMap((shape) => (shape.mayFit(cls) ? [shape.queue.id] : [])),
  );
  const [first, ...others] = closed
    .filter(({ id }) => fitting.has(id))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (!first) return undefined;
  const more =
    others.length === 0 ? '' : ` Limits of ${plural(others.length, 'other queue')} are reached, too.`;
  return `${limitText(first, experiment, cls, ledger)}${more}`;
}

function limitText(
  { id, name, limits, experimentLimits = [] }: QueueFacts,
  experiment: string,
  { requirements: { cores, gpu } }: RequirementClass,
  sums: QueueSums,
): string {
  const inAll = limits.maxRunningJobs ?? Infinity;
  if (sums.queueJobs(id) >= inAll) return `Queue ${name} has reached its limit of ${jobs(inAll)}.`;
  const own = experimentLimits.find((one) => one.experiment === experiment);
  const used = sums.queueUse(id, experiment);
  const most = own?.maxRunningJobs ?? Infinity;
  if (used.jobs >= most) return `Queue ${name} has reached its limit of ${jobs(most)} of ${experiment}.`;
  const { maxCores = Infinity, maxGpus = Infinity } = own ?? {};
  const [unit, using, wanted, limit] =
    used.cores + cores > maxCores
      ? ['core', used.cores, cores, maxCores]
      : ['GPU', used.gpus, requestedGpus(gpu), maxGpus];
  return `Jobs of ${experiment} use ${amount(using, unit)} of queue ${name}; ${rounded(wanted)} more would exceed its limit of ${rounded(limit)}.`;
}

const jobs = (count: number): string => plural(count, 'running job');

const amount = (count: number, unit: string): string => `${rounded(count)} ${unit}${count === 1 ? '' : 's'}`;

/** Rounds to thousandths: parts of GPUs are thousandths and sevenths. */
const rounded = (count: number): string => String(Math.round(count * 1000) / 1000);
