/** Checks selectors as the scheduler compiles them. */
import { isDomainError } from '@rhizome/errors';
import { compileSelector } from '../scheduler/requirements/selector.js';
import type { CheckSelector } from '../jobs/submit/requirement-checks.js';

/** Returns what is wrong with a selector or a preference, if anything. */
export const checkSelector: CheckSelector = (text, use = 'SELECTOR') => {
  try {
    compileSelector(text, undefined, use);
    return { ok: true };
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return { message: error.details.expected ?? error.message };
  }
};
