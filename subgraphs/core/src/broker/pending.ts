/** Why a job waits: each constraint with the workers that meet it, and one sentence. Pure. */
import type { JobDocument } from '../jobs/job.types.js';
import type { Fleet, FleetWorker } from './fleet.js';
import { chooseDevices, deviceRoom } from '../gpus/device-room.js';
import type { Ledger } from './ledger.js';
import { experimentOf } from './ready-windows.js';
import type { RequirementClass } from './requirement-class.js';
import { mayTake } from './share-order.js';

/** What of a job its waiting depends on. */
export type WaitingJob = Pick<
  JobDocument,
  '_id' | 'state' | 'share' | 'owner' | 'priority' | 'classId' | 'hold' | 'notBefore' | 'waitingFor'
>;

/** The facts of `Job.pending`. */
export interface PendingFacts {
  readonly summary: string;
  readonly constraints: readonly {
    readonly constraint: string;
    readonly queuesThatPass: number;
    readonly workersThatPass: number;
    readonly devicesThatPass: number;
    readonly queuesTogether: number;
    readonly workersTogether: number;
    readonly devicesTogether: number;
    readonly workersThatFailFirst: number;
    readonly reasons: readonly string[];
  }[];
  readonly mostFailed: string | null;
  readonly queuesConsidered: number;
  readonly workersConsidered: number;
  readonly devicesConsidered: number;
  readonly workersThatFit: number;
  readonly workersFreeNow: number;
  readonly position: number | null;
  readonly positionIsEstimate: boolean;
  readonly isShareBorrowing: boolean;
  readonly relaxations: readonly Relaxation[];
  readonly wait: WaitEstimate;
}

/** A change of one constraint that would let more workers take the job. */
export interface Relaxation {
  readonly constraint: string;
  readonly change: string;
  readonly queuesGained: number;
  readonly workersGained: number;
  readonly devicesGained: number;
}

/** How long a job may wait. */
export interface WaitEstimate {
  readonly kind: 'ESTIMATED' | 'UNKNOWN';
  readonly seconds: number | null;
  readonly lowSeconds: number | null;
  readonly highSeconds: number | null;
  readonly basedOnGrants: number;
  readonly reason: string;
}

/** Reasons shown for one constraint at most. */
const maxReasons = 3;

/** Explains a waiting job. `position`: ready jobs before it in its share, or null when that is not known here. */
export function explainPending(
  job: WaitingJob,
  cls: RequirementClass,
  { fleet, ledger }: { readonly fleet: Fleet; readonly ledger: Ledger },
  position: number | null,
): PendingFacts {
  const considered = [...fleet.workers()].filter((worker) => isConsidered(worker, job, cls));
  const constraints = constraintFacts(cls, considered);
  const fitting = considered.filter((worker) => worker.fits(cls));
  const free = fitting.filter((worker) => hasRoom(worker, cls, ledger));
  const share = fleet.share(job.share);
  const counts = {
    constraints,
    mostFailed: null,
    queuesConsidered: 0,
    devicesConsidered: 0,
    positionIsEstimate: false,
    relaxations: [],
    wait: {
      kind: 'UNKNOWN' as const,
      seconds: null,
      lowSeconds: null,
      highSeconds: null,
      basedOnGrants: 0,
      reason: 'Nothing is known yet.',
    },
    workersConsidered: considered.length,
    workersThatFit: fitting.length,
    workersFreeNow: free.length,
    position,
    isShareBorrowing: ledger.shareUse(job.share).cores >= share.nominalCores,
  };
  return { summary: ownReason(job) ?? fleetReason(job, cls, counts, fleet, ledger), ...counts };
}

/** Workers that take jobs, of queues that take work (also by name only, where the job names it) and admit the experiment. */
function isConsidered(
  { facts, shape: { queue } }: FleetWorker,
  job: WaitingJob,
  { requirements }: RequirementClass,
): boolean {
  const admits = queue.experiments.length === 0 || queue.experiments.includes(experimentOf(job.share));
  const isNamed =
    requirements.queue === queue.name && (queue.state === 'TEST' || queue.state === 'BROKEROFF');
  return facts.state === 'READY' && admits && (queue.state === 'ONLINE' || isNamed);
}

