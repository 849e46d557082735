/** Changes that a clone makes: their form, and what becomes of nodes. */
import type { InputErrors } from '@rhizome/errors';
import {
  checkRequirementChanges,
  type RequirementChanges,
  requirementsWith,
} from '../../jobs/bulk/retry-changes.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import type { JobInputErrors } from '../../jobs/submit/job-input-error.types.js';
import type { LabelSpec } from '../../jobs/submit/submit.types.js';
import type { WorkflowAccessCode } from '../control/workflow-access.js';
import {
  type NodeDocument,
  nodeIdOf,
  nodeSchemaVersion,
  type StoredNodeJob,
} from '../model/node.document.js';
import { waitingState } from '../model/node-rules.js';
import type { WorkflowDocument } from '../model/workflow.document.js';

type Maybe<T> = T | null | undefined;

/** Changes of the nodes with a label. */
export interface CloneLabelSpec {
  readonly label: string;
  readonly priority?: Maybe<number>;
  readonly requirements?: RequirementChanges | undefined;
}

/** Workflow to clone, and changes of the clone. */
export interface CloneSpec {
  readonly workflowId: string;
  readonly idempotencyKey: string;
  readonly name?: Maybe<string>;
  readonly priority?: Maybe<number>;
  readonly labels?: Maybe<readonly LabelSpec[]>;
  readonly nodeLabels?: Maybe<readonly CloneLabelSpec[]>;
}

/** Codes of a clone in addition to INVALID_VALUE. */
export type CloneErrorCode =
  | WorkflowAccessCode
  | 'WORKFLOW_STATE_CONFLICT'
  | 'LABEL_NOT_FOUND'
  | 'QUEUE_NOT_FOUND'
  | 'QUEUE_LIMIT_EXCEEDED'
  | 'SHARE_NOT_FOUND'
  | 'CONSENT_MISSING'
  | 'SECRET_NOT_FOUND'
  | 'IDEMPOTENCY_KEY_REUSED';

/** Collects errors of a clone. */
export type CloneErrors = InputErrors<CloneErrorCode>;

const maxLabels = 500;

/** Checks a clone apart from what its nodes require. */
export function checkClone(
  { _id, state, groups, sealedAt }: WorkflowDocument,
  { idempotencyKey, name, priority, labels, nodeLabels }: CloneSpec,
  errors: CloneErrors,
): void {
  if (sealedAt === undefined)
    errors.report(
      'WORKFLOW_STATE_CONFLICT',
      ['workflowId'],
      `workflowId: workflow "${_id}" is ${state} and was not sealed; to clone it, it must have all its nodes`,
    );
  errors.verbatim(['idempotencyKey'], idempotencyKey, 1, 200);
  if (name != null) errors.text(['name'], name, 1, 200);
  errors.int(['priority'], priority, -1000, 1000);
  if (labels) errors.labels(['labels'], labels, 32);
  const changed = nodeLabels ?? [];
  errors.distinct(
    ['nodeLabels'],
    changed.map(({ label }) => label),
    maxLabels,
  );
  const known = new Set(groups.map(({ label }) => label));
  changed.slice(0, maxLabels).forEach(({ label, priority: own, requirements }, at) => {
    const path = ['nodeLabels', String(at)];
    if (label === '' || !known.has(label)) {
      const text = `nodeLabels.${at}.label: no node has the label ${JSON.stringify(label.slice(0, 100))}`;
      errors.report('LABEL_NOT_FOUND', [...path, 'label'], text);
    }
    errors.int([...path, 'priority'], own, -1000, 1000);
    if (requirements)
      checkRequirementChanges(requirements, [...path, 'requirements'], errors as unknown as JobInputErrors);
  });
}

/** The clone to which nodes belong. */
export interface CloneHead {
  readonly id: string;
  readonly at: Date;
  /** Principal that cloned it. */
  readonly by: string;
  /** Priorities of both workflows. */
  readonly priorities: { readonly before: number; readonly after: number };
}

type Classified = Pick<StoredNodeJob, 'classId' | 'requirements'>;

/** Changes by label, applied to nodes. */
export class LabelChanges {
  readonly #byLabel: ReadonlyMap<string, CloneLabelSpec>;
  readonly #labels: readonly CloneLabelSpec[];
  readonly #known = new Map<string, Classified>();
  readonly #classes = new Map<string, StoredRequirements>();

  constructor(labels: readonly CloneLabelSpec[]) {
    this.#labels = labels;
    this.#byLabel = new Map(labels.map((label) => [label.label, label]));
  }

  /** Requirement classes that the changes have made. */
  get classes(): ReadonlyMap<string, StoredRequirements> {
    return this.#classes;
  }

  /** Queues that the changes name, with the position of their labels. */
  get queues(): ReadonlyMap<string, number> {
    return new Map(
      this.#labels.flatMap(({ requirements }, at) =>
        requirements?.queue == null ? [] : [[requirements.queue, at] as const],
      ),
    );
  }

  /** Requirements of a node with a label, and their class. */
  of(label: string, { classId, requirements }: Classified): Classified {
    const change = this.#byLabel.get(label)?.requirements;
    if (!change) return { classId, requirements };
    const key = `${label} ${classId}`;
    let found = this.#known.get(key);
    if (!found) {
      const changed = requirementsWith(requirements, change, false);
      found = { classId: classIdOf(changed), requirements: changed };
      this.#known.set(key, found);
      this.#classes.set(found.classId, changed);
    }
    return found;
  }

  /** Node of the clone: it waits, with the numbers that it had at first. */
  cloned(node: NodeDocument, { id, at, by, priorities }: CloneHead): NodeDocument {
    const { index, name, label, isFinal, depth, total, needed, maxAdded, job, subgraph } = node;
    return {
      ...{ _id: nodeIdOf(id, index), schemaVersion: nodeSchemaVersion, revision: 1 },
      ...{ createdAt: at, updatedAt: at, workflowId: id },
      ...{ index, name, label, isFinal, depth, total, needed, met: 0, lost: 0, step: 0, run: 1 },
      state: waitingState({ total, needed, met: 0, lost: 0 }),
      requestedBy: by,
      ...(maxAdded === undefined ? {} : { maxAdded }),
      ...(subgraph ? { subgraph } : {}),
      ...(job ? { job: this.job(label, job, { id, priorities }) } : {}),
    };
  }

  /** Job of a node of the clone. */
  job(
    label: string,
    job: StoredNodeJob,
    { id, priorities }: Pick<CloneHead, 'id' | 'priorities'>,
  ): StoredNodeJob {
    const { payload, priority: own } = job;
    const { nodeInputs } = payload;
    const usual = own === priorities.before ? priorities.after : own;
    return {
      ...job,
      ...this.of(label, job),
      priority: this.#byLabel.get(label)?.priority ?? usual,
      payload: { ...payload, ...(nodeInputs ? { nodeInputs: { ...nodeInputs, workflowId: id } } : {}) },
    };
  }
}
