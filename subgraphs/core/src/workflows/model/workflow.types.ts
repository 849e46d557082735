/** Words of workflows: states, conditions and steps, as they are stored. */

import type { PayloadChanges } from '../../jobs/bulk/retry-changes.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';

/** States of a workflow. */
export const workflowStates = [
  'OPEN',
  'RUNNING',
  'PAUSED',
  'CANCELLING',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
] as const;

/** One of {@link workflowStates}. */
export type WorkflowState = (typeof workflowStates)[number];

/** States in which nodes may change. */
export const activeStates = ['RUNNING', 'PAUSED', 'CANCELLING'] as const satisfies readonly WorkflowState[];

/** States of a node, as callers see them. */
export const nodeStates = ['WAITING', 'SUBMITTED', 'SUCCEEDED', 'FAILED', 'SKIPPED', 'CANCELLED'] as const;

/** One of {@link nodeStates}. */
export type NodeState = (typeof nodeStates)[number];

/** End states of a node. */
export const endedNodeStates = [
  'SUCCEEDED',
  'FAILED',
  'SKIPPED',
  'CANCELLED',
] as const satisfies readonly NodeState[];

/** One of {@link endedNodeStates}. */
export type EndedNodeState = (typeof endedNodeStates)[number];

/**
 * Stored state of a node. READY: its conditions are met, and it will be submitted. DOOMED: they can no longer
 * be met, and it will be skipped. ENDING: its job has ended, and its dependents do not know yet.
 */
export type StoredNodeState = NodeState | 'READY' | 'DOOMED' | 'ENDING';

/** Stored states, in an order whose positions graphs in memory use. */
export const storedNodeStates = [
  ...nodeStates,
  'READY',
  'DOOMED',
  'ENDING',
] as const satisfies readonly StoredNodeState[];

/** State of a node as callers see it. */
export function shownState(state: StoredNodeState): NodeState {
  if (state === 'READY' || state === 'DOOMED') return 'WAITING';
  return state === 'ENDING' ? 'SUBMITTED' : state;
}

/** Stored states that callers see as these. */
export function storedStatesOf(shown: readonly NodeState[]): readonly StoredNodeState[] {
  return storedNodeStates.filter((state) => shown.includes(shownState(state)));
}

/** True if a node in this state has ended. */
export function hasEnded(state: StoredNodeState): state is EndedNodeState {
  return (endedNodeStates as readonly StoredNodeState[]).includes(state);
}

/** Conditions of edges, in the order of their stored numbers. */
export const edgeConditions = ['SUCCEEDED', 'ENDED', 'FAILED'] as const;

/** One of {@link edgeConditions}. */
export type EdgeCondition = (typeof edgeConditions)[number];

/** Outcome of an edge whose parent has ended. */
export type EdgeOutcome = 'MET' | 'LOST';

/** Numbers of nodes by state. */
export type NodeCounts = Readonly<Record<NodeState, number>>;

/** Nodes with the same label; final nodes are a group apart. */
export interface StoredNodeGroup {
  /** Empty for nodes without a label. */
  readonly label: string;
  readonly isFinal: boolean;
  readonly counts: NodeCounts;
  /** Most nodes that may be submitted at a time; absent for no limit. */
  readonly maxSubmitted?: number;
  /** Failed nodes at which the workflow is paused; absent for no limit. */
  readonly failureLimit?: number;
}

/** Edge from all nodes of a group to each node of another. */
export interface StoredGroupEdge {
  /** Label; absent for all nodes that are not final. */
  readonly from?: string;
  /** Label; absent for all final nodes. */
  readonly to?: string;
  readonly condition: EdgeCondition;
  /** Number of nodes of `from` that must meet the condition. */
  readonly needed: number;
  /** Set once the dependents have counted it. */
  readonly outcome?: EdgeOutcome;
}

/** End of a node. */
export interface NodeEnd {
  readonly node: number;
  readonly state: EndedNodeState;
  /** Reason of a principal, or of a cancellation. */
  readonly reason?: string;
  /** Principal that ended it. */
  readonly by?: string;
}

/** Requirement class that nodes get instead of another. */
export interface ChangedClass {
  readonly from: string;
  readonly to: string;
  /** Requirements of the new class. */
  readonly requirements: StoredRequirements;
}

/** Nodes that get other requirements, or another program. */
export interface ChangedNodes {
  /** One bit for each. */
  readonly nodes: Uint8Array;
  readonly classes: readonly ChangedClass[];
  /** Absent in steps that leave the program as it is. */
  readonly payload?: PayloadChanges;
}

/** Position of an entry in the additions of a workflow, and of a call in it. */
export interface AddedPlace {
  readonly addition: number;
  readonly call: number;
}

/**
 * Change of the nodes of a workflow. It is recorded before it is applied, and every node remembers the newest
 * step that changed it, so that a step may be applied any number of times, by several processes.
 */
export type StepContent =
  | { readonly kind: 'ENDS'; readonly ends: readonly NodeEnd[] }
  | { readonly kind: 'RELEASE'; readonly nodes: readonly number[] }
  | {
      readonly kind: 'ADD';
      /** Position in the additions of the workflow, and of the call in these. */
      readonly addition: number;
      readonly call: number;
      /** Iterations of further sub-graphs that begin in the same step; absent for none. */
      readonly more?: readonly AddedPlace[];
    }
  | {
      /** An iteration begins again that was added in an earlier run of its node. */
      readonly kind: 'ENTER';
      readonly addition: number;
      readonly call: number;
    }
  | { readonly kind: 'GROUP'; readonly edge: number; readonly outcome: EdgeOutcome }
  | {
      readonly kind: 'RESET';
      /** One bit for each node that begins again. */
      readonly nodes: Uint8Array;
      /** Nodes that are given an end state instead. */
      readonly marks: readonly NodeEnd[];
      /** One bit for each node whose sub-graph goes on; absent for none. */
      readonly reopened?: Uint8Array;
      /** Principal that asked for it; absent in steps of earlier versions. */
      readonly by?: string;
      /** Nodes among these that get other requirements, or another program. */
      readonly changed?: ChangedNodes;
    };

/** Recorded step. */
export type StoredStep = StepContent & { readonly at: Date };
