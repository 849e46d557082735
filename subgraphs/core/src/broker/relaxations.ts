/**
 * Changes of one constraint that would let more workers take a job. Values to ask instead are those that workers have: of each constraint the
 * one that is nearest to what is asked, and the one that gains the most.
 */
import { fitDevices } from '../gpus/device-fit.js';
import type { StoredRequirements } from '../jobs/job.types.js';
import { hostConstraintsOf, meetsAll } from './constraints.js';
import type { Alike } from './fleet-facts.js';
import { gpuVariants } from './gpu-variants.js';
import type { Relaxation } from './pending.types.js';
import type { RequirementClass } from './requirement-class.js';

/** Requirements with one thing changed. */
export interface Variant<T> {
  /** The constraint that is changed, as it reads. */
  readonly constraint: string;
  readonly change: string;
  readonly requirement: T;
  /** How much is given up: smaller is cheaper. */
  readonly cost: number;
}

interface Gained extends Relaxation {
  readonly cost: number;
}

const maxRelaxations = 5;

/** The changes, the cheapest first. @param groups workers that do not fit */
export function relaxationsOf(cls: RequirementClass, groups: readonly Alike[]): readonly Relaxation[] {
  const { requirements, selector, hostConstraints } = cls;
  if (groups.length === 0) return [];
  const { gpu } = requirements;
  const devicesFit = (one: Alike['one']): boolean =>
    gpu === undefined || gpu.optional || fitDevices(gpu, one.candidate.devices()) !== undefined;
  const found: Gained[] = [];
  const byDevices = groups.filter(({ one }) => meetsAll(hostConstraints, one.candidate));
  if (gpu && !gpu.optional) {
    for (const variant of gpuVariants(gpu, byDevices)) {
      const gained = byDevices.flatMap((group) => {
        const fit = fitDevices(variant.requirement, group.one.candidate.devices());
        return fit ? [{ group, devices: fit.positions.length }] : [];
      });
      found.push(...gainOf(variant, gained));
    }
  }
  const byHost = groups.filter(({ one }) => devicesFit(one));
  for (const variant of hostVariants(requirements, byHost)) {
    const { requirement, withoutSelector } = variant;
    const constraints = hostConstraintsOf(requirement, withoutSelector ? undefined : selector);
    const gained = byHost
      .filter(({ one }) => meetsAll(constraints, one.candidate))
      .map((group) => ({
        group,
        devices:
          gpu && !gpu.optional ? (fitDevices(gpu, group.one.candidate.devices())?.positions.length ?? 0) : 0,
      }));
    found.push(...gainOf(variant, gained));
  }
  return choose(found);
}

function gainOf(
  { constraint, change, cost }: Variant<unknown>,
  gained: readonly { readonly group: Alike; readonly devices: number }[],
): readonly Gained[] {
  if (gained.length === 0) return [];
  const workers = gained.reduce((sum, { group }) => sum + group.workers.length, 0);
  return [
    {
      constraint,
      change,
      cost,
      queuesGained: new Set(gained.map(({ group }) => group.one.shape.queue.id)).size,
      workersGained: workers,
      devicesGained: gained.reduce((sum, { group, devices }) => sum + group.workers.length * devices, 0),
    },
  ];
}

/** Of each constraint the cheapest and the one with the most; of all the cheapest. */
function choose(found: readonly Gained[]): readonly Relaxation[] {
  const byConstraint = new Map<string, Gained[]>();
  for (const one of found)
    byConstraint.set(one.constraint, [...(byConstraint.get(one.constraint) ?? []), one]);
  const kept = [...byConstraint.values()].flatMap((all) => {
    const cheapest = [...all].sort((a, b) => a.cost - b.cost || b.workersGained - a.workersGained)[0];
    const largest = [...all].sort((a, b) => b.workersGained - a.workersGained || a.cost - b.cost)[0];
    const isMore = largest && cheapest && largest.workersGained > cheapest.workersGained;
    return [cheapest, isMore ? largest : undefined].filter((one) => one !== undefined);
  });
  return kept
    .sort((a, b) => a.cost - b.cost || b.workersGained - a.workersGained)
    .slice(0, maxRelaxations)
    .map(({ cost: _cost, ...relaxation }) => relaxation);
}

