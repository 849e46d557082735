/**
 * Changes of one constraint with which more workers could run a job. The proposed values are those that
 * workers have: for each constraint the one nearest to the requirement, and the one with the largest gain. No
 * change helps for a worker that fails two constraints.
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

/**
 * Returns the changes, cheapest first. @param wallMs current time, with which the end times of workers are
 * compared
 */
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

/**
 * Chooses the cheapest change and the one with the largest gain for each constraint; then the cheapest of
 * all.
 */
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
