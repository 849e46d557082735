/**
 * Changes of one constraint that would let more workers take a job. Values to ask instead are those that workers have: of each constraint the
 * one that is nearest to what is asked, and the one that gains the most. A worker that two things keep away gains by none of them.
 */
import { gpuGains } from './gpu-relaxations.js';
import { hostGains } from './host-relaxations.js';
import type { Relaxation } from './pending.types.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { Gained, Standing } from './relaxation.types.js';

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
