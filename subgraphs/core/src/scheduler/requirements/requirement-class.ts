/**
 * Requirement classes: all jobs with equal normalised requirements. Matching works on classes, never on
 * single jobs.
 */
import type { PreferenceScore, StoredRequirements } from '../../jobs/model/job.types.js';
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
  /** Effort of evaluating all terms for one worker: one for a short comparison. */
  readonly cost: number;
  /** Score of a worker that meets the terms at these positions; equal ones are one object. */
  scoreOf(met: readonly number[]): PreferenceScore;
  /** Record of the class as last read; undefined if nothing was, or no term reads it. */
  record: ClassRecord | undefined;
}

/** Characters of a condition that cost as much as a short comparison. */
const charactersOfCost = 64;

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
  const totalWeight = terms.reduce((sum, { weight }) => sum + weight, 0);
  const scopes = new Set(terms.map(({ selector }) => selector.scope));
  return {
    preferences: {
      terms,
      totalWeight,
      scope: scopes.has('WORKER') ? 'WORKER' : scopes.has('LABELS') ? 'LABELS' : 'SHAPE',
      readsMeasured: terms.some(({ selector }) => selector.readsMeasured),
      cost: terms.reduce(
        (sum, { selector }) => sum + 1 + Math.floor(selector.text.length / charactersOfCost),
        0,
      ),
      scoreOf: scoresBy(terms, totalWeight),
      record: undefined,
    },
  };
}

/** Remembers scores: workers are many, and the sets of terms that they meet few. */
function scoresBy(terms: readonly ClassPreference[], totalWeight: number): ClassPreferences['scoreOf'] {
  const known = new Map<string, PreferenceScore>();
  return (met) => {
    const key = met.join(' ');
    let score = known.get(key);
    if (!score) {
      const weight = met.reduce((sum, at) => sum + (terms[at]?.weight ?? 0), 0);
      known.set(key, (score = { score: weight / totalWeight, met: [...met] }));
    }
    return score;
  };
}

function compileOrNothing(text: string, use: ConditionUse): Selector {
  try {
    return compileSelector(text, undefined, use);
  } catch {
    return { text, scope: 'SHAPE', readsMeasured: false, accepts: () => false };
  }
}
