import { entry, type CatalogueEntry } from './entry.js';

/** Codes of jobs, tasks, experiments and shares. */
export const workCodes = {
  JOB_NOT_FOUND: entry(
    404,
    'never',
    '{field}: job {value} does not exist, or you may not see it',
    'No such job, or none the caller may see.',
  ),
  JOB_STATE_CONFLICT: entry(
    409,
    'never',
    'Job {value} is {state}; {action} needs {expected}',
    'The job is in a state that the request cannot leave. Its state is named.',
  ),
  SELECTOR_INVALID: entry(
    422,
    'never',
    '{field}: selector {value} is refused: {expected}',
    'The CEL selector does not parse, names unknown attributes, is not a condition, or costs too much.',
  ),
  DEPENDENCY_INVALID: entry(
    422,
    'never',
    '{field}: {value} cannot be a parent: {expected}',
    'A parent in `dependsOn` does not exist, belongs to another experiment, or closes a circle.',
  ),
  TASK_NOT_FOUND: entry(
    404,
    'never',
    '{field}: task {value} does not exist, or you may not see it',
    'No such task, or none the caller may see.',
  ),
  EXPERIMENT_NOT_FOUND: entry(
    404,
    'never',
    '{field}: experiment {value} is not registered',
    'No experiment of this name is registered.',
  ),
  SHARE_NOT_FOUND: entry(
    404,
    'never',
    '{field}: share {value} does not exist',
    'No leaf of the fair-share tree has this name.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
