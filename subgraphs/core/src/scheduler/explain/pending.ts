/** Explains why a job waits, in one sentence and in numbers. Pure. */
import { requestedGpus } from '../../gpus/capacity/gpu-equivalents.js';
import { downtimeReason } from './downtimes.js';
import { hostsReason, type HostTestFacts } from './excluded-hosts.js';
import { fleetFacts } from './fleet-facts.js';
import type { Fleet } from '../cache/fleet.js';
import { type GrantHistory, unknownWait } from '../cache/grant-history.js';
import type { Ledger } from '../cache/ledger.js';
import type { FleetFacts, PendingFacts, PendingReason, WaitEstimate, WaitingJob } from './pending.types.js';
import { avoidanceReason } from './avoidance-reason.js';
import { givenBackReason } from './given-back-reason.js';
import { noEligibleWorkers } from './no-eligible-workers.js';
import { idleWindowMs, ReservedForCpuHosts } from '../placement/recently-idle-hosts.js';
import type { PositionInShare } from './queue-position.js';
import { preemptionReason } from './preemption-reason.js';
import { queueLimitReason } from './queue-limits.js';
import { experimentOf } from '../cache/ready-windows.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import { mayTake, mayTakeGpus, ownerMayTake, standing } from '../placement/share-order.js';
import { firstOf, plural } from '../../shared/plural.js';
import type { LimitedTask } from '../../tasks/limits/limited-task.types.js';
import type { SuspendedTask } from '../../tasks/control/suspended-task.types.js';

export type { PositionInShare } from './queue-position.js';

/** Input of an explanation. */
export interface PendingWorld extends HostTestFacts {
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  /** Grants of this process; undefined if it does not lead. */
  readonly history?: GrantHistory | undefined;
  readonly nowMs: number;
  /** Current time, with which the end times of workers are compared; without it they are ignored. */
  readonly wallMs?: number | undefined;
  /** Task of the job, if it is suspended. */
  readonly task?: SuspendedTask | undefined;
  /** Limit of its task on running jobs, if it is reached. */
  readonly taskLimit?: Pick<LimitedTask, 'name' | 'limit'> | undefined;
}

/**
 * Explains a waiting job. @param position null if the job is not ready; @param known facts of the fleet for
 * its class, if available
 */
export function explainPending(
  job: WaitingJob,
  cls: RequirementClass,
  world: PendingWorld,
  position: PositionInShare | null,
  known?: FleetFacts,
): PendingFacts {
  const { fleet, ledger } = world;
  const facts = known ?? fleetFacts(cls, experimentOf(job.share), world);
  const share = fleet.share(job.share);
  const counts = {
    ...facts,
    position: position?.position ?? null,
    isPositionEstimated: position?.isPositionEstimated ?? false,
    isShareBorrowing: standing(share, ledger.shareUse(job.share), fleet.totals).borrows,
    wait: waitOf(job, facts, world, position),
  };
  const reason = ownReason(job, world) ?? withHosts(job, cls, counts, world);
  const sentences = [reason.text, avoidanceReason(job, cls, world), givenBackReason(job)];
  const summary = sentences.filter((one) => one !== undefined).join(' ');
  return { kind: reason.kind, summary, ...counts };
}

function waitOf(
  job: WaitingJob,
  facts: FleetFacts,
  world: PendingWorld,
  position: PositionInShare | null,
): WaitEstimate {
  const { history, nowMs } = world;
  if (ownReason(job, world) !== undefined || position === null)
    return unknownWait(0, 'It is not ready, and it is unknown when it will be.');
  if (facts.workersThatFit === 0) return unknownWait(0, 'No worker could run it.');
  if (!history) return unknownWait(0, 'This process does not lead the broker, or has just begun to.');
  return history.estimate(job.share, job.classId, position.inClass, nowMs);
}

/** Reason that does not depend on workers. */
function ownReason(
  { state, hold, notBefore, waitingFor, owner, share }: WaitingJob,
  { task, taskLimit }: Pick<PendingWorld, 'task' | 'taskLimit'>,
): PendingReason | undefined {
  if (task) return { kind: task.isStopping ? 'TASK_STOPPING' : 'TASK_PAUSED', text: suspensionReason(task) };
  if (hold) return { kind: 'HELD', text: `Held by ${hold.by}: ${hold.reason}` };
  if (waitingFor.length > 0)
    return { kind: 'PARENTS', text: `Waits for ${firstOf(waitingFor, 1)} to finish.` };
  if (state === 'PENDING' && notBefore)
    return { kind: 'BACKOFF', text: `Waits until ${notBefore.toISOString()} before the next attempt.` };
  if (state === 'ACTIVATED' && taskLimit) {
    const { name, limit } = taskLimit;
    const text = `Its task "${name}" may run ${plural(limit, 'job')} at a time, and runs as many.`;
    return { kind: 'LIMIT', text };
  }
  if (state === 'THROTTLED')
    return { kind: 'LIMIT', text: `Owner ${owner} has reached its limit of cores in share ${share}.` };
  return undefined;
}

function suspensionReason({ name, isStopping, control }: SuspendedTask): string {
  const { by, at, reason, action } = control ?? {};
  const given = reason === undefined ? '.' : `: ${reason}`;
  const verb = action === 'ABORT' ? 'aborted' : isStopping ? 'finished' : 'paused';
  const since = `by ${by ?? 'unknown'} since ${at?.toISOString() ?? 'an unknown time'}${given}`;
  if (!isStopping) return `Its task "${name}" is paused ${since}`;
  return `The job will be cancelled: its task "${name}" is being ${verb} ${since}`;
}

