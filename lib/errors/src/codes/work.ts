import { entry, type CatalogueEntry } from './entry.js';

/** Codes of jobs, tasks, experiments and shares. */
export const workCodes = {
  JOB_NOT_FOUND: entry(
    404,
    'never',
    'Job "{value}" not found, or you may not see it.',
    'The job does not exist, or the caller may not see it.',
  ),
  JOB_STATE_CONFLICT: entry(
    409,
    'never',
    'Job {value} is {state}; {action} requires {expected}',
    'The state of the job does not permit the request. The message names the state.',
  ),
  SELECTOR_INVALID: entry(
    422,
    'never',
    '{field}: selector {value} is not valid: {expected}',
    'The CEL selector does not parse, names unknown attributes, is not a condition, or costs too much.',
  ),
  DEPENDENCY_INVALID: entry(
    422,
    'never',
    '{field}: {value} cannot be a parent: {expected}',
    'A parent in `dependsOn` does not exist, belongs to another experiment, or creates a cycle.',
  ),
  TASK_NOT_FOUND: entry(
    404,
    'never',
    'Task "{value}" not found, or you may not see it.',
    'The task does not exist, or the caller may not see it.',
  ),
  POOL_NOT_FOUND: entry(
    404,
    'never',
    'Pool "{value}" not found, or you may not see it.',
    'The pool of work units does not exist, or the caller may not see it.',
  ),
  FLEET_NOT_FOUND: entry(
    404,
    'never',
    'Fleet "{value}" not found, or you may not see it.',
    'The fleet does not exist, or the caller may not see it.',
  ),
  WORKFLOW_NOT_FOUND: entry(
    404,
    'never',
    'Workflow "{value}" not found, or you may not see it.',
    'The workflow does not exist, or the caller may not see it.',
  ),
  EXPERIMENT_NOT_FOUND: entry(
    404,
    'never',
    'Experiment "{value}" not found.',
    'No experiment of this name is registered.',
  ),
  SHARE_NOT_FOUND: entry(
    404,
    'never',
    'Share "{value}" not found.',
    'No leaf of the fair-share tree has this name.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
