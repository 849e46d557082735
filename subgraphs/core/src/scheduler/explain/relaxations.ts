/**
 * Changes of one constraint that would let more workers take a job. Values to ask instead are those that workers have: of each constraint the
 * one that is nearest to what is asked, and the one that gains the most. A worker that two things keep away gains by none of them.
 */
import type { Alike } from '../cache/equivalent-workers.js';
import type { Standing } from './fleet-facts.js';
import { gpuGains } from './gpu-relaxations.js';
import { hostGains } from './host-relaxations.js';
import type { Relaxation } from './pending.types.js';
import type { RequirementClass } from '../requirements/requirement-class.js';

/** A change of one thing. */
export interface Change {
  /** The constraint that is changed, as it reads. */
  readonly constraint: string;
  readonly change: string;
  /** How much is given up: smaller is cheaper. */
  readonly cost: number;
}

/** Workers that would fit. */
export interface Gain {
  readonly group: Alike;
  /** How many of the group. */
  readonly workers: number;
  /** Devices of each that would serve. */
  readonly devices: number;
}

/** A change with what it gains. */
export interface Gained extends Change {
  readonly gains: readonly Gain[];
}

interface Counted extends Relaxation {
  readonly cost: number;
}

const maxRelaxations = 5;

/** The changes, the cheapest first. @param wallMs the time, against which the ends of workers are set */
export function relaxationsOf(
  cls: RequirementClass,
  standings: readonly Standing[],
  wallMs: number | undefined,
): readonly Relaxation[] {
  const others = standings.filter(({ failed }) => failed.length > 0);
  if (others.length === 0) return [];
  const found = [...hostGains(cls, others, wallMs), ...gpuGains(cls, others)];
  return choose(found.filter(({ gains }) => gains.length > 0).map(counted));
}

function counted({ constraint, change, cost, gains }: Gained): Counted {
  return {
    constraint,
    change,
    cost,
    queuesGained: new Set(gains.map(({ group }) => group.one.shape.queue.id)).size,
    workersGained: gains.reduce((sum, { workers }) => sum + workers, 0),
    devicesGained: gains.reduce((sum, { workers, devices }) => sum + workers * devices, 0),
  };
}

/** Of each constraint the cheapest and the one with the most; of all the cheapest. */
function choose(found: readonly Counted[]): readonly Relaxation[] {
  const byConstraint = new Map<string, Counted[]>();
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