interface HostVariant extends Variant<StoredRequirements> {
  readonly withoutSelector?: true;
}

function hostVariants(requirements: StoredRequirements, groups: readonly Alike[]): readonly HostVariant[] {
  return [...amountVariants(requirements, groups), ...wordVariants(requirements, groups)];
}

const amounts = [
  ['cores', 'maxCores'],
  ['memoryMiB', 'maxMemoryMiB'],
  ['diskMiB', undefined],
] as const;

/** Amounts that workers have, and that their queues allow. */
function amountVariants(requirements: StoredRequirements, groups: readonly Alike[]): readonly HostVariant[] {
  const found: HostVariant[] = [];
  const propose = (
    name: 'cores' | 'memoryMiB' | 'diskMiB' | 'walltimeSeconds',
    values: readonly number[],
  ): void => {
    const wanted = requirements[name];
    for (const value of new Set(values)) {
      if (!(value < wanted && value > 0)) continue;
      found.push({
        constraint: `${name} >= ${wanted}`,
        change: `${name} >= ${value} instead of ${wanted}`,
        requirement: { ...requirements, [name]: value },
        cost: 1 - value / wanted,
      });
    }
  };
  for (const [name, limit] of amounts) {
    const most = groups.map(({ one: { facts, shape } }) =>
      Math.min(facts.hardware[name], (limit && shape.queue.limits[limit]) ?? Infinity),
    );
    propose(name, most);
  }
  propose(
    'walltimeSeconds',
    groups.map(({ one: { shape } }) => shape.queue.limits.maxWalltimeSeconds ?? Infinity),
  );
  return found;
}

/** Words that workers have instead, or none at all. */
function wordVariants(requirements: StoredRequirements, groups: readonly Alike[]): readonly HostVariant[] {
  const found: HostVariant[] = [];
  const { architecture, architectureLevel, containerRuntime, network, queue, selector } = requirements;
  const without = (name: keyof StoredRequirements): StoredRequirements =>
    Object.fromEntries(
      Object.entries(requirements).filter(([key]) => key !== name),
    ) as unknown as StoredRequirements;
  const hardware = groups.map(({ one }) => one.facts.hardware);
  const add = (constraint: string, change: string, requirement: StoredRequirements, cost: number): void =>
    void found.push({ constraint, change, requirement, cost });
  if (architecture !== undefined)
    for (const word of new Set(hardware.map((have) => have.architecture)))
      add(
        `architecture = ${architecture}`,
        `architecture = ${word} instead of ${architecture}`,
        { ...requirements, architecture: word },
        3,
      );
  if (architectureLevel !== undefined)
    for (const word of new Set(hardware.flatMap((have) => have.architectureLevel ?? [])))
      add(
        `architectureLevel >= ${architectureLevel}`,
        `architectureLevel >= ${word} instead of ${architectureLevel}`,
        { ...requirements, architectureLevel: word },
        1,
      );
  if (containerRuntime !== undefined)
    for (const word of new Set(hardware.flatMap((have) => [...have.containerRuntimes])))
      add(
        `containerRuntimes has ${containerRuntime}`,
        `container runtime ${word} instead of ${containerRuntime}`,
        { ...requirements, containerRuntime: word },
        1,
      );
  if (network) add('network', 'without the outside network', { ...requirements, network: false }, 2);
  if (queue !== undefined) add(`queue = ${queue}`, `any queue instead of ${queue}`, without('queue'), 1);
  if (selector !== undefined)
    found.push({
      constraint: `selector: ${selector}`,
      change: 'without the selector',
      requirement: without('selector'),
      cost: 2,
      withoutSelector: true,
    });
  return found;
}
