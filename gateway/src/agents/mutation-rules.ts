/** Facts about mutations that the schema does not have: permission, stakes, objects, and repetition. */
import type { CoreAction } from '@rhizome/authz';
import type { Repeatable, Stakes } from '@rhizome/agents';

/** The objects that a mutation concerns, and where its input names them. */
export type TargetRule =
  /** Jobs of `selection`; others than those in the given states are refused. */
  | { readonly kind: 'JOBS'; readonly states: ReadonlySet<string> }
  /** One object, by a field of the input. */
  | { readonly kind: 'OBJECT'; readonly type: ObjectType; readonly field: string };

/** Types of single objects. */
export type ObjectType = 'Task' | 'Workflow' | 'Fleet' | 'Queue' | 'Worker';

/** Facts about a mutation. */
export interface MutationRule {
  /** Permission of the mutation; undefined if only the subgraph knows it. */
  readonly action?: CoreAction | undefined;
  readonly stakes: Stakes;
  readonly target?: TargetRule | undefined;
  /** Undefined if only the input shows whether a repeated call changes nothing. */
  readonly repeatable?: Repeatable | undefined;
  /** True if neither the input nor a dry run shows how many jobs it starts: no mandate could count them. */
  readonly isUncounted?: boolean | undefined;
}

const waiting = new Set(['PENDING', 'ACTIVATED', 'THROTTLED']);
const ended = new Set(['FINISHED', 'FAILED', 'CANCELLED', 'CLOSED']);
const live = new Set([...waiting, 'SENT', 'STARTING', 'RUNNING', 'HOLDING', 'TRANSFERRING']);

const jobs = (states: ReadonlySet<string>): TargetRule => ({ kind: 'JOBS', states });
const object = (type: ObjectType, field: string): TargetRule => ({ kind: 'OBJECT', type, field });
const task = object('Task', 'taskId');
const workflow = object('Workflow', 'workflowId');
const fleet = object('Fleet', 'fleetId');

/** Mutations of core that may be proposed; those that set a state need no key. */
const rules: Readonly<Record<string, MutationRule>> = {
  submitJobs: { action: 'job:submit', stakes: 'MITIGABLE' },
  cancelJobs: { action: 'job:cancel', stakes: 'IRREVERSIBLE', target: jobs(live) },
  retryJobs: { action: 'job:retry', stakes: 'MITIGABLE', target: jobs(ended) },
  holdJobs: { action: 'job:hold', stakes: 'UNDOABLE', target: jobs(waiting) },
  releaseJobs: { action: 'job:hold', stakes: 'MITIGABLE', target: jobs(waiting) },
  setJobPriority: { action: 'job:setPriority', stakes: 'UNDOABLE', target: jobs(waiting) },
  submitTask: { action: 'task:submit', stakes: 'MITIGABLE' },
  pauseTask: { action: 'job:hold', stakes: 'UNDOABLE', target: task, repeatable: 'BY_STATE' },
  resumeTask: { action: 'job:hold', stakes: 'MITIGABLE', target: task, repeatable: 'BY_STATE' },
  finishTask: { action: 'job:cancel', stakes: 'IRREVERSIBLE', target: task, repeatable: 'BY_STATE' },
  abortTask: { action: 'job:cancel', stakes: 'IRREVERSIBLE', target: task, repeatable: 'BY_STATE' },
  setQueueState: {
    ...{ action: 'queue:setState', stakes: 'UNDOABLE', repeatable: 'BY_STATE' },
    target: object('Queue', 'name'),
  },
  drainWorker: {
    ...{ action: 'worker:drain', stakes: 'IRREVERSIBLE', repeatable: 'BY_STATE' },
    target: object('Worker', 'workerId'),
  },
  submitWorkflow: { action: 'task:submit', stakes: 'MITIGABLE', isUncounted: true },
  pauseWorkflow: { action: 'job:hold', stakes: 'UNDOABLE', target: workflow, repeatable: 'BY_STATE' },
  resumeWorkflow: { action: 'job:hold', stakes: 'MITIGABLE', target: workflow, repeatable: 'BY_STATE' },
  cancelWorkflow: { action: 'job:cancel', stakes: 'IRREVERSIBLE', target: workflow, repeatable: 'BY_STATE' },
  retryWorkflow: { action: 'job:retry', stakes: 'MITIGABLE', target: workflow, isUncounted: true },
  cloneWorkflow: { action: 'task:submit', stakes: 'MITIGABLE', target: workflow, isUncounted: true },
  pauseFleet: { action: 'job:hold', stakes: 'UNDOABLE', target: fleet, repeatable: 'BY_STATE' },
  resumeFleet: { action: 'job:hold', stakes: 'MITIGABLE', target: fleet, repeatable: 'BY_STATE' },
};

/** Mutations of workers and executors, whatever roles a person has. */
const ofPrograms: ReadonlySet<string> = new Set([
  ...['registerWorker', 'requestPilots', 'addWorkflowNodes', 'createUpload', 'completeUpload'],
]);

/** Mutations whose input or answer holds secrets. */
const ofSecrets: ReadonlySet<string> = new Set(['createSecret', 'rotateSecret', 'deleteSecret']);

/**
 * Facts about a mutation; undefined for one that nobody may propose.
 * @param hasKey true if its input takes an idempotency key
 * @param isOwn true for mutations of the gateway itself: identities, the registry, proposals
 */
export function ruleOf(name: string, hasKey: boolean, isOwn: boolean): MutationRule | undefined {
  if (isOwn || ofPrograms.has(name) || ofSecrets.has(name)) return undefined;
  const known = Object.hasOwn(rules, name) ? rules[name] : undefined;
  const rule = known ?? { stakes: 'IRREVERSIBLE' };
  if (hasKey) return { ...rule, repeatable: 'BY_KEY' };
  return rule.repeatable === undefined ? undefined : rule;
}

/** True for a mutation of the table, which was checked to keep to `isDryRun`. */
export function isListed(mutation: string): boolean {
  return Object.hasOwn(rules, mutation);
}

/** States in which a mutation changes jobs; undefined for one that concerns no jobs. */
export function jobStatesOf(mutation: string): ReadonlySet<string> | undefined {
  const target = Object.hasOwn(rules, mutation) ? rules[mutation]?.target : undefined;
  return target?.kind === 'JOBS' ? target.states : undefined;
}

/** The mutations of the table, for the test that compares it with the schema. */
export const listedRules = rules;
