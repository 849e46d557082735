import { jobSchemaVersion } from './job.document.js';
import type { JobDocument, StoredPayload, StoredRequirements, StoredRetryPolicy } from './job.types.js';

/** All that a new job is made of, checked and normalised. */
export interface NewJob {
  readonly id: string;
  readonly createdAt: Date;
  readonly experiment: string;
  readonly name: string;
  /** Subject of the principal that it belongs to. */
  readonly owner: string;
  /** Subject of the principal that submitted it, where that is not the owner. */
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
  /** Parents that had not FINISHED when they were looked at. */
  readonly waitingFor: readonly string[];
  readonly task?: { readonly id: string; readonly index: number } | undefined;
  readonly retryOf?: string | undefined;
  /** Who made it, where that is not who submitted it. */
  readonly actor?: string | undefined;
}

/** The document of a new job: ACTIVATED, or PENDING while it waits for parents. @param now when it is written */
export function newJobDocument(job: NewJob, now: Date): JobDocument {
  const { id, createdAt, task, retryOf, waitingFor, labels, submittedBy } = job;
  const state = waitingFor.length > 0 ? 'PENDING' : 'ACTIVATED';
  const labelTexts = labels.map(({ key, value }) => `${key}=${value}`);
  const ofTask = task ? { taskId: task.id, taskIndex: task.index } : {};
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
    ...ofTask,
    share: job.share,
    priority: job.priority,
    labels,
    lookup: [
      ownerKey(job.experiment, job.owner),
      shareKey(job.share),
      ...labelTexts.map((label) => labelKey(job.experiment, label)),
      ...waitingFor.map(parentKey),
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
      ...ofTask,
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

/** The part of `lookup` for an owner: of one experiment, as labels. */
export function ownerKey(experiment: string, owner: string): string {
  return `o:${experiment}:${owner}`;
}

/** The part of `lookup` for a share; its path begins with its experiment. */
export function shareKey(share: string): string {
  return `s:${share}`;
}

/** The part of `lookup` for a label, given as `key=value`: of one experiment, so that nobody has to look past jobs that are not theirs. */
export function labelKey(experiment: string, label: string): string {
  return `l:${experiment}:${label}`;
}

/** The part of `lookup` for a parent that the job waits for. */
export function parentKey(parentId: string): string {
  return `p:${parentId}`;
}

/** The part of `lookup` by which the jobs of a task are found that others repeat. */
export function repeatedKey(taskId: string): string {
  return `r:${taskId}`;
}
