/** Ids of requirement classes, derived from their requirements. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '@rhizome/digest';
import type { StoredRequirements } from './job.types.js';

/** Id of the class: equal requirements have the same id in every process. */
export function classIdOf(requirements: StoredRequirements): string {
  return `class_${createHash('sha256').update(canonicalJson(requirements)).digest('hex').slice(0, 26)}`;
}
