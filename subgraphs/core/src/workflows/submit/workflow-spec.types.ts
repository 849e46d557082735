/** Workflow as the caller describes it, independent of GraphQL. */
import type { LabelSpec, PayloadSpec, RequirementsSpec, RetrySpec } from '../../jobs/submit/submit.types.js';
import type { EdgeCondition } from '../model/workflow.types.js';

type Maybe<T> = T | null | undefined;

/** Edge to a node, from a node that is named. */
export interface EdgeSpec {
  readonly node: string;
  readonly condition?: Maybe<EdgeCondition>;
}

/** Output of a node, or of all nodes with a label, that the job of another node reads. */
export interface NodeInputSpec {
  readonly node?: Maybe<string>;
  readonly label?: Maybe<string>;
  readonly output: string;
  readonly as?: Maybe<string>;
  readonly isOptional?: Maybe<boolean>;
  /** Name of an input of the sub-graph, instead of `node`; in templates only. */
  readonly input?: Maybe<string>;
  /** The node is that of the iteration before; in templates only. */
  readonly isPrevious?: Maybe<boolean>;
}

/** Sub-graph that a node stands for. */
export interface SubgraphSpec {
  readonly template: string;
  /** 1 by default. */
  readonly maxIterations?: Maybe<number>;
  /** Condition in CEL at which no further iteration follows. */
  readonly until?: Maybe<string>;
  /** Node of the template that the condition is about. */
  readonly resultNode?: Maybe<string>;
}

/** Graph that nodes may stand for: nodes, or those of another workflow. */
export interface TemplateSpec {
  readonly name: string;
  readonly nodes?: Maybe<readonly NodeSpec[]>;
  readonly workflowId?: Maybe<string>;
  readonly outputs?: Maybe<readonly { readonly node: string; readonly output: string }[]>;
}

/** Node. */
export interface NodeSpec {
  readonly name: string;
  readonly label?: Maybe<string>;
  readonly isFinal?: Maybe<boolean>;
  readonly dependsOn?: Maybe<readonly EdgeSpec[]>;
  /** Number of edges whose conditions must be met; all by default. */
  readonly needed?: Maybe<number>;
  readonly priority?: Maybe<number>;
  readonly requirements?: Maybe<RequirementsSpec>;
  readonly payload?: Maybe<PayloadSpec>;
  readonly inputs?: Maybe<readonly NodeInputSpec[]>;
  /** Instead of a job. */
  readonly subgraph?: Maybe<SubgraphSpec>;
  /** Most nodes that its job may add. */
  readonly maxAddedNodes?: Maybe<number>;
  readonly retry?: Maybe<RetrySpec>;
}

/** Defaults and limits of the nodes with a label. */
export interface NodeLabelSpec {
  readonly label: string;
  readonly priority?: Maybe<number>;
  readonly requirements?: Maybe<RequirementsSpec>;
  readonly payload?: Maybe<PayloadSpec>;
  readonly inputs?: Maybe<readonly NodeInputSpec[]>;
  readonly retry?: Maybe<RetrySpec>;
  readonly maxSubmitted?: Maybe<number>;
  readonly failureLimit?: Maybe<number>;
}

/** Edge between labels. */
export interface GroupEdgeSpec {
  readonly from: string;
  readonly to: string;
  readonly condition?: Maybe<EdgeCondition>;
  readonly needed?: Maybe<number>;
}

/** Workflow to submit. */
export interface WorkflowSpec {
  readonly experiment: string;
  readonly idempotencyKey: string;
  readonly name: string;
  readonly onBehalfOf?: Maybe<string>;
  readonly share?: Maybe<string>;
  readonly priority?: Maybe<number>;
  readonly labels?: Maybe<readonly LabelSpec[]>;
  readonly nodeLabels?: Maybe<readonly NodeLabelSpec[]>;
  readonly nodes: readonly NodeSpec[];
  readonly groupEdges?: Maybe<readonly GroupEdgeSpec[]>;
  readonly templates?: Maybe<readonly TemplateSpec[]>;
  /** False if parts follow; true by default. */
  readonly isSealed?: Maybe<boolean>;
}

/** Part of a workflow that is not sealed. */
export interface PartSpec {
  readonly workflowId: string;
  /** 1 for the first after the beginning. */
  readonly part: number;
  readonly nodes: readonly NodeSpec[];
}
