/**
 * Facts of the fleet for a class: constraint by constraint, all together, and now. Pure. Workers of one shape
 * are checked once.
 */
import { matchDevices } from '../../gpus/verdict/device-match.js';
import { secondsUntilDowntime } from '../../queues/downtimes/downtime-window.js';
import { type EquivalentWorkers, equivalentWorkers, secondsLeft } from '../cache/equivalent-workers.js';
import { isAmount } from '../requirements/constraints.js';
import type { Fleet } from '../cache/fleet.js';
import type { Ledger } from '../cache/ledger.js';
import type { ConstraintFacts, FleetFacts, PreferenceFacts } from './pending.types.js';
import { relaxationsOf } from './relaxations.js';
import type { ClassPreferences, RequirementClass } from '../requirements/requirement-class.js';
import type { Selector } from '../requirements/selector.js';
import { preferenceView } from '../cache/preference-scores.js';
import { plural } from '../../shared/plural.js';
import { fitsNow } from '../placement/fits-now.js';
import { QueueAllowance } from '../placement/queue-limits.js';
import type { AmountName, Constraint } from '../requirements/constraint.types.js';
import type { Standing } from './relaxation.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/** Input of the facts. */
export interface FactsWorld {
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  /** Current time, with which the end times of workers are compared; without it they are ignored. */
  readonly wallMs?: number | undefined;
}

/** Maximum number of reasons for one constraint. */
const maxReasons = 3;

/** Returns the facts for jobs of an experiment. */
export function fleetFacts(cls: RequirementClass, experiment: string, world: FactsWorld): FleetFacts {
  const { fleet, ledger, wallMs } = world;
  const groups = equivalentWorkers(fleet, experiment, cls, wallMs);
  const standings = groups.map((group): Standing => ({
    group,
    failed: [],
    devices: group.one.facts.devices.map(() => true),
    passes: true,
  }));
  const count = cls.requirements.gpu?.count ?? 0;
  const constraints = cls.constraints.map((constraint) => factsOf(constraint, standings, count, wallMs));
  const first = constraints.reduce<ConstraintFacts | undefined>(
    (most, facts) => (facts.workersThatFailFirst > (most?.workersThatFailFirst ?? 0) ? facts : most),
    undefined,
  );
  const fitting = standings.filter(({ failed }) => failed.length === 0).map(({ group }) => group);
  return {
    constraints,
    mostFailed: first?.constraint ?? null,
    queuesConsidered: new Set(groups.map(({ one }) => one.shape.queue.id)).size,
    workersConsidered: sum(groups, ({ workers }) => workers.length),
    devicesConsidered: sum(groups, ({ one, workers }) => one.facts.devices.length * workers.length),
    workersThatFit: sum(fitting, ({ workers }) => workers.length),
    workersFreeNow: sum(fitting, (group) => freeNow(group, cls, experiment, ledger)),
    relaxations: relaxationsOf(cls, standings, wallMs),
    preferences: preferenceFacts(cls, fitting),
  };
}

/** Most workers for which a preference is evaluated; the number is estimated from them if there are more. */
const maxCompared = 1000;

/** Preferences of the class in its order. @param fitting workers that could run it when empty */
function preferenceFacts(
  cls: RequirementClass,
  fitting: readonly EquivalentWorkers[],
): readonly PreferenceFacts[] {
  const { preferences } = cls;
  if (!preferences) return [];
  const workers = spread(fitting.flatMap((group) => group.workers));
  return preferences.terms.map(({ selector, weight }) => ({
    expression: selector.text,
    weight,
    share: weight / preferences.totalWeight,
    ...workersThatMeet(selector, workers, preferences),
  }));
}

/** Evaluates once for all workers that the selector cannot distinguish. */
function workersThatMeet(
  { scope, accepts }: Selector,
  workers: readonly FleetWorker[],
  preferences: ClassPreferences,
): Pick<PreferenceFacts, 'workersThatMeet' | 'isEstimated'> {
  const known = new Map<object, boolean>();
  let [met, compared] = [0, 0];
  for (const worker of workers) {
    const key = worker.equivalenceKey(scope);
    let meets = known.get(key);
    if (meets === undefined) {
      if (known.size >= maxCompared) continue;
      known.set(key, (meets = accepts(preferenceView(worker.profile, preferences))));
    }
    compared += 1;
    met += Number(meets);
  }
  const isEstimated = compared < workers.length;
  return { workersThatMeet: isEstimated ? Math.round((met * workers.length) / compared) : met, isEstimated };
}

/** The workers in an order in which the first ones are from all parts of the list. */
function spread(workers: readonly FleetWorker[]): readonly FleetWorker[] {
  const step = Math.ceil(workers.length / maxCompared);
  if (step <= 1) return workers;
  return Array.from({ length: step }, (_, from) =>
    workers.filter((_worker, at) => at % step === from),
  ).flat();
}

/** Number of workers in all queues that could start a job of the class now. */
export function workersFreeNow(
  cls: RequirementClass,
  experiment: string,
  { fleet, ledger, wallMs }: FactsWorld,
): number {
  const groups = equivalentWorkers(fleet, experiment, cls, wallMs);
  return sum(groups, (group) =>
    !group.endsTooSoon && group.one.fits(cls) ? freeNow(group, cls, experiment, ledger) : 0,
  );
}

