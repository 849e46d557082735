/** Limits of experiments on a queue: checks and changes. Pure. */
import type { InputErrors } from '@rhizome/errors';
import type { ExperimentLimits } from './queue.document.js';

const largest = { maxRunningJobs: 10_000_000, maxCores: 100_000_000, maxGpus: 10_000_000 } as const;
const names = Object.keys(largest) as (keyof typeof largest)[];
/** Maximum number of experiments with limits. */
const maxExperiments = 1000;

/** Limits of one experiment as given; without any, the experiment has no limits of its own. */
export interface ExperimentLimitsInput {
  readonly experiment: string;
  readonly maxRunningJobs?: number | null | undefined;
  readonly maxCores?: number | null | undefined;
  readonly maxGpus?: number | null | undefined;
}

/** Adds the errors of a change of the limits of experiments. @param current those of the queue to change */
export function checkExperimentLimits(
  errors: InputErrors,
  given: readonly ExperimentLimitsInput[] | null | undefined,
  current?: readonly ExperimentLimits[],
): void {
  const limits = given ?? [];
  errors.list(['experimentLimits'], mergeExperimentLimits(current, limits) ?? [], maxExperiments);
  const seen = new Set<string>();
  limits.forEach((one, index) => {
    const path = ['experimentLimits', index];
    if (seen.has(one.experiment)) errors.add([...path, 'experiment'], one.experiment, 'named once');
    seen.add(one.experiment);
    for (const name of names) errors.int([...path, name], one[name], 0, largest[name]);
  });
}

/** Limits after a change: those of experiments that it does not name stay as they are. */
export function mergeExperimentLimits(
  current: readonly ExperimentLimits[] | undefined,
  change: readonly ExperimentLimitsInput[] | null | undefined,
): readonly ExperimentLimits[] | undefined {
  const merged = new Map((current ?? []).map((one) => [one.experiment, one]));
  for (const { experiment, ...limits } of change ?? []) {
    const set = names.flatMap((name) => (typeof limits[name] === 'number' ? [[name, limits[name]]] : []));
    if (set.length === 0) merged.delete(experiment);
    else merged.set(experiment, { experiment, ...Object.fromEntries(set) });
  }
  if (merged.size === 0) return undefined;
  return [...merged.values()].sort((a, b) => (a.experiment < b.experiment ? -1 : 1));
}
