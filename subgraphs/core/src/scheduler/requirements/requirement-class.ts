/**
 * Requirement classes: all jobs with equal normalised requirements. Matching works on classes, never on
 * single jobs.
 */
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { constraintsOf, shapeConstraintsOf } from './constraints.js';
import { compileSelector, type ConditionUse, type Selector, type SelectorScope } from './selector.js';
import type { ClassRecord } from './measured.js';
import type { Constraint } from './constraint.types.js';

/** A condition that a worker should meet. */
export interface ClassPreference {
  readonly selector: Selector;
  readonly weight: number;
}

/** Preferences of a class, compiled. */
export interface ClassPreferences {
  /** In the order of the requirements. */
  readonly terms: readonly ClassPreference[];
  readonly totalWeight: number;
  /** Set of workers with the same score: the smallest of the terms. */
  readonly scope: SelectorScope;
  readonly readsMeasured: boolean;
  /** Record of the class as last read; undefined if nothing was, or no term reads it. */
  record: ClassRecord | undefined;
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
  /** Left out if there are none. */
  readonly preferences?: ClassPreferences;
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
  const { selector: text } = requirements;
  const selector = text === undefined ? undefined : compileOrNothing(text, 'SELECTOR');
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
  const terms = preferences.map(({ expression, weight }) => ({
    selector: compileOrNothing(expression, 'PREFERENCE'),
    weight,
  }));
  const scopes = new Set(terms.map(({ selector }) => selector.scope));
  return {
    preferences: {
      terms,
      totalWeight: terms.reduce((sum, { weight }) => sum + weight, 0),
      scope: scopes.has('WORKER') ? 'WORKER' : scopes.has('LABELS') ? 'LABELS' : 'SHAPE',
      readsMeasured: terms.some(({ selector }) => selector.readsMeasured),
      record: undefined,
    },
  };
}

function compileOrNothing(text: string, use: ConditionUse): Selector {
  try {
    return compileSelector(text, undefined, use);
  } catch {
    return { text, scope: 'SHAPE', readsMeasured: false, accepts: () => false };
  }
}
