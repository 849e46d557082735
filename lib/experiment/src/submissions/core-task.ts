/** A submission as core's task, and core's answer in the words of the submission. */
import { type ApiClient, isRhizomeApiError } from '@rhizome/client';
import { DomainError } from '@rhizome/errors';
import type { InputFault } from '../input/experiment-input-errors.js';
import { type SubmissionErrorCode, submissionCodeOf } from './error-codes.js';
import {
  ExperimentSubmitTaskDocument,
  ExperimentTaskOfLabelDocument,
  type ParameterSetInput,
  type SubmitTaskInput,
} from '../operations.generated.js';
import type { SubmissionDocument } from './submission.document.js';

/** The task that does a submission's work. The experiment, the key, the owner and the label of the submission are added. */
export type CoreTask = Omit<SubmitTaskInput, 'experiment' | 'idempotencyKey' | 'onBehalfOf'>;

/** The parameters of one job of a task. */
export type CoreParameterSet = ParameterSetInput;

/**
 * A place in core's input, dotted, with `*` for any part, and the place in the experiment's that it comes from: what follows the first is
 * put behind the second, or is what the function makes a place of.
 */
export type PlaceRule = readonly [
  core: string,
  own: string | ((rest: readonly string[]) => readonly string[]),
];

/** What core said: it has the task, or why not. */
export type CoreAnswer =
  { readonly taskId: string } | { readonly faults: readonly InputFault<SubmissionErrorCode>[] };

/** How core is asked. */
export interface CoreSubmitOptions {
  readonly core: ApiClient;
  readonly experiment: string;
  /** The key of the label that each job carries; its value is the submission's id. */
  readonly label: string;
  readonly places: readonly PlaceRule[];
}

/** Time for one attempt, and attempts after the first: a caller waits for the answer. */
const patience = { timeoutMs: 10_000, retry: { attempts: 3 } } as const;

/**
 * Submits the task of a submission; the key follows from the submission, so that it is one task however often this is called. Its jobs belong
 * to who asked the experiment: they see and cancel them as their own, by core's own fields.
 * @throws DomainError SERVICE_UNAVAILABLE when core gave no answer, FORBIDDEN when the experiment's token may not submit
 */
export async function submitToCore(
  options: CoreSubmitOptions,
  { _id: id, submittedBy }: Pick<SubmissionDocument, '_id' | 'submittedBy'>,
  task: CoreTask,
): Promise<CoreAnswer> {
  const { core, experiment, label, places } = options;
  const labels = [...(task.template.labels ?? []), { key: label, value: id }];
  const template = { ...task.template, labels };
  const input = { ...task, template, experiment, idempotencyKey: id, onBehalfOf: submittedBy };
  const { submitTask } = await asked(() =>
    core.mutate(ExperimentSubmitTaskDocument, { input }, { idempotent: true, ...patience }),
  );
  if (submitTask.task) return { taskId: submitTask.task.id };
  if (submitTask.userErrors.some(({ code }) => code === 'IDEMPOTENCY_KEY_REUSED'))
    return takenBefore(options, id);
  return { faults: submitTask.userErrors.map((error) => inOwnWords(error, places)) };
}

/** Core has a task of this key with other content: an earlier version of this experiment described it. */
async function takenBefore({ core, experiment, label }: CoreSubmitOptions, id: string): Promise<CoreAnswer> {
  const variables = { experiment, key: label, value: id };
  const { jobs } = await asked(() => core.query(ExperimentTaskOfLabelDocument, variables, patience));
  const taskId = jobs.nodes[0]?.task?.id;
  if (taskId !== undefined) return { taskId };
  throw unavailable(new Error(`core knows the key ${id}, and shows no job of its task yet`));
}

async function asked<R>(ask: () => Promise<R>): Promise<R> {
  try {
    return await ask();
  } catch (error) {
    if (!isRhizomeApiError(error)) throw error;
    throw error.code === 'FORBIDDEN' ? forbidden(error) : unavailable(error);
  }
}

/** Core answers and refuses: asking again does not help before the experiment has another token. */
function forbidden(cause: Error): DomainError {
  const text = `Core refuses the service token of this experiment: ${cause.message}`;
  return new DomainError('FORBIDDEN', text, { service: 'core' }, { cause });
}

function unavailable(cause: Error): DomainError {
  const text =
    'core cannot be reached now; the submission is kept and goes on by itself: ask again with the same key';
  return new DomainError('SERVICE_UNAVAILABLE', text, { service: 'core' }, { cause });
}

/** A fault that core found, at the place of the experiment's input that it comes from; at the whole input where no rule names one. */
export function inOwnWords(
  {
    path,
    message,
    code,
  }: { readonly path: readonly string[]; readonly message: string; readonly code: string },
  places: readonly PlaceRule[],
): InputFault<SubmissionErrorCode> {
  const rule = places
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
  const told = message.startsWith(prefix) ? message.slice(prefix.length) : message;
  return {
    path: own,
    message: own.length > 0 ? `${own.join('.')}: ${told}` : told,
    code: submissionCodeOf(code),
  };
}

/** Rules for what usually passes through under its own name. */
export const usualPlaces: readonly PlaceRule[] = [
  ...['cores', 'memoryMiB', 'diskMiB', 'walltimeSeconds'].map((name): PlaceRule => [
    `template.requirements.${name}`,
    name,
  ]),
  ['template.retry.maxAttempts', 'maxAttempts'],
  ['template.share', 'share'],
  ['template.payload.command', 'command'],
  ['template.payload.arguments', 'arguments'],
  ['template.payload.outputs', 'outputs'],
];
