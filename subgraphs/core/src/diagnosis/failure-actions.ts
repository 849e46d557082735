/** Actions that may help after a failure. Pure. */
import { isCanary } from '../jobs/model/canary-owner.js';
import type { JobDocument } from '../jobs/model/job.types.js';
import type { Action, Cause, CauseKind, ChangeKind } from './diagnosis.types.js';
import { failedAttempt, hasSmallPeak } from './failure-causes.js';
import type { Outcome } from './outcomes.js';

/** Job that ended without success. */
export type EndedJob = Pick<
  JobDocument,
  '_id' | 'revision' | 'owner' | 'requirements' | 'retriedBy' | 'attempts' | 'workflow' | 'fleet'
>;

/** Changes of a retry, as `RetryChangesInput` has them. */
interface RequirementChanges {
  readonly memory?: { readonly memoryMiB: number };
  readonly walltime?: { readonly seconds: number };
  readonly diskMiB?: number;
  readonly queue?: null;
}

/** Growth of an amount for which no finished job shows what is enough. */
const usualFactor = 2;
/** Reserve over the largest use of jobs that finished. */
const reserve = 1.2;
/** Certainty from which a cause that is not the first leads to an action. */
const leastConfidence = 0.5;
const mostMemoryMiB = 16_777_216;
const mostWalltimeSeconds = 34_560_000;
const mostDiskMiB = 1_073_741_824;
/** Scratch space for a job that requested none. */
const leastDiskMiB = 1024;

/** Causes after which an equal retry may finish. */
const passing: ReadonlySet<CauseKind> = new Set<CauseKind>([
  'WORKER',
  'NETWORK',
  'HOST',
  'OUTPUT',
  'CONTAINER',
]);
/** Changes that an equal retry may bring. */
const equalRetry: ReadonlySet<ChangeKind> = new Set<ChangeKind>(['NONE', 'OTHER_HOST', 'OTHER_SITE']);
/** Causes that the owner of the job must remove, and what to do. */
const advice: Partial<Readonly<Record<CauseKind, readonly [string, string]>>> = {
  PROGRAM: [
    'Correct the program',
    'Read the log, correct the program or its arguments, and submit the job again.',
  ],
  SOFTWARE: [
    'Provide the software',
    'Name an image that contains the program and its libraries, or a selector for hosts that have them.',
  ],
  INPUT: ['Check the inputs', 'Check that the inputs exist and are complete, then retry the job.'],
  CREDENTIAL: [
    'Renew the credential',
    'Store the secret again, or ask the operator of the storage for access.',
  ],
  PERMISSION: [
    'Check the permissions',
    'Make the program executable, and write only to the folders of the job.',
  ],
  LICENSE: ['Wait for a licence', 'Ask for more licences, or run fewer of these jobs at a time.'],
  DEVICE: [
    'Check what the payload needs of the GPU',
    'Reduce the use of GPU memory, or require a larger GPU, a newer driver or another architecture.',
  ],
};

/** Actions for a job that ended without success, by its causes in their order. */
export function failureActions(
  job: EndedJob,
  causes: readonly Cause[],
  outcomes: readonly Outcome[],
): readonly Action[] {
  if (job.retriedBy !== undefined) return [];
  const replaced = otherRetry(job);
  if (replaced) return replaced;
  const found: Action[] = [];
  const likely = causes.filter(({ confidence }, at) => at === 0 || confidence >= leastConfidence);
  for (const { kind } of likely) {
    const action = actionOf(kind, job, outcomes);
    if (action && !found.some(({ title }) => title === action.title)) found.push(action);
  }
  const again = outcomes.some(({ change, finished }) => equalRetry.has(change) && finished.length > 0);
  if (again && !found.some(({ operation }) => operation === 'retryJobs'))
    found.push(retry(job, 'Retry the job', {}));
  return found;
}

/** Actions for jobs of which a new job is no retry; undefined for other jobs. */
export function otherRetry({
  owner,
  workflow,
  fleet,
}: Pick<EndedJob, 'owner' | 'workflow' | 'fleet'>): readonly Action[] | undefined {
  // Core submits the next canary job, and a fleet replaces its jobs.
  if (isCanary({ owner }) || fleet) return [];
  return workflow ? [advise(workflowRetry)] : undefined;
}

const workflowRetry = [
  'Retry the node of the workflow',
  'Retry it in its workflow: a new job of its own would not continue the workflow.',
] as const;

