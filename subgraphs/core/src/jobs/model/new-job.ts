import { jobSchemaVersion } from './job.document.js';
import type {
  JobDocument,
  StoredFleetPart,
  StoredPayload,
  StoredRequirements,
  StoredRetryPolicy,
  StoredWorkflowPart,
} from './job.types.js';

/** Checked and normalised values of a new job. */
export interface NewJob {
  readonly id: string;
  readonly createdAt: Date;
  readonly experiment: string;
  readonly name: string;
  /** Subject of the owner. */
  readonly owner: string;
  /** Subject of the submitter, if not the owner. */
  readonly submittedBy?: string | undefined;
  /** Path of the leaf. */
  readonly share: string;
  readonly priority: number;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  readonly requirements: StoredRequirements;
  readonly classId: string;
  readonly payload: StoredPayload;
  readonly retry: StoredRetryPolicy;
  readonly dependsOn: readonly string[];
  /** Parents that had not FINISHED when they were read. */
  readonly waitingFor: readonly string[];
  readonly task?: { readonly id: string; readonly index: number } | undefined;
  readonly workflow?: StoredWorkflowPart | undefined;
  readonly fleet?: StoredFleetPart | undefined;
  readonly retryOf?: string | undefined;
  /** Actor of the submit, if not the submitter. */
  readonly actor?: string | undefined;
}

/** Document of a new job: ACTIVATED, or PENDING while it waits for parents. @param now time of the write */
export function newJobDocument(job: NewJob, now: Date): JobDocument {
  const { id, createdAt, task, workflow, fleet, retryOf, waitingFor, labels, submittedBy } = job;
  const state = waitingFor.length > 0 ? 'PENDING' : 'ACTIVATED';
  const labelTexts = labels.map(({ key, value }) => `${key}=${value}`);
  const partOf = {
    ...(task ? { taskId: task.id, taskIndex: task.index } : {}),
    ...(workflow ? { workflow } : {}),
    ...(fleet ? { fleet } : {}),
  };
  return {
    _id: id,
    schemaVersion: jobSchemaVersion,
    revision: 1,
    createdAt,
    updatedAt: now,
    experiment: job.experiment,
    name: job.name,
    owner: job.owner,
    ...(submittedBy === undefined ? {} : { submittedBy }),
    ...partOf,
    share: job.share,
    priority: job.priority,
    labels,
    lookup: [
      ownerKey(job.experiment, job.owner),
      shareKey(job.share),
      ...labelTexts.map((label) => labelKey(job.experiment, label)),
      ...waitingFor.map(parentKey),
      ...datasetKeys(job.payload),
    ],
    requirements: job.requirements,
    classId: job.classId,
    payload: job.payload,
    retry: job.retry,
    dependsOn: job.dependsOn,
    waitingFor,
    state,
    attempt: 0,
    attempts: [],
    fence: 0,
    outputs: [],
    last: {
      revision: 1,
      from: null,
      to: state,
      at: now,
      actor: job.actor ?? submittedBy ?? job.owner,
      attempt: 0,
      experiment: job.experiment,
      ...partOf,
      share: job.share,
      owner: job.owner,
      labels: labelTexts,
      classId: job.classId,
      priority: job.priority,
      fence: 0,
    },
    transitions: [],
    stateTimes: { [state]: now },
    ...(retryOf === undefined ? {} : { retryOf }),
  };
}

/** Look-up key of an owner in one experiment. */
export function ownerKey(experiment: string, owner: string): string {
  return `o:${experiment}:${owner}`;
}

/** Look-up key of a share; its path starts with its experiment. */
export function shareKey(share: string): string {
  return `s:${share}`;
}

/**
 * Look-up key of a label, `key=value`, in one experiment, so that no query scans jobs of other experiments.
 */
export function labelKey(experiment: string, label: string): string {
  return `l:${experiment}:${label}`;
}

/** Look-up key of a parent that the job waits for. */
export function parentKey(parentId: string): string {
  return `p:${parentId}`;
}

/** Look-up key of a dataset that the job adds outputs to. */
export function datasetKey(datasetId: string): string {
  return `d:${datasetId}`;
}

function datasetKeys({ outputDatasets = [] }: Pick<StoredPayload, 'outputDatasets'>): readonly string[] {
  return [...new Set(outputDatasets.map(({ datasetId }) => datasetKey(datasetId)))];
}

/** Look-up key of the retried jobs of a task. */
export function repeatedKey(taskId: string): string {
  return `r:${taskId}`;
}
