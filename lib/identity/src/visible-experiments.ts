/** Narrows identities to the experiments whose identities a caller may read. */
import { experimentsFor, type Principal } from '@rhizome/authz';

/** Experiments whose identities a caller may read; `*` for all. */
export type VisibleExperiments = '*' | readonly string[];

/** The experiments whose identities the caller may read. */
export function visibleTo(principal: Principal): VisibleExperiments {
  return experimentsFor(principal, 'identity:read');
}

/**
 * True if rights in the experiment are rights in a visible one. Rights in all experiments, `*`, always are.
 */
export function concerns(experiment: string, visible: VisibleExperiments): boolean {
  return visible === '*' || experiment === '*' || visible.includes(experiment);
}

/** True if each of the experiments is visible. */
export function areVisible(experiments: readonly string[], visible: VisibleExperiments): boolean {
  return visible === '*' || (experiments.length > 0 && experiments.every((name) => visible.includes(name)));
}