function actionOf(kind: CauseKind, job: EndedJob, outcomes: readonly Outcome[]): Action | undefined {
  const { requirements } = job;
  const attempt = failedAttempt(job);
  const { code } = attempt?.error ?? {};
  if (kind === 'MEMORY') {
    if (attempt && code !== 'MEMORY_EXCEEDED' && hasSmallPeak(job, attempt)) return advise(allocation);
    const own = attempt?.metrics?.peakMemoryMiB;
    const memoryMiB = grown(requirements.memoryMiB, [enoughMemory(outcomes)], own, mostMemoryMiB);
    if (memoryMiB <= requirements.memoryMiB) return undefined;
    return retry(job, `Retry with ${memoryMiB} MiB of memory`, { memory: { memoryMiB } });
  }
  if (kind === 'WALLTIME') {
    const { walltimeSeconds: before } = requirements;
    const seconds = grown(before, [enough('MORE_WALLTIME', outcomes)], undefined, mostWalltimeSeconds);
    if (seconds <= before) return undefined;
    return retry(job, `Retry with ${seconds} s of walltime`, { walltime: { seconds } });
  }
  if (kind === 'DISK') {
    const needed = [enough('MORE_DISK', outcomes), requirements.diskMiB === 0 ? leastDiskMiB : undefined];
    const diskMiB = grown(requirements.diskMiB, needed, attempt?.metrics?.peakDiskMiB, mostDiskMiB);
    if (diskMiB <= requirements.diskMiB) return undefined;
    return retry(job, `Retry with ${diskMiB} MiB of scratch space`, { diskMiB });
  }
  if (kind === 'OUTPUT' && code === 'OUTPUT_STORAGE_FULL') return advise(storage);
  if (kind === 'SITE' && requirements.queue !== undefined)
    return retry(job, 'Retry in any queue', { queue: null });
  const isOfHost = kind === 'DEVICE' && (code === 'DEVICE_FAULT' || code === 'DEVICE_MISSING');
  if (kind === 'SITE' || passing.has(kind) || isOfHost) return retry(job, 'Retry the job', {});
  const found = advice[kind];
  return found && advise(found);
}

const allocation = [
  'Check what the payload allocates',
  'It used little of its memory: a single allocation is too large, or a limit other than that of the job applies.',
] as const;
const storage = [
  'Free space in the storage',
  'Delete files of the experiment that nobody needs, or ask for a larger storage, then retry the job.',
] as const;

function advise([title, effect]: readonly [string, string]): Action {
  return { title, effect, isUndoable: false };
}

/**
 * The amount with which others finished, if it is larger; otherwise twice the amount. Never less than the
 * measured peak with a reserve.
 */
function grown(
  before: number,
  enoughOf: readonly (number | undefined)[],
  peak: number | undefined,
  most: number,
): number {
  const needed = enoughOf.find((amount) => amount !== undefined && amount > before);
  const wanted = Math.max(needed ?? before * usualFactor, (peak ?? 0) * reserve);
  return Math.min(most, Math.ceil(wanted));
}

/** Memory that was enough for others, with a reserve. */
function enoughMemory(outcomes: readonly Outcome[]): number | undefined {
  const helped = outcomes.find(({ change, finished }) => change === 'MORE_MEMORY' && finished.length > 0);
  if (!helped) return undefined;
  const { peakMemoryMiB, memoryMiB } = helped;
  return peakMemoryMiB > 0 ? Math.min(memoryMiB, peakMemoryMiB * reserve) : memoryMiB;
}

function enough(wanted: 'MORE_WALLTIME' | 'MORE_DISK', outcomes: readonly Outcome[]): number | undefined {
  const helped = outcomes.find(({ change, finished }) => change === wanted && finished.length > 0);
  return wanted === 'MORE_WALLTIME' ? helped?.walltimeSeconds : helped?.diskMiB;
}

/** A retry of the failed parent of a job that was closed because of it. */
export function retryWithDependents(parent: Pick<EndedJob, '_id'>, childId: string): Action {
  return {
    ...{ title: 'Retry the parent with its dependents', operation: 'retryJobs' },
    variables: {
      input: {
        ...{ selection: { ids: [parent._id] }, isWithDependents: true, isUnlessRetried: true },
        idempotencyKey: `diagnosis:${parent._id}:${childId}:dependents`,
      },
    },
    effect: 'Submits new jobs for the parent and for those that were closed because of it.',
    isUndoable: true,
  };
}

/**
 * A retry that makes one new job: the key gives the same person the first result again, and anyone else is
 * refused.
 */
export function retry(
  { _id, revision }: Pick<EndedJob, '_id' | 'revision'>,
  title: string,
  requirements: RequirementChanges,
): Action {
  const isChanged = Object.keys(requirements).length > 0;
  return {
    title,
    operation: 'retryJobs',
    variables: {
      input: {
        selection: { ids: [_id] },
        idempotencyKey: `diagnosis:${_id}:${revision}:${keyOf(requirements)}`,
        isUnlessRetried: true,
        ...(isChanged ? { changes: { requirements } } : {}),
      },
    },
    effect: `Submits a new job like this one${isChanged ? ' with the changed requirement' : ''}; this one stays as it is.`,
    isUndoable: true,
  };
}

function keyOf(requirements: RequirementChanges): string {
  return Object.entries(requirements)
    .map(
      ([name, value]) =>
        `${name}=${typeof value === 'object' && value ? Object.values(value).join() : String(value)}`,
    )
    .join();
}