type Counts = Omit<PendingFacts, 'summary' | 'kind'>;

function fleetReason(
  job: WaitingJob,
  cls: RequirementClass,
  counts: Counts,
  world: PendingWorld,
): PendingReason {
  const { workersConsidered, workersThatFit, workersFreeNow } = counts;
  const experiment = experimentOf(job.share);
  const noneEligible = noEligibleWorkers(world.fleet, experiment, cls, world.wallMs);
  if (noneEligible !== undefined || workersThatFit === 0) {
    const downtime = downtimeReason(world.fleet, experiment, cls, world.wallMs);
    const text = [noneEligible ?? misfitReason(counts), ...(downtime === undefined ? [] : [downtime])].join(
      ' ',
    );
    return { kind: noneEligible === undefined ? 'NO_MATCH' : 'NO_WORKERS', text };
  }
  const overLimit = shareReason(job, cls, world);
  if (overLimit !== undefined) return { kind: 'LIMIT', text: overLimit };
  if (workersFreeNow === 0) {
    const limit = queueLimitReason(world, experiment, cls);
    const preempted = preemptionReason(job, world);
    const sentences = [
      `Waits for free capacity: ${workersThatFit} of ${plural(workersConsidered, 'worker')} could run it, but none has free capacity now${turnOf(counts)}.`,
      ...(limit === undefined ? [] : [limit]),
      ...(preempted === undefined ? [] : [preempted]),
    ];
    return { kind: limit === undefined ? 'CAPACITY' : 'LIMIT', text: sentences.join(' ') };
  }
  const have = workersFreeNow === 1 ? 'has' : 'have';
  const text = `Ready: ${plural(workersFreeNow, 'worker')} ${have} free capacity for it${turnOf(counts)}.${deferralReason(job, cls, world)}`;
  return { kind: 'READY', text };
}

/** The reason of the fleet, with the hosts that are not healthy, unless a worker is free for the job. */
function withHosts(
  job: WaitingJob,
  cls: RequirementClass,
  counts: Counts,
  world: PendingWorld,
): PendingReason {
  const reason = fleetReason(job, cls, counts, world);
  const { fleet, wallMs } = world;
  const isFree = counts.workersFreeNow > 0;
  const hosts = isFree ? undefined : hostsReason(fleet, experimentOf(job.share), cls, wallMs, world);
  return hosts === undefined ? reason : { ...reason, text: `${reason.text} ${hosts}` };
}

/** Reason for a job that no worker fits. */
function misfitReason({ constraints, workersConsidered, mostFailed }: Counts): string {
  const [worst] = [...constraints].sort((a, b) => a.workersThatPass - b.workersThatPass);
  const workers = plural(workersConsidered, 'worker');
  if (worst?.workersThatPass === 0)
    return `None of ${workers} meets "${worst.constraint}": ${worst.reasons[0] ?? 'unknown'}.`;
  const first = mostFailed === null ? '' : ` Most of them fail "${mostFailed}" first.`;
  return `Each constraint is met by some of ${workers}, but no worker meets all of them.${first}`;
}

function turnOf({ position, isPositionEstimated }: Counts): string {
  if (position === null) return '';
  if (position === 0) return '; it is the next of its share';
  const about = isPositionEstimated ? 'about ' : '';
  return `; ${about}${plural(position, 'job')} of its share ${position === 1 ? 'comes' : 'come'} before it`;
}

/** Reason if the limit of cores or GPUs of the job's share or owner is reached. */
function shareReason(
  { share: path, owner }: WaitingJob,
  { requirements: { cores, gpu } }: RequirementClass,
  { fleet, ledger }: PendingWorld,
): string | undefined {
  const [share, usage] = [fleet.share(path), ledger.shareUse(path)];
  if (!mayTake(share, usage, cores))
    return `Share ${path} uses ${usage.cores} cores; ${cores} more would exceed its limit.`;
  if (!ownerMayTake(share, ledger.ownerCores(path, owner), cores))
    return ledger.ownerCores(path, owner) === 0
      ? `It requires more cores than one owner may use in share ${path}.`
      : `Owner ${owner} has reached its limit of cores in share ${path}.`;
  const gpus = requestedGpus(gpu);
  if (mayTakeGpus(share, usage, fleet.totals, gpus)) return undefined;
  return `Share ${path} uses ${rounded(usage.gpus)} GPUs; ${rounded(gpus)} more would exceed its limit.`;
}

/** Rounds to thousandths: parts of GPUs are thousandths and sevenths. */
const rounded = (gpus: number): string => String(Math.round(gpus * 1000) / 1000);

/** Reason why GPU hosts do not get the job, if it is reserved for other hosts. */
function deferralReason({ share }: WaitingJob, cls: RequirementClass, world: PendingWorld): string {
  const { fleet } = world;
  if (cls.requirements.gpu !== undefined || fleet.recentlyIdle.size === 0) return '';
  if (![...fleet.shapes()].some((shape) => shape.hasDevices && shape.mayFit(cls))) return '';
  const { hosts } = new ReservedForCpuHosts(world).reserve(cls, experimentOf(share), Infinity);
  if (hosts === 0) return '';
  const hostText = `${plural(hosts, 'host')} without GPUs with free capacity`;
  return ` It is reserved for ${hostText}, which ${hosts === 1 ? 'is' : 'are'} expected to request jobs within ${idleWindowMs / 1000} s.`;
}
