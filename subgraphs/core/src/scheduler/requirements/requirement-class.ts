/** Requirement classes: all jobs with equal normalised requirements. Matching works on classes, never on jobs. */
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { constraintsOf, shapeConstraintsOf } from './constraints.js';
import { compileSelector, type Selector } from './selector.js';
import type { Constraint } from './constraint.types.js';

/** A class with what matching needs of it. */
export interface RequirementClass {
  readonly id: string;
  /** A small number, dense among the classes in memory: where caches keep their answers. Used again once the class is forgotten. */
  readonly index: number;
  /** Tells the users of one index apart, below 2^29: an answer that was kept for another serial is of a forgotten class. */
  readonly serial: number;
  readonly requirements: StoredRequirements;
  readonly selector?: Selector;
  /** All of them: for explaining. */
  readonly constraints: readonly Constraint[];
  /** Those that all workers of one shape meet or none does, devices apart. */
  readonly shapeConstraints: readonly Constraint[];
}

/** Makes a class ready for matching. A selector was checked at submit; one that no longer compiles matches nothing. */
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
    constraints: constraintsOf(requirements, selector),
    shapeConstraints: shapeConstraintsOf(requirements, selector),
  };
}

function compileOrNothing(text: string): Selector {
  try {
    return compileSelector(text);
  } catch {
    return { text, scope: 'SHAPE', accepts: () => false };
  }
}
