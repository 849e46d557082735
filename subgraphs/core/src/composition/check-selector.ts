/** Checks selectors as the scheduler compiles them. */
import { isDomainError } from '@rhizome/errors';
import { compileSelector } from '../scheduler/requirements/selector.js';
import type { CheckSelector } from '../jobs/submit/requirement-checks.js';

/** Returns what is wrong with a selector, if anything. */
export const checkSelector: CheckSelector = (text) => {
  try {
    return { ok: true, isOfShape: compileSelector(text).scope === 'SHAPE' };
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return { message: error.details.expected ?? error.message };
  }
};
