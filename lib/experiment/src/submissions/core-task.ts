/** Maps a submission to a core task, and core's errors to the submission's input. */
import { type ApiClient, isRhizomeApiError } from '@rhizome/client';
import { DomainError } from '@rhizome/errors';
import type { InputFault } from '../input/experiment-input-errors.js';
import { type SubmissionErrorCode, submissionCodeOf } from './error-codes.js';
import {
  ExperimentSubmitTaskDocument,
  ExperimentWorkOfLabelDocument,
  type ParameterSetInput,
  type SubmitTaskInput,
} from '../operations.generated.js';
import type { SubmissionDocument } from './submission.document.js';
import type { CoreWork } from './submissions.repository.js';

/** Task of a submission. The experiment, the key, the owner and the label of the submission are added. */
export type CoreTask = Omit<SubmitTaskInput, 'experiment' | 'idempotencyKey' | 'onBehalfOf'>;

/** The parameters of one job of a task. */
export type CoreParameterSet = ParameterSetInput;

/**
 * Maps a path of core's input (dotted, with `*` for any part) to the path of the experiment's input it comes
 * from. The rest of core's path is appended, or passed to the function, which returns the path.
 */
export type PathRule = readonly [
  core: string,
  own: string | ((rest: readonly string[]) => readonly string[]),
];

/** Result of a submission: the task or workflow, or the errors. */
export type CoreAnswer = CoreWork | { readonly faults: readonly InputFault<SubmissionErrorCode>[] };

/** Options of a submission to core. */
export interface CoreSubmitOptions {
  readonly core: ApiClient;
  readonly experiment: string;
  /** Key of the label of each job; its value is the submission's id. */
  readonly label: string;
  readonly pathRules: readonly PathRule[];
}

/** Timeout of one attempt and number of retries: a caller waits for the result. */
export const attemptOptions = { timeoutMs: 10_000, retry: { attempts: 3 } } as const;

/**
 * Submits the task of a submission; the key is derived from the submission, so that repeated calls create one
 * task. Its jobs belong to the user who submitted it, and who can see and cancel them as their own in core.
 * @throws DomainError SERVICE_UNAVAILABLE if core does not respond, FORBIDDEN if the experiment's token may
 *   not submit
 */
export async function submitToCore(
  options: CoreSubmitOptions,
  { _id: id, submittedBy }: Pick<SubmissionDocument, '_id' | 'submittedBy'>,
  task: CoreTask,
): Promise<CoreAnswer> {
  const { core, experiment, label, pathRules } = options;
  const labels = [...(task.template.labels ?? []), { key: label, value: id }];
  const template = { ...task.template, labels };
  const input = { ...task, template, experiment, idempotencyKey: id, onBehalfOf: submittedBy };
  const { submitTask } = await asked(() =>
    core.mutate(ExperimentSubmitTaskDocument, { input }, { idempotent: true, ...attemptOptions }),
  );
  if (submitTask.task) return { taskId: submitTask.task.id };
  if (submitTask.userErrors.some(({ code }) => code === 'IDEMPOTENCY_KEY_REUSED'))
    return workOfLabel(options, id);
  return { faults: submitTask.userErrors.map((error) => inOwnTerms(error, pathRules)) };
}

/**
 * Finds the task or workflow that core has for this key with other content, which an earlier version of this
 * experiment described.
 */
export async function workOfLabel(options: CoreSubmitOptions, id: string): Promise<CoreAnswer> {
  const found = await findWork(options, id);
  if (found) return found;
  throw unavailable(new Error(`core knows the key ${id}, but returns no job of it yet`));
}

/** The task or workflow whose jobs have the label of a submission; undefined if core has no such job. */
export async function findWork(
  { core, experiment, label }: CoreSubmitOptions,
  id: string,
): Promise<CoreWork | undefined> {
  const variables = { experiment, key: label, value: id };
  const { jobs } = await asked(() => core.query(ExperimentWorkOfLabelDocument, variables, attemptOptions));
  const [job] = jobs.nodes;
  if (job?.task) return { taskId: job.task.id };
  return job?.workflowId == null ? undefined : { workflowId: job.workflowId };
}

const kept = 'The submission is kept and submitted later; retry with the same key.';

/**
 * Asks core. @param hope what the caller can expect if it cannot be reached
 * @throws DomainError FORBIDDEN, SERVICE_UNAVAILABLE
 */
export async function asked<R>(ask: () => Promise<R>, hope = kept): Promise<R> {
  try {
    return await ask();
  } catch (error) {
    if (!isRhizomeApiError(error)) throw error;
    throw error.code === 'FORBIDDEN' ? forbidden(error) : unavailable(error, hope);
  }
}

/** Core rejects the token: a retry does not help until the experiment has another one. */
function forbidden(cause: Error): DomainError {
  const text = `Core rejected the service token of this experiment: ${cause.message}`;
  return new DomainError('FORBIDDEN', text, { service: 'core' }, { cause });
}

function unavailable(cause: Error, hope = kept): DomainError {
  const text = `Core cannot be reached. ${hope}`;
  return new DomainError('SERVICE_UNAVAILABLE', text, { service: 'core' }, { cause });
}

/** Maps an error from core to the experiment's input path; to the whole input if no rule matches. */
export function inOwnTerms(
  {
    path,
    message,
    code,
  }: { readonly path: readonly string[]; readonly message: string; readonly code: string },
  pathRules: readonly PathRule[],
): InputFault<SubmissionErrorCode> {
  const rule = pathRules
    .map(([core, own]) => ({ parts: core.split('.'), own }))
    .filter(({ parts }) =>
      parts.every((part, index) => index < path.length && (part === '*' || part === path[index])),
    )
    .sort((one, other) => other.parts.length - one.parts.length)[0];
  const rest = path.slice(rule?.parts.length);
  const own =
    rule === undefined
      ? []
      : typeof rule.own === 'string'
        ? [...rule.own.split('.'), ...rest]
        : rule.own(rest);
  const prefix = `${path.join('.')}: `;
  const detail = message.startsWith(prefix) ? message.slice(prefix.length) : message;
  return {
    path: own,
    message: own.length > 0 ? `${own.join('.')}: ${detail}` : detail,
    code: submissionCodeOf(code),
  };
}

/** Rules for what usually passes through under its own name. */
export const commonPathRules: readonly PathRule[] = [
  ...['cores', 'memoryMiB', 'diskMiB', 'walltimeSeconds'].map((name): PathRule => [
    `template.requirements.${name}`,
    name,
  ]),
  ['template.retry.maxAttempts', 'maxAttempts'],
  ['template.share', 'share'],
  ['template.payload.command', 'command'],
  ['template.payload.arguments', 'arguments'],
  ['template.payload.outputs', 'outputs'],
];
