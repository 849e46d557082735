/** Parent types of the resolvers of workflows. */
import type { KeysetPage, PositionsPage } from '@rhizome/mongo';
import type { NodeDocument } from '../model/node.document.js';
import type { StoredWorkflowCommand, WorkflowDocument } from '../model/workflow.document.js';
import type { NodeCounts, StoredGroupEdge, StoredNodeGroup } from '../model/workflow.types.js';
import type { NodeFile } from '../views/node-files.js';
import type { LabelLayerView } from '../views/label-layers.js';
import type { SubgraphView } from '../views/subgraph-view.js';
import type { Dependent, LayerView, NodeView } from '../views/workflows.service.js';

export type WorkflowMapper = WorkflowDocument;
export type WorkflowConnectionMapper = KeysetPage<WorkflowDocument>;
export type WorkflowNodeMapper = NodeView;
export type WorkflowNodeConnectionMapper = KeysetPage<NodeDocument>;
export type WorkflowNodeCountsMapper = NodeCounts;
export type WorkflowLabelCountsMapper = StoredNodeGroup;
export type WorkflowLayerMapper = LayerView;
export type WorkflowLabelLayerMapper = LabelLayerView;
export type WorkflowGroupEdgeMapper = StoredGroupEdge;
export type WorkflowCommandMapper = StoredWorkflowCommand;
export type WorkflowSubgraphMapper = SubgraphView;
export type WorkflowIterationMapper = SubgraphView['iterations'][number];
export type WorkflowDependentConnectionMapper = PositionsPage<Dependent>;
export type WorkflowDependentMapper = Dependent;
export type JobNodeFileMapper = NodeFile;
export type JobNodeFileConnectionMapper = PositionsPage<NodeFile>;