function freeNow(
  { one, workers }: EquivalentWorkers,
  cls: RequirementClass,
  experiment: string,
  ledger: Ledger,
): number {
  if (!new QueueAllowance(one.shape.queue, ledger).admits(experiment, cls)) return 0;
  const { gpu } = cls.requirements;
  const match = gpu && !gpu.optional ? matchDevices(gpu, one.profile.devices()) : undefined;
  return workers.reduce((free, worker) => free + Number(fitsNow(worker, cls, match, ledger)), 0);
}

/** Reason why the group does not meet the constraint, or undefined if it does. */
function refusalOf(
  constraint: Constraint,
  { one, endsTooSoon }: EquivalentWorkers,
  wallMs: number | undefined,
): string | undefined {
  const refusal = constraint.refusal(one.profile);
  if (refusal !== undefined || !endsTooSoon || constraint.about !== 'walltimeSeconds') return refusal;
  const untilDowntime = wallMs === undefined ? Infinity : secondsUntilDowntime(one.downtimes, wallMs);
  const isDown = untilDowntime <= secondsLeft(one, wallMs);
  return isDown ? `queue ${one.shape.queue.name} is down too soon` : 'ends too soon';
}

function factsOf(
  constraint: Constraint,
  standings: readonly Standing[],
  count: number,
  wallMs: number | undefined,
): ConstraintFacts {
  const [alone, together] = [new Tally(), new Tally()];
  let failFirst = 0;
  const reasons = new Reasons(constraint);
  for (const standing of standings) {
    const { one } = standing.group;
    const reason = refusalOf(constraint, standing.group, wallMs);
    const own = constraint.devicesThatPass?.(one.profile);
    if (reason === undefined) alone.add(standing.group, own ? trues(own) : one.facts.devices.length);
    else {
      standing.failed.push(constraint);
      reasons.add(reason, standing.group);
    }
    if (!standing.passes) continue;
    if (own) standing.devices = standing.devices.map((passes, position) => passes && own[position] === true);
    standing.passes = reason === undefined && (!own || trues(standing.devices) >= count);
    if (standing.passes) together.add(standing.group, trues(standing.devices));
    else failFirst += standing.group.workers.length;
  }
  return {
    constraint: constraint.text,
    queuesThatPass: alone.queues.size,
    workersThatPass: alone.workers,
    devicesThatPass: alone.devices,
    queuesTogether: together.queues.size,
    workersTogether: together.workers,
    devicesTogether: together.devices,
    workersThatFailFirst: failFirst,
    reasons: reasons.texts(),
  };
}

/** Reasons why workers do not meet a constraint, with their numbers. */
class Reasons {
  readonly #amount: AmountName | undefined;
  readonly #counts = new Map<string, number>();
  /** Number of workers by their too small amount; the amounts of hosts may all differ. */
  readonly #short = new Map<number, number>();

  constructor({ about }: Constraint) {
    this.#amount = isAmount(about) ? about : undefined;
  }

  add(reason: string, { one, workers }: EquivalentWorkers): void {
    const name = this.#amount;
    if (name === undefined || shortOf(name, one) !== reason) {
      this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + workers.length);
      return;
    }
    for (const { facts } of workers) {
      const value = facts.hardware[name];
      this.#short.set(value, (this.#short.get(value) ?? 0) + 1);
    }
  }

  /** Returns the reasons, most frequent first. */
  texts(): readonly string[] {
    const all = [...this.#counts, ...this.#amounts()].sort(([, a], [, b]) => b - a).slice(0, maxReasons);
    return all.map(([reason, times]) => `${reason} (${plural(times, 'worker')})`);
  }

  #amounts(): readonly (readonly [string, number])[] {
    if (this.#short.size <= maxReasons)
      return [...this.#short].map(([value, times]) => [`has ${value}`, times]);
    let [least, most, workers] = [Infinity, 0, 0];
    for (const [value, times] of this.#short) {
      [least, most] = [Math.min(least, value), Math.max(most, value)];
      workers += times;
    }
    return [[`has ${least} to ${most}`, workers]];
  }
}

/** Reason for a worker with too small an amount. */
function shortOf(name: AmountName, { facts }: FleetWorker): string {
  return `has ${facts.hardware[name]}`;
}

/** Counts distinct queues, workers and devices. */
class Tally {
  readonly queues = new Set<string>();
  workers = 0;
  devices = 0;

  add({ one, workers }: EquivalentWorkers, devicesOfEach: number): void {
    this.queues.add(one.shape.queue.id);
    this.workers += workers.length;
    this.devices += devicesOfEach * workers.length;
  }
}

function trues(values: readonly boolean[]): number {
  let found = 0;
  for (const value of values) if (value) found += 1;
  return found;
}

function sum(groups: readonly EquivalentWorkers[], of: (group: EquivalentWorkers) => number): number {
  return groups.reduce((all, group) => all + of(group), 0);
}
