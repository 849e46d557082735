/** Changes that a retry makes to the copies of jobs. */
import { classIdOf } from '../model/requirement-class-id.js';
import type { JobDocument, StoredPayload, StoredRequirements } from '../model/job.types.js';
import { anyRuntime } from '../model/platforms.js';
import type { JobInputErrors } from '../submit/job-input-error.types.js';
import {
  checkFactor,
  checkPayload,
  checkRequirements,
  environmentCharacters,
  mostEnvironmentCharacters,
  mostMemoryMiB,
  mostVariables,
} from '../submit/job-input.js';
import { longestWalltimeSeconds } from '../../queues/walltime.js';

/** New amount: a value, or a multiple of the previous value. */
export interface AmountChange {
  readonly value?: number | undefined;
  readonly factor?: number | undefined;
}

/** Changed requirements; absent members stay as they are. */
export interface RequirementChanges {
  readonly cores?: number | undefined;
  /** In MiB. */
  readonly memory?: AmountChange | undefined;
  readonly diskMiB?: number | undefined;
  /** In seconds. */
  readonly walltime?: AmountChange | undefined;
  /** Null accepts any queue. */
  readonly queue?: string | null | undefined;
}

/** Changed program; absent members stay as they are. */
export interface PayloadChanges {
  readonly command?: string | undefined;
  readonly arguments?: readonly string[] | undefined;
  readonly image?: string | undefined;
  /** Added to the variables of the job, or instead of those with these names; null removes a variable. */
  readonly environment?: readonly { readonly name: string; readonly value: string | null }[] | undefined;
}

/** Changes of the selected jobs; their dependents are repeated as they were. */
export interface RetryChanges {
  readonly requirements?: RequirementChanges | undefined;
  readonly payload?: PayloadChanges | undefined;
}

/** Checks changes, as the values of a submitted job are checked. */
export function checkRetryChanges(
  { requirements = {}, payload = {} }: RetryChanges,
  errors: JobInputErrors,
): void {
  checkRequirementChanges(requirements, ['changes', 'requirements'], errors);
  checkPayloadChanges(payload, ['changes', 'payload'], errors);
}

/** Checks a changed program at a path of the input. */
export function checkPayloadChanges(
  payload: PayloadChanges,
  path: readonly string[],
  errors: JobInputErrors,
): void {
  const environment = payload.environment?.map(({ name, value }) => ({ name, value: value ?? '' }));
  checkPayload({ ...payload, command: payload.command ?? 'unchanged', environment }, path, errors);
}

/** Checks changed requirements at a path of the input. */
export function checkRequirementChanges(
  { cores, diskMiB, memory, walltime, queue }: RequirementChanges,
  path: readonly string[],
  errors: JobInputErrors,
): void {
  const unchecked = { selector: () => ({ ok: true as const }), queue: () => undefined };
  checkRequirements({ cores, diskMiB }, path, errors, unchecked);
  checkAmount(memory, [...path, 'memory'], 'memoryMiB', mostMemoryMiB, errors);
  checkAmount(walltime, [...path, 'walltime'], 'seconds', longestWalltimeSeconds, errors);
  if (queue != null) errors.line([...path, 'queue'], queue, 1, 63);
}

function checkAmount(
  change: AmountChange | undefined,
  path: readonly string[],
  name: string,
  most: number,
  errors: JobInputErrors,
): void {
  if (change?.value !== undefined) errors.int([...path, name], change.value, 1, most);
  checkFactor(change?.factor, path, errors);
}

/** Requirements, their class and the payload of a copy. */
export function changedJob(
  { requirements, classId, payload }: Pick<JobDocument, 'requirements' | 'classId' | 'payload'>,
  changes: RetryChanges | undefined,
): Pick<JobDocument, 'requirements' | 'classId' | 'payload'> {
  if (!changes) return { requirements, classId, payload };
  const changedPayload = payloadWith(payload, changes.payload ?? {});
  const changed = requirementsWith(
    requirements,
    changes.requirements ?? {},
    changedPayload.image !== undefined,
  );
  return { requirements: changed, classId: classIdOf(changed), payload: changedPayload };
}

/** Reason why a job cannot have its variables and the changed ones together; undefined if it can. */
export function environmentProblem(
  before: Pick<StoredPayload, 'environment' | 'secrets'>,
  changes: PayloadChanges,
): string | undefined {
  if (changes.environment === undefined) return undefined;
  const environment = environmentWith(before, changes.environment);
  if (environment.length > mostVariables)
    return `has ${environment.length} variables; must be at most ${mostVariables}`;
  const size = environmentCharacters(environment);
  if (size > mostEnvironmentCharacters)
    return `has ${size} characters of variables; must be at most ${mostEnvironmentCharacters}`;
  const names = new Set(environment.map(({ name }) => name));
  const secret = before.secrets?.find(({ as, target }) => as === 'VARIABLE' && names.has(target));
  return secret && `has the variable ${secret.target} twice; must be one that no secret of the job sets`;
}

/** Changed requirements. @param hasImage true if the job has another image than before */
export function requirementsWith(
  before: StoredRequirements,
  { cores, memory, diskMiB, walltime, queue }: RequirementChanges,
  hasImage: boolean,
): StoredRequirements {
  const { queue: earlierQueue, ...rest } = before;
  const newQueue = queue === undefined ? earlierQueue : (queue ?? undefined);
  return {
    ...rest,
    cores: cores ?? before.cores,
    memoryMiB: amountOf(before.memoryMiB, memory, mostMemoryMiB),
    diskMiB: diskMiB ?? before.diskMiB,
    walltimeSeconds: amountOf(before.walltimeSeconds, walltime, longestWalltimeSeconds),
    // A worker without a container runtime could not start the image.
    ...(hasImage && before.containerRuntime === undefined ? { containerRuntime: anyRuntime } : {}),
    ...(newQueue === undefined ? {} : { queue: newQueue }),
  };
}

function amountOf(before: number, { value, factor }: AmountChange = {}, most: number): number {
  if (value !== undefined) return value;
  return factor === undefined ? before : Math.min(most, Math.max(1, Math.ceil(before * factor)));
}

function payloadWith(before: StoredPayload, changes: PayloadChanges): StoredPayload {
  const { command, arguments: given, image, environment } = changes;
  return {
    ...before,
    command: command ?? before.command,
    arguments: given === undefined ? before.arguments : [...given],
    ...(image === undefined ? {} : { image }),
    environment: environment === undefined ? before.environment : environmentWith(before, environment),
  };
}

/** Changed variables keep their position; new ones follow. */
function environmentWith(
  { environment }: Pick<StoredPayload, 'environment'>,
  changes: NonNullable<PayloadChanges['environment']>,
): StoredPayload['environment'] {
  const values = new Map<string, string | null>(environment.map(({ name, value }) => [name, value]));
  for (const { name, value } of changes) values.set(name, value);
  return [...values].flatMap(([name, value]) => (value === null ? [] : [{ name, value }]));
}