/** Workers of one shape are looked at once, except where a constraint tells them apart. */
function constraintFacts(
  cls: RequirementClass,
  workers: readonly FleetWorker[],
): PendingFacts['constraints'] {
  const byShape = new Map<object, FleetWorker[]>();
  for (const worker of workers) {
    const alike = byShape.get(worker.shape);
    if (alike) alike.push(worker);
    else byShape.set(worker.shape, [worker]);
  }
  const groups = [...byShape.values()];
  return cls.constraints.map((constraint) => {
    let passing = 0;
    const reasons = new Map<string, number>();
    for (const alike of constraint.isPerWorker ? workers.map((worker) => [worker]) : groups) {
      const reason = alike[0] && constraint.refusal(alike[0].candidate);
      if (reason === undefined) passing += alike.length;
      else reasons.set(reason, (reasons.get(reason) ?? 0) + alike.length);
    }
    const frequent = [...reasons].sort(([, a], [, b]) => b - a).slice(0, maxReasons);
    return {
      constraint: constraint.text,
      workersThatPass: passing,
      queuesThatPass: 0,
      devicesThatPass: 0,
      queuesTogether: 0,
      workersTogether: 0,
      devicesTogether: 0,
      workersThatFailFirst: 0,
      reasons: frequent.map(([reason, count]) => `${reason} (${plural(count, 'worker')})`),
    };
  });
}

function hasRoom(worker: FleetWorker, cls: RequirementClass, ledger: Ledger): boolean {
  const { facts, shape, devices } = worker;
  const { requirements } = cls;
  const used = ledger.workerUse(facts.id);
  const most = shape.queue.limits.maxRunningJobs;
  return (
    facts.hardware.cores - used.cores >= requirements.cores &&
    facts.hardware.memoryMiB - used.memoryMiB >= requirements.memoryMiB &&
    facts.hardware.diskMiB - used.diskMiB >= requirements.diskMiB &&
    (most === undefined || ledger.queueJobs(shape.queue.id) < most) &&
    (requirements.gpu === undefined || requirements.gpu.optional || hasDevices(requirements.gpu))
  );

  function hasDevices(gpu: NonNullable<typeof requirements.gpu>): boolean {
    const fit = shape.deviceFit(cls);
    if (!fit) return false;
    const bookings = ledger.hasBookings(facts.id)
      ? (id: string) => ledger.deviceUse(facts.id, id)
      : undefined;
    return (
      chooseDevices(
        gpu,
        fit,
        deviceRoom(devices, () => true, bookings),
      ) !== undefined
    );
  }
}

/** What holds the job back before any worker is looked at. */
function ownReason({ state, hold, notBefore, waitingFor, owner, share }: WaitingJob): string | undefined {
  if (hold) return `Held by ${hold.by}: ${hold.reason}`;
  if (waitingFor.length > 0) {
    const more = waitingFor.length > 1 ? ` and ${waitingFor.length - 1} more` : '';
    return `Waits for ${waitingFor[0] ?? ''}${more} to finish.`;
  }
  if (state === 'PENDING' && notBefore)
    return `Waits until ${notBefore.toISOString()} before the next attempt.`;
  if (state === 'THROTTLED') return `Owner ${owner} has its limit of cores of share ${share} in use.`;
  return undefined;
}

type Counts = Omit<PendingFacts, 'summary'>;

function fleetReason(
  job: WaitingJob,
  cls: RequirementClass,
  counts: Counts,
  fleet: Fleet,
  ledger: Ledger,
): string {
  const experiment = experimentOf(job.share);
  const { workersConsidered, workersThatFit, workersFreeNow, position, constraints } = counts;
  if (workersConsidered === 0) return `No live worker of a queue that is online and admits ${experiment}.`;
  if (workersThatFit === 0) {
    const worst = [...constraints].sort((a, b) => a.workersThatPass - b.workersThatPass)[0];
    if (!worst || worst.workersThatPass > 0)
      return `Each constraint is met by some of ${workersConsidered} workers, but no worker meets all of them.`;
    return `None of ${workersConsidered} workers meets "${worst.constraint}": ${worst.reasons[0] ?? 'unknown'}.`;
  }
  const share = fleet.share(job.share);
  if (!mayTake(share, ledger.shareUse(job.share), cls.requirements.cores)) {
    return `Share ${job.share} uses ${ledger.shareUse(job.share).cores} cores, and ${cls.requirements.cores} more are over its limit.`;
  }
  if (workersFreeNow === 0) return `${plural(workersThatFit, 'worker')} could run it, but none has room now.`;
  const turn =
    position === null
      ? ''
      : position === 0
        ? '; it is the next of its share'
        : `; ${plural(position, 'job')} of its share ${position === 1 ? 'comes' : 'come'} before it`;
  return `Ready: ${plural(workersFreeNow, 'worker')} ${workersFreeNow === 1 ? 'has' : 'have'} room for it${turn}.`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
