/**
 * Requirement classes: all jobs with equal normalised requirements. Matching works on classes, never on
 * single jobs.
 */
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { constraintsOf, shapeConstraintsOf } from './constraints.js';
import { compileSelector, type Selector } from './selector.js';
import type { Constraint } from './constraint.types.js';

/** A condition that a worker should meet. */
export interface ClassPreference {
  readonly selector: Selector;
  readonly weight: number;
}

/** A class prepared for matching. */
export interface RequirementClass {
  readonly id: string;
  /**
   * Small number, dense among the classes in memory, by which caches store their decisions. Reused once the
   * class is forgotten.
   */
  readonly index: number;
  /**
   * Distinguishes classes with the same index, below 2^29: a cached decision with another serial belongs to a
   * forgotten class.
   */
  readonly serial: number;
  readonly requirements: StoredRequirements;
  readonly selector?: Selector;
  /** Compiled preferences, in the order of the requirements; left out if there are none. */
  readonly preferences?: readonly ClassPreference[];
  /** All constraints, for explanations. */
  readonly constraints: readonly Constraint[];
  /** Constraints that all workers of one shape meet or none, except those on devices. */
  readonly shapeConstraints: readonly Constraint[];
}

/**
 * Prepares a class for matching. Selectors are checked at submit; one that no longer compiles matches
 * nothing.
 */
export function prepareClass(
  id: string,
  index: number,
  requirements: StoredRequirements,
  serial = 0,
): RequirementClass {
  const selector = requirements.selector === undefined ? undefined : compileOrNothing(requirements.selector);
  return {
    id,
    index,
    serial,
    requirements,
    ...(selector ? { selector } : {}),
    ...preferencesOf(requirements),
    constraints: constraintsOf(requirements, selector),
    shapeConstraints: shapeConstraintsOf(requirements, selector),
  };
}

function preferencesOf({ preferences }: StoredRequirements): Pick<RequirementClass, 'preferences'> {
  if (!preferences) return {};
  const compiled = preferences.map(({ expression, weight }) => ({
    selector: compileOrNothing(expression),
    weight,
  }));
  return { preferences: compiled };
}

function compileOrNothing(text: string): Selector {
  try {
    return compileSelector(text);
  } catch {
    return { text, scope: 'SHAPE', accepts: () => false };
  }
}
