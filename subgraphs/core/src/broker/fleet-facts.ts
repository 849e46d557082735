/** What the fleet offers a class: constraint by constraint, all together, and now. Pure. Workers of one shape are looked at once. */
import { chooseDevices, deviceRoom } from '../gpus/device-room.js';
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import type { Constraint } from './constraints.js';
import type { QueueFacts } from './broker.types.js';
import type { Fleet, FleetWorker, Shape } from './fleet.js';
import type { Ledger } from './ledger.js';
import type { ConstraintFacts, FleetFacts } from './pending.types.js';
import { relaxationsOf } from './relaxations.js';
import type { RequirementClass } from './requirement-class.js';

/** Workers that are alike for the class. */
export interface Alike {
  readonly one: FleetWorker;
  readonly workers: readonly FleetWorker[];
}

/** Reasons shown for one constraint at most. */
const maxReasons = 3;

/** The facts for jobs of an experiment. */
export function fleetFacts(
  cls: RequirementClass,
  experiment: string,
  { fleet, ledger }: { readonly fleet: Fleet; readonly ledger: Ledger },
): FleetFacts {
  const groups = alike(fleet, experiment, cls);
  const constraints = constraintFacts(cls, groups);
  const [fitting, others]: [Alike[], Alike[]] = [[], []];
  for (const group of groups) (group.one.fits(cls) ? fitting : others).push(group);
  const first = constraints.reduce<ConstraintFacts | undefined>(
    (most, facts) => (facts.workersThatFailFirst > (most?.workersThatFailFirst ?? 0) ? facts : most),
    undefined,
  );
  let free = 0;
  for (const { workers } of fitting)
    for (const worker of workers) if (hasRoom(worker, cls, ledger)) free += 1;
  return {
    constraints,
    mostFailed: first?.constraint ?? null,
    queuesConsidered: new Set(groups.map(({ one }) => one.shape.queue.id)).size,
    workersConsidered: sum(groups, ({ workers }) => workers.length),
    devicesConsidered: sum(groups, ({ one, workers }) => one.facts.devices.length * workers.length),
    workersThatFit: sum(fitting, ({ workers }) => workers.length),
    workersFreeNow: free,
    relaxations: relaxationsOf(cls, others),
  };
}

/** Workers that take jobs, of queues that take work (also by name only, where the job names it) and admit the experiment, by shape. */
function alike(fleet: Fleet, experiment: string, cls: RequirementClass): readonly Alike[] {
  const isPerWorker = cls.constraints.some((constraint) => constraint.isPerWorker === true);
  const found: { one: FleetWorker; workers: FleetWorker[] }[] = [];
  /** Null for shapes of queues that are not considered. */
  const byShape = new Map<Shape, FleetWorker[] | null>();
  for (const worker of fleet.workers()) {
    if (worker.facts.state !== 'READY') continue;
    const known = byShape.get(worker.shape);
    if (known === null) continue;
    if (known && !isPerWorker) {
      known.push(worker);
      continue;
    }
    if (!known && !isConsidered(worker.shape.queue, experiment, cls)) {
      byShape.set(worker.shape, null);
      continue;
    }
    const workers = [worker];
    byShape.set(worker.shape, workers);
    found.push({ one: worker, workers });
  }
  return found;
}

function isConsidered(queue: QueueFacts, experiment: string, { requirements }: RequirementClass): boolean {
  const admits = queue.experiments.length === 0 || queue.experiments.includes(experiment);
  const isNamed =
    requirements.queue === queue.name && (queue.state === 'TEST' || queue.state === 'BROKEROFF');
  return admits && (queue.state === 'ONLINE' || isNamed);
}

/** What of a group meets the constraints looked at so far. */
interface Standing {
  readonly group: Alike;
  /** Devices that meet all device constraints so far, by position. */
  devices: readonly boolean[];
  passes: boolean;
}

function constraintFacts(cls: RequirementClass, groups: readonly Alike[]): readonly ConstraintFacts[] {
  const standings = groups.map((group): Standing => ({
    group,
    devices: group.one.facts.devices.map(() => true),
    passes: true,
  }));
  const count = cls.requirements.gpu?.count ?? 0;
  return cls.constraints.map((constraint) => factsOf(constraint, standings, count));
}

function factsOf(constraint: Constraint, standings: readonly Standing[], count: number): ConstraintFacts {
  const [alone, together] = [new Tally(), new Tally()];
  let failFirst = 0;
  const reasons = new Map<string, number>();
  for (const standing of standings) {
    const { one, workers } = standing.group;
    const reason = constraint.refusal(one.candidate);
    const own = constraint.devicesThatPass?.(one.candidate);
    if (reason === undefined) alone.add(standing.group, own ? trues(own) : one.facts.devices.length);
    else reasons.set(reason, (reasons.get(reason) ?? 0) + workers.length);
    if (!standing.passes) continue;
    if (own) standing.devices = standing.devices.map((passes, position) => passes && own[position] === true);
    standing.passes = reason === undefined && (!own || trues(standing.devices) >= count);
    if (standing.passes) together.add(standing.group, trues(standing.devices));
    else failFirst += workers.length;
  }
  const frequent = [...reasons].sort(([, a], [, b]) => b - a).slice(0, maxReasons);
  return {
    constraint: constraint.text,
    queuesThatPass: alone.queues.size,
    workersThatPass: alone.workers,
    devicesThatPass: alone.devices,
    queuesTogether: together.queues.size,
    workersTogether: together.workers,
    devicesTogether: together.devices,
    workersThatFailFirst: failFirst,
    reasons: frequent.map(([reason, times]) => `${reason} (${times} worker${times === 1 ? '' : 's'})`),
  };
}

/** Counts queues, workers and devices. */
class Tally {
  readonly queues = new Set<string>();
  workers = 0;
  devices = 0;

  add({ one, workers }: Alike, devicesOfEach: number): void {
    this.queues.add(one.shape.queue.id);
    this.workers += workers.length;
    this.devices += devicesOfEach * workers.length;
  }
}

function hasRoom(worker: FleetWorker, cls: RequirementClass, ledger: Ledger): boolean {
  const { facts, shape } = worker;
  const { cores, memoryMiB, diskMiB, gpu } = cls.requirements;
  const used = ledger.workerUse(facts.id);
  const most = shape.queue.limits.maxRunningJobs;
  return (
    facts.hardware.cores - used.cores >= cores &&
    facts.hardware.memoryMiB - used.memoryMiB >= memoryMiB &&
    facts.hardware.diskMiB - used.diskMiB >= diskMiB &&
    (most === undefined || ledger.queueJobs(shape.queue.id) < most) &&
    (gpu === undefined || gpu.optional || hasDevices(worker, cls, gpu, ledger))
  );
}

function hasDevices(
  { facts, shape, devices }: FleetWorker,
  cls: RequirementClass,
  gpu: StoredGpuRequirement,
  ledger: Ledger,
): boolean {
  const fit = shape.deviceFit(cls);
  if (!fit) return false;
  const bookings = ledger.bookings(facts.id);
  if (!bookings) return true;
  const room = deviceRoom(devices, () => true, bookings);
  return chooseDevices(gpu, fit, room) !== undefined;
}

function trues(values: readonly boolean[]): number {
  let found = 0;
  for (const value of values) if (value) found += 1;
  return found;
}

function sum(groups: readonly Alike[], of: (group: Alike) => number): number {
  return groups.reduce((all, group) => all + of(group), 0);
}
