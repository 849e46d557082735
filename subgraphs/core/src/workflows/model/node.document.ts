import { baseFields, defineCollection } from '@rhizome/mongo';
import type { StoredPayload, StoredRequirements, StoredRetryPolicy } from '../../jobs/model/job.types.js';
import type { StoredSubgraph } from './scopes.js';
import { type EndedNodeState, storedNodeStates, type StoredNodeState } from './workflow.types.js';

/** Job of a node, checked and normalised. */
export interface StoredNodeJob {
  readonly requirements: StoredRequirements;
  readonly classId: string;
  readonly payload: StoredPayload;
  readonly retry: StoredRetryPolicy;
  readonly priority: number;
}

/** Stored node of a workflow. */
export interface NodeDocument {
  /** `<workflow>/<position, seven digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly workflowId: string;
  /** Position in the workflow. */
  readonly index: number;
  readonly name: string;
  /** Empty for a node without a label. */
  readonly label: string;
  /** Set if it runs after all nodes that are not final have ended. */
  readonly isFinal: boolean;
  /** Number of nodes on the longest chain that leads to it. */
  readonly depth: number;
  /** Edges that lead to it, those of groups included. */
  readonly total: number;
  /** Number of these edges whose conditions must be met. */
  readonly needed: number;
  readonly met: number;
  readonly lost: number;
  /** Newest step that changed it. */
  readonly step: number;
  readonly state: StoredNodeState;
  /** Number of the current or next run: a node that is retried begins another. */
  readonly run: number;
  /** Time at which its job was created; part of the identifier of the job. */
  readonly submittedAt?: Date;
  readonly endedAt?: Date;
  /** End state of its job, while the state is ENDING. */
  readonly outcome?: EndedNodeState;
  /** Edge because of which it is skipped: position of the parent, or -1 - position of the edge of groups. */
  readonly cause?: number;
  readonly reason?: string;
  /** Principal that ended it. */
  readonly by?: string;
  /** Principal that asked for the current run; absent for the submitter. */
  readonly requestedBy?: string;
  /** Most nodes that its job may add; absent for none. */
  readonly maxAdded?: number;
  /** Position of the node that added it, or whose sub-graph it is part of; absent for a submitted node. */
  readonly addedBy?: number;
  /** Number of the iteration that it is part of; absent outside of sub-graphs. */
  readonly iteration?: number;
  /** Set if it begins with its iteration: one of its edges leads from there. */
  readonly isEntry?: true;
  /** Sub-graph that it stands for. */
  readonly subgraph?: StoredSubgraph;
  /** Absent for a node that stands for a sub-graph. */
  readonly job?: StoredNodeJob;
}

/** Node without its job, which may be large. */
export type NodeFacts = Omit<NodeDocument, 'job'>;

/** Projection for {@link NodeFacts}. */
export const nodeFields = {
  schemaVersion: 1,
  revision: 1,
  createdAt: 1,
  updatedAt: 1,
  workflowId: 1,
  index: 1,
  name: 1,
  label: 1,
  isFinal: 1,
  depth: 1,
  total: 1,
  needed: 1,
  met: 1,
  lost: 1,
  step: 1,
  state: 1,
  run: 1,
  submittedAt: 1,
  endedAt: 1,
  outcome: 1,
  cause: 1,
  reason: 1,
  by: 1,
  requestedBy: 1,
  maxAdded: 1,
  addedBy: 1,
  iteration: 1,
  isEntry: 1,
  subgraph: 1,
} as const satisfies Record<Exclude<keyof NodeFacts, '_id'>, 1>;

/** Identifier of a node. */
export function nodeIdOf(workflowId: string, index: number): string {
  return `${workflowId}/${String(index).padStart(7, '0')}`;
}

/** Identifiers of the nodes of a workflow from one position to before another; of all unless given. */
export function nodeRange(
  workflowId: string,
  first = 0,
  end?: number,
): { readonly $gte: string } & ({ readonly $lt: string } | { readonly $lte: string }) {
  const from = { $gte: nodeIdOf(workflowId, first) };
  return end === undefined
    ? { ...from, $lte: nodeIdOf(workflowId, 9_999_999) }
    : { ...from, $lt: nodeIdOf(workflowId, end) };
}

