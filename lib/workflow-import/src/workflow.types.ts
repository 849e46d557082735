/** Workflows as `submitWorkflow` takes them, without a key. */

/** Condition of an edge. */
export type EdgeCondition = 'SUCCEEDED' | 'ENDED' | 'FAILED';

/** Resources of a job. */
export interface Requirements {
  readonly cores?: number;
  readonly memoryMiB?: number;
  readonly diskMiB?: number;
  readonly walltimeSeconds?: number;
  readonly isNetworkRequired?: boolean;
  readonly isPreemptible?: boolean;
  readonly queue?: string;
  readonly gpu?: {
    readonly count: number;
    readonly vendor: 'NVIDIA';
    readonly cuda?: { readonly runtime?: string; readonly minComputeCapability?: string };
  };
}

/** Program of a job. */
export interface Payload {
  readonly command: string;
  readonly arguments?: readonly string[];
  readonly environment?: readonly { readonly name: string; readonly value: string }[];
  readonly image?: string;
  readonly inputs?: readonly { readonly name: string; readonly location: string }[];
  readonly outputs?: readonly string[];
}

/** Values that a node and a label may give. */
export interface JobPart {
  readonly priority?: number;
  readonly requirements?: Requirements;
  readonly payload?: Payload;
  readonly retry?: Retry;
}

/** Attempts, and growth of the memory after those that exceeded it. */
export interface Retry {
  readonly maxAttempts?: number;
  readonly memoryFactor?: number;
  readonly maxMemoryMiB?: number;
}

/** An edge that leads to a node. */
export interface Dependency {
  readonly node: string;
  readonly condition?: EdgeCondition;
}

/** Output of a node that another reads. */
export interface NodeInput {
  readonly node: string;
  readonly output: string;
  readonly as?: string;
}

/** A node. */
export interface WorkflowNode extends JobPart {
  readonly name: string;
  readonly label?: string;
  readonly isFinal?: boolean;
  readonly dependsOn?: readonly Dependency[];
  readonly needed?: number;
  readonly inputs?: readonly NodeInput[];
  /** Instead of a job. */
  readonly subgraph?: Subgraph;
}

/** Sub-graph that a node stands for. */
export interface Subgraph {
  readonly template: string;
  readonly maxIterations?: number;
  readonly until?: string;
  readonly resultNode?: string;
}

/** Graph that nodes stand for. */
export interface Template {
  readonly name: string;
  readonly nodes: readonly WorkflowNode[];
}

/** Defaults of the nodes with a label. */
export interface NodeLabel extends JobPart {
  readonly label: string;
  readonly maxSubmitted?: number;
}

/** Edges from all nodes with a label to each node with another. */
export interface GroupEdge {
  readonly from: string;
  readonly to: string;
  readonly condition?: EdgeCondition;
}

/** A workflow. */
export interface ImportedWorkflow {
  readonly experiment: string;
  readonly name: string;
  readonly share?: string;
  readonly labels?: readonly { readonly key: string; readonly value: string }[];
  readonly nodeLabels?: readonly NodeLabel[];
  readonly nodes: readonly WorkflowNode[];
  readonly groupEdges?: readonly GroupEdge[];
  readonly templates?: readonly Template[];
}
