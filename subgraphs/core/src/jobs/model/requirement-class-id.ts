/** The id of a requirement class follows from its requirements. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '@rhizome/digest';
import type { StoredRequirements } from './job.types.js';

/** The id of the class: the same for equal requirements, in every process and for ever. */
export function classIdOf(requirements: StoredRequirements): string {
  return `class_${createHash('sha256').update(canonicalJson(requirements)).digest('hex').slice(0, 26)}`;
}