const nodeId = /^(workflow_[0-9A-Z]{26})\/(\d{7})$/;

/** Workflow and position of a node; undefined for a malformed identifier. */
export function nodeRefOf(id: string): { readonly workflowId: string; readonly index: number } | undefined {
  const [, workflowId, index] = nodeId.exec(id) ?? [];
  return workflowId === undefined ? undefined : { workflowId, index: Number(index) };
}

const text = { bsonType: 'string', minLength: 1 } as const;
const count = { bsonType: 'number', minimum: 0 } as const;

/**
 * Version of the stored form; version 2 added the principal that asked for a run, version 3 added nodes,
 * version 4 sub-graphs.
 */
export const nodeSchemaVersion = 4;

/** Nodes of workflows. */
export const nodesCollection = defineCollection<NodeDocument>({
  name: 'workflowNodes',
  schemaVersion: nodeSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'workflowId',
      'index',
      'name',
      'label',
      'isFinal',
      'depth',
      'total',
      'needed',
      'met',
      'lost',
      'step',
      'state',
      'run',
    ],
    properties: {
      ...baseFields,
      workflowId: text,
      index: count,
      name: text,
      label: { bsonType: 'string' },
      isFinal: { bsonType: 'bool' },
      depth: count,
      total: count,
      needed: count,
      met: count,
      lost: count,
      step: count,
      state: { enum: [...storedNodeStates] },
      run: count,
      submittedAt: { bsonType: 'date' },
      endedAt: { bsonType: 'date' },
      outcome: { bsonType: 'string' },
      cause: { bsonType: 'number' },
      reason: { bsonType: 'string' },
      by: text,
      requestedBy: text,
      maxAdded: count,
      addedBy: count,
      iteration: count,
      isEntry: { bsonType: 'bool' },
      subgraph: { bsonType: 'object', required: ['template', 'maxIterations'] },
      job: { bsonType: 'object' },
    },
  },
  indexes: [
    {
      name: 'workflowId_name_uq',
      keys: { workflowId: 1, name: 1 },
      options: { unique: true },
      why: 'nodes of a workflow by name',
    },
    {
      name: 'workflowId_state_idx',
      keys: { workflowId: 1, state: 1, _id: 1 },
      why: 'nodes of a workflow by state, in pages: those to submit, to skip, and whose jobs have ended',
    },
    {
      name: 'workflowId_state_label_idx',
      keys: { workflowId: 1, state: 1, label: 1, isFinal: 1, _id: 1 },
      why: 'READY nodes by label, for labels with a limit of submitted nodes',
    },
    {
      name: 'workflowId_depth_idx',
      keys: { workflowId: 1, depth: 1, state: 1 },
      why: 'numbers of nodes by depth and state, without reading the nodes',
    },
    {
      name: 'workflowId_label_idx',
      keys: { workflowId: 1, label: 1, _id: 1 },
      why: 'nodes of a workflow by label, to which an edge of groups leads',
    },
    {
      name: 'outputDataset_idx',
      keys: { 'job.payload.outputDatasets.datasetId': 1, state: 1, workflowId: 1 },
      options: { partialFilterExpression: { 'job.payload.outputDatasets.datasetId': { $exists: true } } },
      why: 'workflows that are still to add outputs to a dataset; most nodes name none',
    },
    {
      name: 'input_location_idx',
      keys: { 'job.payload.inputs.location': 1 },
      options: { partialFilterExpression: { 'job.payload.inputs.location': { $exists: true } } },
      why: 'workflows that are still to read a file, before it is deleted',
    },
    {
      name: 'input_otherLocations_idx',
      keys: { 'job.payload.inputs.otherLocations': 1 },
      options: { partialFilterExpression: { 'job.payload.inputs.otherLocations': { $exists: true } } },
      why: 'the same for further places of inputs',
    },
    {
      name: 'upload_idx',
      keys: { 'job.payload.uploadId': 1 },
      options: { partialFilterExpression: { 'job.payload.uploadId': { $exists: true } } },
      why: 'workflows that are still to use an upload, before it is removed',
    },
  ],
});
