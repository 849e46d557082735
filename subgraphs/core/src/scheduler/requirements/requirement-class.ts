/** Requirement classes: all jobs with equal normalised requirements. Matching works on classes, never on jobs. */
import { createHash } from 'node:crypto';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { type Constraint, constraintsOf, shapeConstraintsOf } from './constraints.js';
import { compileSelector, type Selector } from './selector.js';

/** A stored requirement class: written once, before its first job, and never changed. */
export interface RequirementClassDocument {
  /** {@link classIdOf} of the requirements. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly requirements: StoredRequirements;
}

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

/** The id of the class: the same for equal requirements, in every process and for ever. */
export function classIdOf(requirements: StoredRequirements): string {
  return `class_${createHash('sha256').update(canonicalJson(requirements)).digest('hex').slice(0, 26)}`;
}

/** JSON with sorted keys and without absent facts: equal texts mean equal values. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, part]) => part !== undefined && part !== null);
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, part]) => `${JSON.stringify(key)}:${canonicalJson(part)}`).join(',')}}`;
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
