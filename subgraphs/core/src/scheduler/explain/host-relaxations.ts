/** Changes of host requirements and of the walltime. */
import { matchDevices } from '../../gpus/verdict/device-match.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { anyRuntime } from '../../jobs/model/platforms.js';
import { secondsLeft } from '../cache/equivalent-workers.js';
import { allowedWalltimeSeconds } from '../../queues/walltime.js';
import { hostConstraintsOf, isAmount, queueLimit } from '../requirements/constraints.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { AmountName, Constraint, Subject } from '../requirements/constraint.types.js';
import type { Change, Gain, Gained, Standing } from './relaxation.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';

type Amount = AmountName | 'walltimeSeconds';

/** Returns all changes, with the gain of each. @param standings workers that do not fit */
export function hostGains(
  cls: RequirementClass,
  standings: readonly Standing[],
  wallMs: number | undefined,
): readonly Gained[] {
  const byConstraint = new Map<Constraint, Standing[]>();
  for (const standing of standings) {
    const [failed, ...more] = standing.failed;
    if (!failed || more.length > 0 || failed.about === 'devices') continue;
    byConstraint.set(failed, [...(byConstraint.get(failed) ?? []), standing]);
  }
  return [...byConstraint].flatMap(([constraint, kept]) => {
    const { about } = constraint;
    return about === 'walltimeSeconds' || isAmount(about)
      ? amountGains(about, constraint.text, cls.requirements, kept, wallMs)
      : termGains(constraint, cls, kept);
  });
}

function gainOf(standing: Standing, { gpu }: StoredRequirements, workers?: number): Gain {
  const { group } = standing;
  const match = gpu && !gpu.optional ? matchDevices(gpu, group.one.profile.devices()) : undefined;
  return { group, workers: workers ?? group.workers.length, devices: match?.positions.length ?? 0 };
}

/**
 * The largest amount below the required one that some worker has, and the largest one that all of them have.
 */
function amountGains(
  name: Amount,
  constraint: string,
  requirements: StoredRequirements,
  standings: readonly Standing[],
  wallMs: number | undefined,
): readonly Gained[] {
  const wanted = requirements[name];
  const taken = standings.map((standing) => ({
    standing,
    values: standing.group.workers.map((worker) => mostOf(name, worker, wallMs)),
  }));
  const values = taken.flatMap((one) => one.values).filter((value) => value > 0);
  if (values.length === 0) return [];
  const ends = values.reduce(
    ({ most, least }, value) => ({ most: Math.max(most, value), least: Math.min(least, value) }),
    { most: 0, least: Infinity },
  );
  return [...new Set([ends.most, ends.least])].map((value) => ({
    constraint,
    change: `${name} >= ${value} instead of ${wanted}`,
    cost: 1 - value / wanted,
    gains: taken.flatMap(({ standing, values: own }) => {
      const workers = own.filter((most) => most >= value).length;
      return workers > 0 ? [gainOf(standing, requirements, workers)] : [];
    }),
  }));
}

/**
 * Maximum amount that the worker and its queue allow; walltime is rounded to minutes, so that it stays valid
 * for a while.
 */
function mostOf(name: Amount, worker: FleetWorker, wallMs: number | undefined): number {
  const { queue } = worker.shape;
  if (name !== 'walltimeSeconds')
    return Math.min(worker.facts.hardware[name], queueLimit(name, queue) ?? Infinity);
  const left = Math.floor(secondsLeft(worker, wallMs) / 60) * 60;
  return Math.min(left, allowedWalltimeSeconds(queue));
}

interface TermChange extends Omit<Change, 'constraint'> {
  readonly requirements: StoredRequirements;
}

/** Values that workers have instead, or no condition. */
function termGains(
  constraint: Constraint,
  { requirements, selector }: RequirementClass,
  standings: readonly Standing[],
): readonly Gained[] {
  return termChanges(constraint.about, requirements, standings).map(
    ({ requirements: changed, ...change }) => {
      const kept = constraint.about === 'selector' ? undefined : selector;
      const own = hostConstraintsOf(changed, kept).find(({ about }) => about === constraint.about);
      const gained = standings.filter(({ group }) => own?.refusal(group.one.profile) === undefined);
      return {
        ...change,
        constraint: constraint.text,
        gains: gained.map((standing) => gainOf(standing, requirements)),
      };
    },
  );
}

function termChanges(
  about: Subject,
  wanted: StoredRequirements,
  standings: readonly Standing[],
): readonly TermChange[] {
  const hardware = standings.map(({ group }) => group.one.facts.hardware);
  const { architecture, architectureLevel, containerRuntime, queue } = wanted;
  switch (about) {
    case 'architecture':
      return terms(hardware.map((have) => have.architecture)).map((term) => ({
        change: `architecture = ${term} instead of ${architecture ?? ''}`,
        requirements: { ...wanted, architecture: term },
        cost: 3,
      }));
    case 'architectureLevel':
      return levelChanges(wanted, architectureLevel ?? '', hardware);
    case 'containerRuntime':
      return runtimeChanges(wanted, containerRuntime ?? '', hardware);
    case 'network':
      return [
        { change: 'without the outside network', requirements: { ...wanted, network: false }, cost: 2 },
      ];
    case 'queue':
      if (queue === undefined) return [];
      return [{ change: `any queue instead of ${queue}`, requirements: without(wanted, 'queue'), cost: 1 }];
    case 'selector':
      return [{ change: 'without the selector', requirements: without(wanted, 'selector'), cost: 2 }];
    default:
      return [];
  }
}

type Hardware = FleetWorker['facts']['hardware'];

function levelChanges(
  wanted: StoredRequirements,
  required: string,
  hardware: readonly Hardware[],
): readonly TermChange[] {
  const lower = terms(hardware.map((have) => have.architectureLevel)).map((term) => ({
    change: `architectureLevel >= ${term} instead of ${required}`,
    requirements: { ...wanted, architectureLevel: term },
    cost: 1,
  }));
  // Without the condition, workers of unknown level are allowed, too.
  const change = 'without a condition on the architecture level';
  return [...lower, { change, requirements: without(wanted, 'architectureLevel'), cost: 1.2 }];
}

function runtimeChanges(
  wanted: StoredRequirements,
  required: string,
  hardware: readonly Hardware[],
): readonly TermChange[] {
  const others = terms(hardware.flatMap((have) => [...have.containerRuntimes])).map((term) => ({
    change: `container runtime ${term} instead of ${required}`,
    requirements: { ...wanted, containerRuntime: term },
    cost: 1,
  }));
  const change = `any container runtime instead of ${required}`;
  return [...others, { change, requirements: { ...wanted, containerRuntime: anyRuntime }, cost: 1.1 }];
}

function without(requirements: StoredRequirements, name: keyof StoredRequirements): StoredRequirements {
  return Object.fromEntries(
    Object.entries(requirements).filter(([key]) => key !== name),
  ) as unknown as StoredRequirements;
}

function terms(found: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(found.filter((term) => term !== undefined))];
}
