/** Explains which hosts that could run a job are not healthy. Pure. */
import { consideredQueues } from '../cache/equivalent-workers.js';
import type { Fleet } from '../cache/fleet.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import { type HostStanding, type QueueHost, queueHostOf } from '../cache/host-standing.types.js';
import type { RequirementClass } from '../requirements/requirement-class.js';

/** Facts about the tests of hosts that were excluded. */
export interface HostTestFacts {
  /** Time until which only canary jobs test a host that was excluded, if they do. */
  readonly canaryOnlyUntil?: (host: QueueHost) => Date | undefined;
  /** Reason for which core could not submit the latest test of a host of a queue, if it could not. */
  readonly hostTestProblem?: (queue: string) => string | undefined;
}

interface NamedHost {
  readonly worker: FleetWorker;
  readonly standing: HostStanding;
}

/**
 * A sentence about hosts that get no job, or one at a time, although their workers could run the job;
 * undefined if there are none. Of several, the one whose exclusion ends first is named.
 * @param wallMs current time
 * @param tests what is known about the tests of hosts
 */
export function hostsReason(
  fleet: Fleet,
  experiment: string,
  cls: RequirementClass,
  wallMs: number | undefined,
  { canaryOnlyUntil, hostTestProblem }: HostTestFacts = {},
): string | undefined {
  if (wallMs === undefined) return undefined;
  let first: NamedHost | undefined;
  const hosts = new Set<string>();
  let queues: ReadonlySet<string> | undefined;
  for (const worker of fleet.workers()) {
    const standing = worker.standing(wallMs);
    if (!standing || worker.facts.state !== 'READY') continue;
    queues ??= new Set(consideredQueues(fleet, experiment, cls).map(({ id }) => id));
    if (!queues.has(worker.facts.queueId) || !worker.fits(cls)) continue;
    hosts.add(`${worker.facts.queueId} ${worker.facts.host}`);
    if (!first || endOf(standing) < endOf(first.standing)) first = { worker, standing };
  }
  if (!first) return undefined;
  const { worker, standing } = first;
  const others = hosts.size - 1;
  const more =
    others === 0
      ? ''
      : ` ${others} other ${others === 1 ? 'host' : 'hosts'} of such workers ${others === 1 ? 'is' : 'are'} not healthy, either.`;
  const { name } = worker.shape.queue;
  const problem = standing.state === 'SUSPECT' ? undefined : hostTestProblem?.(name);
  const untested =
    problem === undefined
      ? ''
      : ` Core could not submit the canary job that tests hosts of queue ${name}: ${problem}.`;
  return `Host ${worker.facts.host} of queue ${name} ${stateText(standing, canaryOnlyUntil?.(queueHostOf(worker)))}: ${standing.reason}.${untested}${more}`;
}

function stateText({ state, until }: HostStanding, canaryUntil: Date | undefined): string {
  if (state === 'SUSPECT') return 'is suspect and gets one job at a time';
  if (state === 'HALF_OPEN' && canaryUntil)
    return `was excluded and is tested by a canary job, and from ${canaryUntil.toISOString()} on by other jobs as well`;
  if (state === 'HALF_OPEN') return 'was excluded and is tested by one job at a time';
  return until === null ? 'is excluded' : `is excluded until ${until.toISOString()}`;
}

function endOf({ state, until }: HostStanding): number {
  return state === 'EXCLUDED' ? (until?.getTime() ?? Infinity) : 0;
}
