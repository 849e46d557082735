/** Stores of workflows on one database. */
import type { Db } from 'mongodb';
import { templateNodesCollection } from '../../workflows/model/added-node.document.js';
import { AddedNodesRepository } from '../../workflows/store/added-nodes.repository.js';
import { EdgesRepository } from '../../workflows/store/edges.repository.js';
import { NodeCountsRepository } from '../../workflows/store/node-counts.repository.js';
import { NodeJobsRepository } from '../../workflows/store/node-jobs.repository.js';
import { NodesRepository } from '../../workflows/store/nodes.repository.js';
import { PartsRepository } from '../../workflows/store/parts.repository.js';
import { StepsRepository } from '../../workflows/store/steps.repository.js';
import { WorkflowsRepository } from '../../workflows/store/workflows.repository.js';

/** Repositories of workflows. */
export interface WorkflowStores {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly nodeJobs: NodeJobsRepository;
  readonly nodeCounts: NodeCountsRepository;
  readonly edges: EdgesRepository;
  readonly steps: StepsRepository;
  readonly parts: PartsRepository;
  readonly added: AddedNodesRepository;
  readonly templates: AddedNodesRepository;
}

/** Creates the repositories. */
export function workflowStores(db: Db): WorkflowStores {
  return {
    workflows: new WorkflowsRepository(db),
    nodes: new NodesRepository(db),
    nodeJobs: new NodeJobsRepository(db),
    nodeCounts: new NodeCountsRepository(db),
    edges: new EdgesRepository(db),
    steps: new StepsRepository(db),
    parts: new PartsRepository(db),
    added: new AddedNodesRepository(db),
    templates: new AddedNodesRepository(db, templateNodesCollection),
  };
}
