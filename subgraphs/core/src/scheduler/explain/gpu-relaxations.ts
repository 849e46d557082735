/** Changes of GPU requirements, with the gain of each. */
import { failsOnly, gainsOf, kindsOfHosts, servingDevices, servingKinds } from './device-kinds.js';
import type { Changed, KindsOfHost } from './device-kinds.js';
import { gpuLadders, type Ladder } from './gpu-ladders.js';
import { gpuVariants } from './gpu-variants.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { Gained, Standing } from './relaxation.types.js';

/** Additional cost of the furthest step of a ladder, compared to the nearest step of another. */
const furtherCost = 0.001;

/** Returns all changes. @param standings workers that do not fit */
export function gpuGains(
  { requirements: { gpu } }: RequirementClass,
  standings: readonly Standing[],
): readonly Gained[] {
  if (!gpu || gpu.optional) return [];
  const byDevices = standings.filter(({ failed }) => failed.every(({ about }) => about === 'devices'));
  const hosts = kindsOfHosts(
    gpu,
    byDevices.map(({ group }) => group),
  );
  const ladders = gpuLadders(gpu).flatMap((ladder) => ladderGains(ladder, hosts));
  const others = gpuVariants(gpu, hosts).map(({ constraint, change, cost, ...changed }) => ({
    constraint,
    change,
    cost,
    gains: gainsOf(changed, hosts),
  }));
  return [...ladders, ...others];
}

/** Returns the nearest step with a gain, and the one with the largest possible gain. */
function ladderGains(ladder: Ladder, hosts: readonly KindsOfHost[]): readonly Gained[] {
  const steps = new Map<string | number, ReturnType<typeof servingKinds>>();
  const needed = new Set<string | number>();
  for (const host of hosts) {
    const step = firstStep(ladder, host, steps);
    if (step !== undefined) needed.add(step);
  }
  const [nearest, ...more] = [...needed].sort(ladder.compare);
  const furthest = more[more.length - 1];
  return [nearest, furthest].flatMap((step, index) => {
    if (step === undefined) return [];
    const changed: Changed = { requirement: ladder.requirement(step), affects: ladder.affects };
    return [
      {
        constraint: ladder.constraint,
        change: ladder.change(step),
        cost: ladder.cost(step) + index * furtherCost,
        gains: gainsOf(changed, hosts),
      },
    ];
  });
}

/** The first step at which the host fits. */
function firstStep(
  { affects, stepsOf, requirement, compare }: Ladder,
  host: KindsOfHost,
  known: Map<string | number, ReturnType<typeof servingKinds>>,
): string | number | undefined {
  let candidates = 0;
  for (const [kind, count] of host.kinds) if (failsOnly(kind, affects)) candidates += count;
  if (candidates === 0) return undefined;
  const steps = stepsOf(
    [...host.kinds.keys()].filter((kind) => failsOnly(kind, affects)).map(({ facts }) => facts),
    candidates,
  );
  return [...new Set(steps)].sort(compare).find((step) => {
    const changed = { requirement: requirement(step), affects };
    let serves = known.get(step);
    if (!serves) known.set(step, (serves = servingKinds(changed)));
    return servingDevices(changed.requirement, host, serves) > 0;
  });
}
