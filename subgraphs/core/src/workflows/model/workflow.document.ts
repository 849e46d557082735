import { baseFields, defineCollection } from '@rhizome/mongo';
import { maxAdders, type StoredAddition } from './additions.js';
import type { StoredNesting, StoredTemplate } from './scopes.js';
import { workflowStates, type StoredGroupEdge, type StoredNodeGroup } from './workflow.types.js';
import type { StoredStep, WorkflowState } from './workflow.types.js';

/** Command that changed the state of a workflow. */
export interface StoredWorkflowCommand {
  /** Subject of the principal, or `system:…`. */
  readonly by: string;
  readonly at: Date;
  readonly reason?: string;
}

/** Part of a workflow that is submitted in parts; the first is its beginning. */
export interface StoredPart {
  /** Digest of its content. */
  readonly digest: string;
  /** Position of its first node. */
  readonly first: number;
  readonly nodes: number;
  readonly edges: number;
  /** Bytes of what is deleted after the seal: edges, and payloads of labels; absent for none. */
  readonly pieceBytes?: number;
  /** Set once all of it is stored. */
  readonly isStored: boolean;
}

/** Retry with an idempotency key. */
export interface StoredRetry {
  /** The key with its principal. */
  readonly key: string;
  /** Digest of its content. */
  readonly digest: string;
}

/** Stored workflow. Its nodes and edges are in collections of their own. */
export interface WorkflowDocument {
  /** `workflow_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly name: string;
  readonly owner: string;
  /** Submitter, if not the owner. */
  readonly submittedBy?: string;
  /** Path of the leaf. */
  readonly share: string;
  readonly priority: number;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  readonly state: WorkflowState;
  /** Number of nodes. */
  readonly nodes: number;
  /** Bytes of the payloads of all nodes. */
  readonly bytes?: number;
  /** Parts in their order; absent for a workflow that was submitted whole. */
  readonly parts?: readonly StoredPart[];
  /** Number of parts that are stored, apart from the beginning; absent without `parts`. */
  readonly partCount?: number;
  /** Set once the graph is valid: no part may follow, and the edges are being stored. */
  readonly isSealing?: boolean;
  /** False for a workflow that was not completed, until its nodes and edges are deleted. */
  readonly isEmptied?: boolean;
  /** Longest chain of nodes, the number of layers. */
  readonly layers: number;
  readonly groups: readonly StoredNodeGroup[];
  readonly groupEdges: readonly StoredGroupEdge[];
  /** Number of the newest step. */
  readonly step: number;
  /** The newest step, until it is applied. */
  readonly open?: StoredStep;
  /** Until then, the leader takes no step, so that a command which lost against its steps may be recorded. */
  readonly claimedUntil?: Date;
  /** Graphs that nodes stand for; absent for none. */
  readonly templates?: readonly StoredTemplate[];
  /** Sums of all that its sub-graphs may add; absent without templates. */
  readonly nesting?: StoredNesting;
  /** Nodes that payloads and sub-graphs add, by the node that adds them; absent for none. */
  readonly additions?: readonly StoredAddition[];
  /** Workflow whose graph it repeats. */
  readonly clonedFrom?: string;
  readonly sealedAt?: Date;
  readonly endedAt?: Date;
  /** Latest pause; absent while the workflow is not paused. */
  readonly pause?: StoredWorkflowCommand;
  /** Latest retries with keys. */
  readonly retries?: readonly StoredRetry[];
  /** Latest cancellation of the whole workflow. */
  readonly cancel?: StoredWorkflowCommand & { readonly withFinal: boolean };
}

/** Fields that callers see: all but those of steps, parts, templates, additions and retries. */
export const workflowFields = {
  schemaVersion: 1,
  revision: 1,
  createdAt: 1,
  updatedAt: 1,
  experiment: 1,
  name: 1,
  owner: 1,
  submittedBy: 1,
  share: 1,
  priority: 1,
  labels: 1,
  state: 1,
  nodes: 1,
  bytes: 1,
  partCount: 1,
  isEmptied: 1,
  layers: 1,
  groups: 1,
  groupEdges: 1,
  step: 1,
  clonedFrom: 1,
  sealedAt: 1,
  endedAt: 1,
  pause: 1,
  cancel: 1,
} as const satisfies Record<
  Exclude<
    keyof WorkflowDocument,
    | '_id'
    | 'open'
    | 'templates'
    | 'nesting'
    | 'additions'
    | 'claimedUntil'
    | 'parts'
    | 'isSealing'
    | 'retries'
  >,
  1
>;

const text = { bsonType: 'string', minLength: 1 } as const;
const count = { bsonType: 'number', minimum: 0 } as const;

/** Most parts of a workflow, its beginning included. */
export const maxParts = 201;

/** Most templates of a workflow. */
export const maxTemplates = 100;

/** Most retries with keys that are kept. */
export const maxRetries = 100;

/**
 * Version of the stored form; version 2 added parts and retries, version 3 clones and additions,
 * version 4 templates.
 */
export const workflowSchemaVersion = 4;

/** Workflows of all experiments. */
export const workflowsCollection = defineCollection<WorkflowDocument>({
  name: 'workflows',
  schemaVersion: workflowSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'experiment',
      'name',
      'owner',
      'share',
      'priority',
      'labels',
      'state',
      'nodes',
      'layers',
      'groups',
      'groupEdges',
      'step',
    ],
    properties: {
      ...baseFields,
      experiment: text,
      name: text,
      owner: text,
      submittedBy: text,
      share: text,
      priority: { bsonType: 'number', minimum: -1000, maximum: 1000 },
      labels: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 32 },
      state: { enum: [...workflowStates] },
      nodes: count,
      bytes: count,
      parts: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: maxParts },
      partCount: count,
      isSealing: { bsonType: 'bool' },
      isEmptied: { bsonType: 'bool' },
      layers: count,
      groups: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 1000 },
      groupEdges: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 1001 },
      step: count,
      open: { bsonType: 'object', required: ['kind', 'at'] },
      templates: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: maxTemplates },
      nesting: { bsonType: 'object' },
      additions: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: maxAdders },
      claimedUntil: { bsonType: 'date' },
      clonedFrom: text,
      sealedAt: { bsonType: 'date' },
      endedAt: { bsonType: 'date' },
      pause: { bsonType: 'object' },
      retries: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: maxRetries },
      cancel: { bsonType: 'object' },
    },
  },
  indexes: [
    {
      name: 'experiment_idx',
      keys: { experiment: 1, _id: 1 },
      why: 'workflows of experiments, newest first',
    },
    {
      name: 'isEmptied_idx',
      keys: { isEmptied: 1 },
      options: { partialFilterExpression: { isEmptied: false } },
      why: 'workflows that were not completed, whose nodes are to be deleted',
    },
    {
      name: 'state_idx',
      keys: { state: 1, _id: 1 },
      why: 'workflows that are open or active, for the leader; workflows by state',
    },
  ],
});
